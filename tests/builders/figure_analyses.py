"""Analyses, and planted effects, for figures: of plans of any size by formulas, and tables by hand."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
from xstilts.evaluation.analyses import cost, layer_sweep, learning_curves, mixture_size
from xstilts.evaluation.analyses.measured import arms_of, table_of
from xstilts.store.specs import to_json
from xstilts.store.specs.data import TrainingFile
from xstilts.store.study_plan import NONE, PlannedNode, StudyPlan

from tests.builders.predicted import training_data

VERDICTS = ("higher", "undecided", "lower", "equivalent")
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


def layer_sweep_of(plan: StudyPlan) -> pd.DataFrame:
    """Return a layer sweep of the first target: models of 6 and of 12 layers in turn, scored at two thirds of them.

    A study of ``none`` alone has none.
    """
    arms = arms_of(plan) if set(plan.mixtures) != {NONE} else []
    models = list(dict.fromkeys(arm.model for arm in arms))
    rows = []
    for number, arm in enumerate(arms):
        depth = 6 + 6 * (models.index(arm.model) % 2)
        for layer in range(depth + 1):
            score = 30 * math.sin(2.5 * layer / depth) + 5 + number % len(plan.mixtures)
            what = {"target": next(iter(plan.targets)), "layer": layer, "scored": layer == depth * 2 // 3}
            rows.append({**arm._asdict(), **what, "score": score, "low": score - 2, "high": score + 1.5,
                         "runs": len({cell.seed for cell in plan.cells}), "chance": 1.5})  # fmt: skip
    return table_of(rows, layer_sweep.COLUMNS)


def cost_of(plan: StudyPlan, one_run: bool) -> pd.DataFrame:
    """Return the cost of all arms: more of larger models and later mixtures; the time of every fifth is in two units.

    Args:
        plan: the study's plan.
        one_run: whether no estimate has a verdict.
    """
    arms = arms_of(plan)
    models, mixtures = (list(dict.fromkeys(getattr(arm, axis) for arm in arms)) for axis in ("model", "mixture"))
    interval = "examples only" if one_run else "runs and examples"
    rows = []
    for number, arm in enumerate(arms):
        place, is_mixed = mixtures.index(arm.mixture), number % 5 == 4
        unit, factor = ("mixed", math.nan) if is_mixed else ("GPU-seconds", 60.0 * 2 ** models.index(arm.model))
        gain = {"row": number, "estimate": 1.7 * place - 4, "low": 1.7 * place - 6, "high": 1.7 * place - 1,
                "interval": interval, "runs_a": 2, "runs_b": 2, "collapsed": 0, "n": 100, "clusters": 100,
                "verdict": "" if one_run else VERDICTS[number % 4]}  # fmt: skip
        no_gain = {key: math.nan if isinstance(value, int | float) else "" for key, value in gain.items()}
        rows.append(
            {
                **arm._asdict(), "runs": 2, "unit": unit, "hardware": "a GPU", "intermediate": factor * place,
                "target": factor * 3, "trainings": 3, "measured": 3, "outcome": "zero-shot", "scale": "points",
                **(no_gain if arm.mixture == NONE else gain),
            }
        )  # fmt: skip
    return table_of(rows, cost.COLUMNS)


def doses(mixtures: Sequence[str]) -> dict[str, int]:
    """Return the doses of mixtures: from 0 to 100 percent in equal steps."""
    return {mixture: 100 * place // max(1, len(mixtures) - 1) for place, mixture in enumerate(mixtures)}


def planted_nodes(mixtures: Sequence[str]) -> dict[str, PlannedNode]:
    """Return the nodes of the training data of tasks with planted effects, each called as a mixture of it alone."""
    found = {}
    for mixture, dose in doses(mixtures).items():
        file = TrainingFile(file=f"planted/qa-a-{dose}.train.json", rows=None, sample=False)
        spec = replace(training_data(mixture, "en"), splits={"train": [file]})
        found[f"prepared/{mixture}"] = PlannedNode("", (mixture,), to_json(spec))
    return found


def planted_of(plan: StudyPlan, **changes: Any) -> list[dict[str, Any]]:
    """Return rows of estimates: mixtures with a dose minus the first one, and the same in each world."""
    mixtures = [mixture for mixture in plan.mixtures if f"prepared/{mixture}" in plan.nodes]
    models = dict.fromkeys(cell.model for cell in plan.cells)
    rows = []
    for number, (model, mixture) in enumerate(product(models, mixtures[1:])):
        value = 0.12 * doses(mixtures)[mixture] - number % 3
        same = {"name": "planted", "primary": False, "budget": "", "family": "", "size": "", "model": model,
                "a": mixture, "b": mixtures[0], "target": "", "targets": len(plan.targets)}  # fmt: skip
        verdict = VERDICTS[number % 4]
        estimate = {"estimate": value, "low": value - 3, "high": value + 3, "verdict": verdict, **changes}
        rows.append({**same, **estimate})
        rows += [{**same, **estimate, "estimate": value + world % 2, "world": float(world)} for world in plan.worlds]
    return rows


def language_gains_of(scores: pd.DataFrame) -> pd.DataFrame:
    """Return the analysis of gains by language, with intervals of six points; the first language is the source."""
    keys = ["model", "recipe", "target", "metric", "language"]
    means = scores.groupby([*keys, "mixture"], sort=False, as_index=False)["score"].mean()
    baselines = means[means["mixture"] == NONE].set_index(keys)["score"].rename("baseline")
    found = means[means["mixture"] != NONE].join(baselines, on=keys)
    gain, several = found["score"] - found["baseline"], scores["seed"].nunique() > 1
    return found.assign(
        world=math.nan,
        role=np.where(found["language"] == scores["language"].iloc[0], "source", "other"),
        chance=found["target"].map({"xnli": 100 / 3}),
        gain=gain,
        low=gain - 3,
        high=gain + 3,
        interval="runs and examples" if several else "examples only",
        verdict=np.where(gain > 3, "higher", "undecided") if several else "",
    )


def mixture_sizes(*rows: Mapping[str, Any]) -> pd.DataFrame:
    """Return a table of mixture sizes: rows by what differs from the gain of a single task, which is undecided."""
    return table_of([{**_SIZE, **row} for row in rows], mixture_size.COLUMNS)


def learning(*rows: Mapping[str, Any]) -> pd.DataFrame:
    """Return a table of learning curves: rows by what differs from a point of a dev score of the target phase."""
    return table_of([{**_POINT, **row} for row in rows], learning_curves.COLUMNS)


def mixture_sizes_of(plan: StudyPlan, **changes: Any) -> pd.DataFrame:
    """Return the sizes of a study whose last mixture has all tasks and whose others have one, and what it loses."""
    *singles, whole = [mixture for mixture in plan.mixtures if mixture != NONE] or [NONE]
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
                    {"model": model, **part, "target": target, **place, "verdict": VERDICTS[number % 4], **changes}
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
