"""The analyses of a study: made, written and read by the names that ``outputs.py`` has for them."""

import importlib
from collections.abc import Mapping
from pathlib import Path
from types import ModuleType

import pandas as pd

from xstilts.errors import UserError, suggestion
from xstilts.evaluation import analyses
from xstilts.reporting.outputs import ANALYSES
from xstilts.store.study_plan import StudyPlan

FOLDER = "analyses"


def module_of(name: str) -> ModuleType:
    """Return the module of an analysis.

    Raises:
        UserError: if there is no analysis of this name.
    """
    if name not in ANALYSES:
        raise UserError(f"no analysis {name!r}; {suggestion(name, ANALYSES)}")
    return importlib.import_module(f"{analyses.__name__}.{ANALYSES[name]}")


def write(plan: StudyPlan, results: Path, folder: Path, estimates: pd.DataFrame, scores: pd.DataFrame) -> None:
    """Write all analyses of a study.

    Args:
        plan: the study's plan.
        results: the results folder.
        folder: of the study's outputs.
        estimates: the table of estimates.
        scores: the table of scores.
    """
    (folder / FOLDER).mkdir(exist_ok=True)
    found: dict[str, pd.DataFrame] = {}
    for name in ANALYSES:
        found[name] = made(name, plan, results, estimates, scores, found)
        module_of(name).TABLE.write(found[name], _path(folder, name))


def made(
    name: str, plan: StudyPlan, results: Path, estimates: pd.DataFrame, scores: pd.DataFrame,
    others: Mapping[str, pd.DataFrame],
) -> pd.DataFrame:  # fmt: skip
    """Return an analysis of a study, made anew.

    Args:
        name: of the analysis.
        plan: the study's plan.
        results: the results folder.
        estimates: the table of estimates.
        scores: the table of scores.
        others: by name the analyses that stand before it, from some of which it may be made.
    """
    module = module_of(name)
    needed = (others[other] for other in getattr(module, "MADE_FROM", ()))
    frame: pd.DataFrame = module.collect(plan, results, estimates, scores, *needed)
    return frame


def read(folder: Path, name: str) -> pd.DataFrame:
    """Return an analysis of a study.

    Args:
        folder: of the study's outputs.
        name: of the analysis.

    Raises:
        UserError: if there is no analysis of this name, or it has not been made yet.
    """
    frame: pd.DataFrame = module_of(name).TABLE.read(_path(folder, name))
    return frame


def _path(folder: Path, name: str) -> Path:
    return folder / FOLDER / f"{name}.parquet"
