"""Analyses, and planted effects, of plans of any size, made by formulas for figures."""

import math
from collections.abc import Sequence
from dataclasses import replace
from itertools import product
from typing import Any

import pandas as pd
from xstilts.evaluation.analyses import cost, layer_sweep
from xstilts.evaluation.analyses.measured import arms_of, table_of
from xstilts.store.specs import to_json
from xstilts.store.specs.data import TrainingFile
from xstilts.store.study_plan import NONE, PlannedNode, StudyPlan

from tests.builders.predicted import training_data

VERDICTS = ("higher", "undecided", "lower", "equivalent")


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
