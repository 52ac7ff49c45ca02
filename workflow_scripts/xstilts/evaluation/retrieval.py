"""Predictions by the vectors of texts: what a form finds for each query, as a table of predictions."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from xstilts.evaluation import predictions
from xstilts.forms.interface import FormModule


def predictions_of(
    form: FormModule,
    rows: Mapping[str, Sequence[Mapping[str, Any]]],
    vectors: Mapping[str, np.ndarray],
    settings: Mapping[str, Any],
) -> pd.DataFrame:
    """Return the table of predictions of all languages; empty where no query has a gold candidate.

    Args:
        form: the module of the task's form.
        rows: prepared rows by language.
        vectors: float32 of shape (sequences, width) by language, in the order of the rows.
        settings: the form's settings of retrieval.
    """
    frames = []
    for language, ranked in form.retrieve(rows, vectors, settings).items():
        if ranked:
            indices, predicted, gold = zip(*ranked, strict=True)
            scored = [rows[language][index] for index in indices]
            frames.append(predictions.frame_of(form, scored, predicted, gold, rules=None))
    return pd.concat(frames, ignore_index=True) if frames else pd.DataFrame()
