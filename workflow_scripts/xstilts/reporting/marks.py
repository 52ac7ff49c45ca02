"""Marks of a table's cells: what their scores are not, and that nothing was trained for them."""

from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd

from xstilts.reporting.layout import Cells
from xstilts.store.study_plan import PROMPTED

MEANINGS = {
    "†": "not on the official split",
    "‡": "a sample of the rows",
    "!": "averaged over a run that collapsed in intermediate or target training: one prediction for all of a task's dev"
    " rows",
    "§": "prompted: nothing is trained",
}
# how the flags of several scores become one
FLAGS = {"official": "all", "sample": "any", "collapsed": "any"}


def flags(scores: pd.DataFrame) -> dict[str, bool]:
    """Return whether all scores are official, and whether any is of a sample or of a collapsed run."""
    return {name: bool(getattr(scores[name], how)()) for name, how in FLAGS.items()}


def of(row: Mapping[str, Any], shared: str = "") -> str:
    """Return the marks of a cell by its flags and its method, but for those that all cells share."""
    marked = {
        "†": not row["official"], "‡": row["sample"], "!": row["collapsed"], "§": row["method"] == PROMPTED,
    }  # fmt: skip
    return "".join(mark for mark, is_marked in marked.items() if is_marked and mark not in shared)


def shared(rows: Iterable[Mapping[str, Any]]) -> str:
    """Return the marks that all cells of a table have, by the flags of each."""
    marks = [of(row) for row in rows]
    return "".join(mark for mark in MEANINGS if marks and all(mark in one for one in marks))


def of_all_cells(shared: str) -> str:
    """Return what the marks that all cells share say, as the end of a caption; nothing without any."""
    return f" All cells: {'; '.join(MEANINGS[mark] for mark in shared)}." if shared else ""


def legend(cells: Cells) -> str:
    """Return what the marks in a table's cells mean; nothing without any."""
    _, rows = cells
    there = [mark for mark in MEANINGS if any(mark in cell for row in rows for cell in row)]
    return f"{'; '.join(f'{mark} {MEANINGS[mark]}' for mark in there)}." if there else ""
