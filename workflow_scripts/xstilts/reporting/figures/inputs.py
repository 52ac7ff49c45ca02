"""What a figure is made from: plan, scores, estimates and analyses of a study, and the figure's options."""

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from xstilts.evaluation import estimates, scores
from xstilts.reporting.figures.options import Options
from xstilts.reporting.outputs import ANALYSES
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

    def analyses(name: str) -> pd.DataFrame:
        module = importlib.import_module(f"xstilts.evaluation.analyses.{ANALYSES[name]}")
        frame: pd.DataFrame = module.TABLE.read(folder / "analyses" / f"{name}.parquet")
        return frame

    return FigureInputs(
        plan=plan,
        scores=scores.read(folder / scores.FILE),
        estimates=estimates.read(folder / estimates.FILE),
        analyses=analyses,
        options=options,
    )
