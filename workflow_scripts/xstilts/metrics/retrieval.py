"""Nearest neighbours of sentence vectors."""

import numpy as np

_BLOCK = 4096


def nearest(queries: np.ndarray, candidates: np.ndarray) -> np.ndarray:
    """Return the candidate with the highest cosine for each query; int64 of shape (queries,).

    As XTREME's ``similarity_search``: vectors are divided by their norm, the first of equal candidates wins.

    Args:
        queries: float32 of shape (queries, width).
        candidates: float32 of shape (candidates, width).
    """
    candidates = _unit(candidates)
    blocks = [_unit(queries[at : at + _BLOCK]) @ candidates.T for at in range(0, len(queries), _BLOCK)]
    return np.concatenate([block.argmax(1) for block in blocks])


def _unit(vectors: np.ndarray) -> np.ndarray:
    return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), np.finfo(np.float32).tiny)
