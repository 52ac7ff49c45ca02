"""Forgetting: what intermediate training does to what a model does untrained.

That is the loss of its own language model, as Pruksachatkun et al. 2020 (Intermediate-Task Transfer Learning with
Pretrained Models, section 5) look for it, and retrieval by its own vectors. After the target phase nothing of the kind
is scored: a target's training is behind the predictions of this target alone.
"""

from pathlib import Path

import pandas as pd

from xstilts.evaluation import outcomes, unasked
from xstilts.evaluation.analyses import differences, measured
from xstilts.evaluation.analyses.differences import Differences
from xstilts.evaluation.table import Column, Table
from xstilts.forms import metric_named
from xstilts.store.study_plan import NONE, StudyPlan

COLUMNS = (
    *measured.ARM,
    Column("target", "text", "the target, which is not trained"),
    Column("language", "text", "the one language; empty for the zero-shot mean"),
    Column("higher_is_better", "flag", "whether more is better; of a loss it is not"),
    *differences.COLUMNS,
)
TABLE = Table("forgetting", COLUMNS)


def collect(plan: StudyPlan, results: Path, estimates: pd.DataFrame, scores: pd.DataFrame) -> pd.DataFrame:
    """Return the change against ``none`` of untrained targets: of the zero-shot mean, and of a loss by language.

    Args:
        plan: the study's plan.
        results: the results folder.
        estimates: the table of estimates.
        scores: the table of scores.
    """
    found, arms, rows = Differences(estimates), measured.arms_of(plan), measured.rows_of(plan, scores)
    untrained = [name for name, target in plan.targets.items() if not target.trained_on]
    asked = [("", outcome) for outcome in outcomes.zero_shot(plan, rows, untrained) if outcome.target]
    asked += [(outcome.languages[0], outcome) for outcome in unasked.losses(plan, rows)]
    return measured.table_of(
        [
            {**arm._asdict(), "target": outcome.target, "language": language}
            | {"higher_is_better": metric_named(plan.targets[outcome.target].metric).higher_is_better}
            | found.minus(arm, NONE, outcome)
            for arm in arms
            if arm.mixture != NONE and arm._replace(mixture=NONE) in arms
            for language, outcome in asked
        ],
        COLUMNS,
    )
