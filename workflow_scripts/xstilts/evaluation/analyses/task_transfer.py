"""Task transfer: what each single intermediate task adds to each target, in every model and recipe."""

from pathlib import Path

import pandas as pd

from xstilts.evaluation import outcomes
from xstilts.evaluation.analyses import differences, measured
from xstilts.evaluation.analyses.differences import Differences
from xstilts.evaluation.benchmarks import shares_data
from xstilts.evaluation.outcomes import Outcome
from xstilts.evaluation.table import Column, Table
from xstilts.store.study_plan import NONE, StudyPlan

COLUMNS = (
    *measured.ARM,
    Column("task", "text", "the one intermediate task of the mixture, as a reference"),
    Column("outcome", "text", "what is compared: `zero-shot`, or `benchmark` for a benchmark's mean"),
    Column("target", "text", "the target; empty for a mean over targets in percent"),
    Column("same_data", "flag", "whether the task is, contains or closely resembles a target's training data"),
    *differences.COLUMNS,
)
TABLE = Table("task transfer", COLUMNS)


def collect(plan: StudyPlan, results: Path, estimates: pd.DataFrame, scores: pd.DataFrame) -> pd.DataFrame:
    """Return the gains over ``none`` of mixtures of one task: on means over targets first, then on each target.

    Args:
        plan: the study's plan.
        results: the results folder.
        estimates: the table of estimates.
        scores: the table of scores.
    """
    found, rows = Differences(estimates), measured.rows_of(plan, scores)
    on = outcomes.of_analyses(plan, rows)
    return measured.table_of(
        [
            arm._asdict()
            | {
                "task": task,
                "same_data": _shares_data(plan, task, outcome),
                **measured.named(outcome),
            }
            | found.minus(arm, NONE, outcome)
            for arm in measured.arms_of(plan)
            for task in plan.mixtures[arm.mixture]
            if len(plan.mixtures[arm.mixture]) == 1
            for outcome in on
        ],
        COLUMNS,
    )


def _shares_data(plan: StudyPlan, task: str, outcome: Outcome) -> bool:
    targets = [plan.targets[name] for name in outcome.targets]
    return any(shares_data([task], target.task, target.same_data) for target in targets)
