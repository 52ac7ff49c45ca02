"""Mixture size: outcomes by the number of intermediate tasks, and what a mixture loses with each of them.

Mixtures are compared that are parts of each other: trained on some of the same rows and on no others. Unless the study
sets their steps, a mixture of more tasks trains for more steps too.
"""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from xstilts.evaluation import outcomes, related_mixtures
from xstilts.evaluation.analyses import differences, measured
from xstilts.evaluation.analyses.differences import Differences
from xstilts.evaluation.comparisons import Arm
from xstilts.evaluation.outcomes import Outcome
from xstilts.evaluation.related_mixtures import Members
from xstilts.evaluation.table import Column, Table
from xstilts.store.study_plan import NONE, StudyPlan

# kinds of rows
SIZE, LEAVE_ONE_OUT = "size", "leave one out"
COLUMNS = (
    Column(
        "kind",
        "text",
        "size: the mixture minus `none`; leave one out: the whole minus the mixture, which lacks one of its tasks",
    ),
    *measured.ARM,
    Column("whole", "text", "the mixture that has all its tasks: of size, the largest one; of leave one out, one more"),
    Column("tasks", "integer", "tasks of the mixture; 0 for `none`"),
    Column("left_out", "text", "the task that the whole has and the mixture has not; empty for size"),
    Column("outcome", "text", "what is compared: `zero-shot`, or `benchmark` for a benchmark's mean"),
    Column("target", "text", "the target; empty for a mean over targets in percent"),
    Column("score", "number", "the outcome of the mixture, mean over runs"),
    Column("runs", "integer", "runs in it"),
    *differences.COLUMNS,
)
TABLE = Table("mixture size", COLUMNS)


def collect(plan: StudyPlan, results: Path, estimates: pd.DataFrame, scores: pd.DataFrame) -> pd.DataFrame:
    """Return a row for each size of each mixture with parts, then one for each task that a mixture can be without.

    Args:
        plan: the study's plan.
        results: the results folder.
        estimates: the table of estimates.
        scores: the table of scores.
    """
    mixtures, arms = related_mixtures.members(plan), measured.arms_of(plan)
    on = outcomes.of_analyses(plan, measured.rows_of(plan, scores))
    rows = [*_sizes(mixtures, arms, on, Differences(estimates)), *_parts(mixtures, arms, on, Differences(estimates))]
    if not rows:
        return measured.table_of([], COLUMNS)
    values = {outcome: measured.means_of(scores, outcome) for outcome in on}
    return measured.table_of([row | values[outcome][arm] for arm, outcome, row in rows], COLUMNS)


# an arm, an outcome, and what a row says beside the arm's score
_Row = tuple[Arm, Outcome, dict[str, Any]]


def _sizes(
    mixtures: Mapping[str, Members], arms: Sequence[Arm], on: Sequence[Outcome], found: Differences
) -> Iterator[_Row]:
    for whole, parts in related_mixtures.nested(mixtures).items():
        for arm in arms:
            if arm._replace(mixture=whole) not in arms or arm.mixture not in (NONE, *parts):
                continue
            described = {"kind": SIZE, **arm._asdict(), "whole": whole, "left_out": ""}
            described["tasks"] = len(mixtures.get(arm.mixture, ()))
            for outcome in on:
                yield arm, outcome, described | measured.named(outcome) | found.minus(arm, NONE, outcome)


def _parts(
    mixtures: Mapping[str, Members], arms: Sequence[Arm], on: Sequence[Outcome], found: Differences
) -> Iterator[_Row]:
    for one in related_mixtures.without_one(mixtures):
        for whole in arms:
            arm = whole._replace(mixture=one.part)
            if whole.mixture != one.whole or arm not in arms:
                continue
            described = {"kind": LEAVE_ONE_OUT, **arm._asdict(), "whole": one.whole, "left_out": one.left_out}
            described["tasks"] = len(mixtures[one.part])
            for outcome in on:
                yield arm, outcome, described | measured.named(outcome) | found.minus(whole, one.part, outcome)
