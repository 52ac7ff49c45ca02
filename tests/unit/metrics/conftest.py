"""Neighbours by faiss."""

import numpy as np
import pytest
from xstilts.metrics import retrieval


@pytest.fixture
def neighbourhoods():
    """Unit vectors of two languages, and a function that gives faiss's neighbours."""
    faiss = pytest.importorskip("faiss", reason="faiss is not installed")
    rng = np.random.default_rng(0)
    one, other = (retrieval.unit(rng.normal(size=(rows, 64)).astype(np.float32) + 0.5) for rows in (300, 500))

    def search(queries, candidates, count):
        index = faiss.IndexFlatIP(queries.shape[1])
        index.add(candidates)
        return index.search(queries, count)

    return one, other, search
