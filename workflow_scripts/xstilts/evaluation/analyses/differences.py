"""Differences in the tables of analyses: rows of the table of estimates, found by what they compare."""

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd

from xstilts.evaluation.comparisons import DIFFERENCE, SCALES, Arm
from xstilts.evaluation.estimates import ALL_RUNS
from xstilts.evaluation.outcomes import Outcome
from xstilts.evaluation.table import Column, records

# what a table has of a difference
COLUMNS = (
    Column("row", "integer", "row of the table of estimates; missing, with all that follows, without one", True),
    Column("scale", "text", "points of percent, or nats"),
    Column("estimate", "number", "the difference", True),
    Column("low", "number", "lower end of its 95 % interval", True),
    Column("high", "number", "upper end of its 95 % interval", True),
    Column("interval", "text", "what that is over: runs and examples; examples only; worlds; empty without one"),
    Column("runs_a", "integer", "runs of what comes first, 1 where nothing varies between runs", True),
    Column("runs_b", "integer", "the same of what is subtracted; 0 for a transfer gap, a difference itself", True),
    Column("collapsed", "integer", "runs of these that collapsed", True),
    Column("n", "integer", "examples, each once", True),
    Column("clusters", "integer", "independent clusters of these", True),
    Column(
        "verdict",
        "text",
        "higher, lower, equivalent or undecided; not corrected but where the difference is primary; empty with one run",
    ),
)
_NUMBERS = [column.name for column in COLUMNS if column.optional]
_TEXTS = [column.name for column in COLUMNS if not column.optional]

_Key = tuple[str, str, str, str, str, str, int]


class Differences:
    """The differences of a study within one model, by what they compare; over all runs, and over worlds."""

    def __init__(self, estimates: pd.DataFrame) -> None:
        """Find the rows of the table of estimates: of equal differences the first, by which the study is judged."""
        self._rows: dict[_Key, Mapping[str, Any]] = {}
        used = (estimates["runs_used"] == ALL_RUNS) & estimates["world"].isna() & (estimates["model"] != "")
        for row in records(estimates[used & (estimates["kind"] == DIFFERENCE)]):
            key = (*(row[name] for name in ("model", "recipe", "a", "b", "outcome", "target")), row["targets"])
            self._rows.setdefault(key, row)

    def minus(self, arm: Arm, other: str, outcome: Outcome) -> dict[str, Any]:
        """Return what a table has of an arm minus the same arm with another mixture; missing without an estimate.

        Args:
            arm: the arm.
            other: the other mixture; empty for a transfer gap, from which nothing is subtracted.
            outcome: what they are compared on.
        """
        key = (arm.model, arm.recipe, arm.mixture, other, outcome.name)
        scale = SCALES[outcome.unit]
        # the mean over one target is the outcome of that target
        for target in (outcome.target, "") if len(outcome.targets) == 1 else ("",):
            row = self._rows.get((*key, target, len(outcome.targets)))
            if row is not None and row["scale"] == scale:
                return {name: row[name] for name in (*_NUMBERS, *_TEXTS)}
        return {**dict.fromkeys(_NUMBERS, math.nan), **dict.fromkeys(_TEXTS, ""), "scale": scale}
