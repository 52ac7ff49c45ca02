"""Tables of estimates of earlier studies, as folders of their outputs."""

import dataclasses
from pathlib import Path
from typing import Any

import pandas as pd
from xstilts.evaluation import estimates
from xstilts.store import study_plan as study_plans
from xstilts.store.study_plan import StudyPlan

from tests.builders.study_plans import study_plan

_USUAL: dict[str, Any] = {
    "name": "multi", "primary": False, "kind": "difference", "scale": "points", "budget": "", "family": "", "size": "",
    "recipe": "mini", "model": "mini-small", "mixture": "", "a": "nine", "b": "none", "outcome": "zero-shot",
    "target": "tydiqa", "targets": 1, "languages": 6, "n": 1500, "clusters": 1500, "runs_a": 3, "runs_b": 3,
    "chosen": "", "collapsed": 0, "runs_used": "all", "estimate": 5.0, "low": 3.0, "high": 7.0,
    "interval": "runs and examples", "standard_error": 1.0, "degrees": 8.0, "run_part": 0.8, "example_part": 0.6,
    "run_sd": 1.0, "run_variance": 2.0, "run_degrees": 2.0, "p": 0.001, "p_holm": None,
    "verdict": "higher", "detectable": 3.0, "runs_needed": None, "expected": "", "emerged": "",
}  # fmt: skip


def pilot(folder: Path, *rows: dict[str, Any], study: str = "pilot", plan: StudyPlan | None = None) -> Path:
    """Write the outputs of a study into a folder: its plan, and estimates with these values in place of usual ones.

    Without a plan it compares nothing of which examples are known.
    """
    folder.mkdir()
    table = pd.DataFrame([{"row": number, **_USUAL, **row} for number, row in enumerate(rows, 1)])
    optional = {column.name: float for column in estimates.COLUMNS if column.optional and column.name in table}
    missing = {column.name: float("nan") for column in estimates.COLUMNS if column.name not in table}
    estimates.write(table.assign(**missing).astype(optional), folder / estimates.FILE)
    (folder / study_plans.FILE).write_text(
        study_plans.text(dataclasses.replace(plan or study_plan(targets={}), study=study))
    )
    return folder
