"""What a figure is made from: plan, scores, estimates and analyses of a study, and the figure's options."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pandas as pd

from xstilts.evaluation import estimates, scores
from xstilts.reporting import analyses
from xstilts.reporting.figures.options import Options
from xstilts.store.study_plan import StudyPlan


@dataclass(frozen=True)
class FigureInputs:
    """What a figure is made from.

    Attributes:
        plan: the study's plan.
        scores: the table of scores.
        estimates: the table of estimates.
        analyses: reads the table of an analysis by its name.
        options: of the figure.
    """

    plan: StudyPlan
    scores: pd.DataFrame
    estimates: pd.DataFrame
    analyses: Callable[[str], pd.DataFrame]
    options: Options


def read(plan: StudyPlan, folder: Path, options: Options) -> FigureInputs:
    """Return the inputs of a figure, from the files of a study.

    Args:
        plan: the study's plan.
        folder: the study's outputs.
        options: of the figure.

    Raises:
        UserError: if a table is missing.
    """
    return FigureInputs(
        plan=plan,
        scores=scores.read(folder / scores.FILE),
        estimates=estimates.read(folder / estimates.FILE),
        analyses=partial(analyses.read, folder),
        options=options,
    )
