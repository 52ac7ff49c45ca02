"""The analyses of a study: made, written and read by the names that ``outputs.py`` has for them."""

import importlib
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
    made: dict[str, pd.DataFrame] = {}
    for name in ANALYSES:
        module = module_of(name)
        others = (made[other] for other in getattr(module, "MADE_FROM", ()))
        made[name] = module.collect(plan, results, estimates, scores, *others)
        module.TABLE.write(made[name], _path(folder, name))


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
