"""Control arms: mixtures that are controls of another one, minus that one."""

from pathlib import Path

import pandas as pd

from xstilts.evaluation import outcomes, related_mixtures
from xstilts.evaluation.analyses import differences, measured
from xstilts.evaluation.analyses.differences import Differences
from xstilts.evaluation.table import Column, Table
from xstilts.store.study_plan import StudyPlan

COLUMNS = (
    Column(
        "kind",
        "text",
        "what the control is: text only, for language modelling; text beside the same tasks; translated; translated"
        " beside the same rows; shuffled labels",
    ),
    *measured.ARM,
    Column("controls_for", "text", "the mixture that is subtracted from it"),
    Column("outcome", "text", "what is compared: `zero-shot`, or `benchmark` for a benchmark's mean"),
    Column("target", "text", "the target; empty for a mean over targets in percent"),
    *differences.COLUMNS,
)
TABLE = Table("control arms", COLUMNS)


def collect(plan: StudyPlan, results: Path, estimates: pd.DataFrame, scores: pd.DataFrame) -> pd.DataFrame:
    """Return each control minus what it controls for, on means over targets first, then on each target.

    Args:
        plan: the study's plan.
        results: the results folder.
        estimates: the table of estimates.
        scores: the table of scores.
    """
    found, arms = Differences(estimates), measured.arms_of(plan)
    on = outcomes.of_analyses(plan, measured.rows_of(plan, scores))
    return measured.table_of(
        [
            {"kind": control.kind, **arm._asdict(), "controls_for": control.controlled}
            | measured.named(outcome)
            | found.minus(arm, control.controlled, outcome)
            for control in related_mixtures.controls(related_mixtures.members(plan))
            for arm in arms
            if arm.mixture == control.mixture and arm._replace(mixture=control.controlled) in arms
            for outcome in on
        ],
        COLUMNS,
    )
