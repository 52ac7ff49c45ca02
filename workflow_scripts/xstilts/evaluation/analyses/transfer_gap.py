"""Transfer gap: what the source language is ahead of the others, and what intermediate training changes of that."""

from pathlib import Path

import pandas as pd

from xstilts.evaluation import outcomes
from xstilts.evaluation.analyses import differences, measured
from xstilts.evaluation.analyses.differences import Differences
from xstilts.evaluation.table import Column, Table
from xstilts.store.study_plan import NONE, StudyPlan

# kinds of rows
GAP, CHANGE = "gap", "change"
COLUMNS = (
    Column("kind", "text", "gap: the source language minus the zero-shot mean; change: the gap minus that of `none`"),
    *measured.ARM,
    Column("target", "text", "the target; empty for a mean over targets in percent"),
    *differences.COLUMNS,
)
TABLE = Table("transfer gaps", COLUMNS)


def collect(plan: StudyPlan, results: Path, estimates: pd.DataFrame, scores: pd.DataFrame) -> pd.DataFrame:
    """Return the gap of every arm and its change against ``none``, on targets that are trained.

    Args:
        plan: the study's plan.
        results: the results folder.
        estimates: the table of estimates.
        scores: the table of scores.
    """
    found, arms = Differences(estimates), measured.arms_of(plan)
    gaps = outcomes.transfer_gaps(plan, measured.rows_of(plan, scores))
    return measured.table_of(
        [
            {"kind": kind, **arm._asdict(), "target": gap.target} | found.minus(arm, other, gap)
            for kind, other in ((GAP, ""), (CHANGE, NONE))
            for arm in arms
            if kind == GAP or (arm.mixture != NONE and arm._replace(mixture=NONE) in arms)
            for gap in gaps
        ],
        COLUMNS,
    )
