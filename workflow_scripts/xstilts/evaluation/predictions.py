"""The table of predictions: one row an example.

Beside the columns below it has those of the form's statistics, ``stat_<name>``, from which scores are computed.
"""

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from xstilts.errors import reading
from xstilts.evaluation.table import Column, Table
from xstilts.forms.interface import AnyForm

FILE = "predictions.parquet"
# of a node whose rows have no labels; it has no gold answers and no statistics, and nothing that scores reads it
UNLABELLED_FILE = "unlabelled.parquet"
STATISTIC = "stat_"
COLUMNS = (
    Column("example_id", "text", "the example; the same for an example and its translations"),
    Column("cluster_id", "text", "the same for examples that share a text, and so are no independent draws"),
    Column("language", "text", "tag in languages.yaml, or that of a made-up language"),
    Column("split", "text", "the split that the example is from"),
    Column("prediction", "text", "the prediction in the notation of the task's form"),
    Column("gold", "text", "the right answer in the same notation"),
    Column(f"{STATISTIC}*", "number", "a statistic of the example, named by the form"),
)
_COPIED = ["example_id", "cluster_id", "language", "split"]
TABLE = Table("predictions", COLUMNS)
write, read = TABLE.write, TABLE.read
UNLABELLED = Table(
    "predictions without labels", [column for column in COLUMNS if column.name in (*_COPIED, "prediction")]
)


def read_columns(path: Path, columns: Sequence[str], ids: Collection[str] | None = None) -> pd.DataFrame:
    """Read some columns of predictions.

    Args:
        path: the file, which is there.
        columns: their names.
        ids: of the examples; None for all.

    Raises:
        UserError: if the file is unreadable or damaged, or has not these columns.
    """
    filters = None if ids is None else [("example_id", "in", list(ids))]
    with reading(path):
        return pd.read_parquet(path, columns=list(columns), filters=filters)


def frame_of(
    form: AnyForm,
    rows: Sequence[Mapping[str, Any]],
    predictions: Sequence[str],
    gold: Sequence[str] | None,
    rules: str | None,
) -> pd.DataFrame:
    """Return the table of predictions for some rows.

    Args:
        form: the module of the task's form.
        rows: prepared rows.
        predictions: the prediction for each row.
        gold: the right answer of each row; None where the rows have no labels.
        rules: the rules by which answers are compared, where the task names some.
    """
    frame = pd.DataFrame(rows)[_COPIED].assign(prediction=predictions)
    if gold is None:
        return frame
    frame = frame.assign(gold=gold)
    statistics = [
        form.statistics(prediction, answer, {"rules": rules, "language": row["language"]})
        for row, prediction, answer in zip(rows, predictions, gold, strict=True)
    ]
    return frame.join(pd.DataFrame(statistics, dtype="float64").add_prefix(STATISTIC))


def statistics_of(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the columns of the statistics under the names that the form gives them."""
    names = [name for name in frame.columns if name.startswith(STATISTIC)]
    return frame[names].rename(columns=lambda name: name.removeprefix(STATISTIC))
