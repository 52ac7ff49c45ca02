"""Tables of analyses made by hand: mixture sizes and learning curves."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from xstilts.evaluation.analyses import learning_curves, measured, mixture_size
from xstilts.store.study_plan import NONE, StudyPlan

_SIZE: dict[str, Any] = {
    "kind": "size", "model": "small", "recipe": "r", "mixture": "mnli", "whole": "nine", "tasks": 1, "left_out": "",
    "outcome": "zero-shot", "target": "", "score": 50.0, "runs": 2, "row": 1, "scale": "points", "estimate": 1.5,
    "low": -0.5, "high": 3.5, "interval": "runs and examples", "runs_a": 2, "runs_b": 2, "collapsed": 0, "n": 100,
    "clusters": 100, "verdict": "undecided",
}  # fmt: skip
_POINT: dict[str, Any] = {
    "node": "targets/1", "name": "small.r.none.s1.xnli", "phase": "target", "worlds": "", "models": "small",
    "recipes": "r", "mixtures": "none", "seeds": "1", "targets": "xnli", "curve": "dev score", "task": "xnli",
    "metric": "accuracy", "step": 10, "value": 50.0,
}  # fmt: skip


def mixture_sizes(*rows: Mapping[str, Any]) -> pd.DataFrame:
    """Return a table of mixture sizes: rows by what differs from the gain of a single task, which is undecided."""
    return measured.table_of([{**_SIZE, **row} for row in rows], mixture_size.COLUMNS)


def learning(*rows: Mapping[str, Any]) -> pd.DataFrame:
    """Return a table of learning curves: rows by what differs from a point of a dev score of the target phase."""
    return measured.table_of([{**_POINT, **row} for row in rows], learning_curves.COLUMNS)


def mixture_sizes_of(plan: StudyPlan, **changes: Any) -> pd.DataFrame:
    """Return the sizes of a study whose last mixture has all tasks and whose others have one, and what it loses."""
    *singles, whole = [mixture for mixture in plan.mixtures if mixture != NONE] or [NONE]
    verdicts = ("higher", "undecided", "lower", "equivalent")
    rows = []
    for model in dict.fromkeys(cell.model for cell in plan.cells) if singles else ():
        for number, mixture in enumerate([*singles, whole]):
            tasks = len(singles) if mixture == whole else 1
            parts = [{"mixture": mixture, "tasks": tasks, "whole": whole}]
            if mixture != whole:
                lacking = {"kind": "leave one out", "left_out": f"task_{number}", "tasks": len(singles) - 1}
                parts.append({"mixture": f"without {mixture}", "whole": whole, **lacking})
            for part, target in ((part, target) for part in parts for target in ("", *plan.targets)):
                place = {"estimate": 2.0 * number - 3, "low": 2.0 * number - 6.3, "high": 2.0 * number + 0.3}
                rows.append(
                    {"model": model, **part, "target": target, **place, "verdict": verdicts[number % 4], **changes}
                )
    return mixture_sizes(*rows)


def learning_of(plan: StudyPlan, steps: Sequence[int] = (10, 20, 30)) -> pd.DataFrame:
    """Return dev scores of a study's first target, and of the first model's intermediate phase, by a formula."""
    rng = np.random.default_rng(1)
    first, target = plan.cells[0].model, next(iter(plan.targets))
    points = []
    for number, cell in enumerate(cell for cell in plan.cells if cell.target == target):
        both = cell.model == first and cell.mixture != NONE
        for phase in ("intermediate", "target") if both else ("target",):
            same = {
                "node": f"{phase}/{number}", "phase": phase, "models": cell.model, "mixtures": cell.mixture,
                "targets": cell.target if phase == "target" else ", ".join(plan.targets),
            }  # fmt: skip
            values = 50 + list(plan.mixtures).index(cell.mixture) + np.sqrt(steps) + rng.normal(size=len(steps))
            points += [{**same, "step": step, "value": value} for step, value in zip(steps, values, strict=True)]
    return learning(*points)
