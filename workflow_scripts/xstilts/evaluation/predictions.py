"""The table of predictions: one row an example."""

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from xstilts.forms.interface import AnyForm

FILE = "predictions.parquet"


def frame_of(
    form: AnyForm, rows: Sequence[Mapping[str, Any]], predictions: Sequence[str], gold: Sequence[str],
    rules: str | None,
) -> pd.DataFrame:  # fmt: skip
    """Return one row an example: ids, language, split, prediction, gold, and the form's statistics as ``stat_...``."""
    frame = pd.DataFrame(rows)[["example_id", "cluster_id", "language", "split"]]
    frame = frame.assign(prediction=predictions, gold=gold)
    statistics = [
        form.statistics(prediction, gold, {"rules": rules, "language": row["language"]})
        for row, prediction, gold in zip(rows, predictions, gold, strict=True)
    ]
    return frame.join(pd.DataFrame(statistics, dtype="float64").add_prefix("stat_"))
