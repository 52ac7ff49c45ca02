"""Inputs of figures: studies of any size with scores made by a formula, and estimates to go with them."""

import math
from collections.abc import Iterable, Sequence
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
from xstilts.reporting.figures.inputs import FigureInputs
from xstilts.reporting.figures.options import WIDTHS, Options
from xstilts.store.answer import Answer, Budget, Family
from xstilts.store.study_plan import NONE, Cell, PlannedTarget, StudyPlan

from tests.builders.estimates import estimates
from tests.builders.figure_analyses import (
    VERDICTS,
    cost_of,
    language_gains_of,
    layer_sweep_of,
    learning_of,
    mixture_sizes_of,
    planted_nodes,
    planted_of,
)
from tests.builders.study_plans import planned, study_plan

LANGUAGES = (
    *("en", "af", "ar", "az", "bg", "bn", "de", "el", "es", "et", "eu", "fa", "fi", "fr", "gu", "he", "hi", "ht"),
    *("hu", "id", "it", "ja", "jv", "ka", "kk", "ko", "lt", "ml", "mr", "ms", "my", "nl", "pa", "pl", "pt", "qu"),
    *("ro", "ru", "sw", "ta", "te", "th", "tl", "tr", "uk", "ur", "vi", "wo", "yo", "zh"),
)
TARGETS = {
    "xnli": PlannedTarget("xnli", "classification", "accuracy", "en", "mirror"),
    "xquad": PlannedTarget("xquad", "span", "f1", "en", "mirror"),
}


def plan_of(
    models: Sequence[str], mixtures: Sequence[str], seeds: Sequence[int], worlds: Sequence[int] = (), **changes: Any
) -> StudyPlan:
    """Return the plan of a study on XNLI and XQuAD; its answer is the last mixture against others, models in pairs."""
    cells = [
        Cell(model, "r", "full", mixture, seed, target, f"predictions/{target}", world)
        for world, model, mixture, seed, target in product(worlds or [None], models, mixtures, seeds, TARGETS)
    ]
    singles = tuple(mixture for mixture in mixtures if mixture not in (NONE, mixtures[-1]))
    families = {
        f"family {index}": Family(small=models[index], large=_at(models, index + 1))
        for index in range(0, len(models), 2)
    }
    answer = Answer(
        budgets={"equal epochs": Budget(multi=mixtures[-1], single="best", singles=singles)},
        families=families,
        recipes=("r",),
    )
    usual: dict[str, Any] = {
        "targets": TARGETS,
        "mixtures": {mixture: () if mixture == NONE else (mixture,) for mixture in mixtures},
        "cells": tuple(cells),
        "answer": answer if singles else None,
    }
    nodes = {
        "predictions/xnli": planned("xnli", labels=["a", "b", "c"]),
        "predictions/xquad": planned("xquad", labels=None),
    }
    return study_plan(nodes | planted_nodes([one for one in mixtures if one != NONE]), **usual | changes)


def _at(models: Sequence[str], index: int) -> str | None:
    return models[index] if index < len(models) else None


def scores_of(plan: StudyPlan, languages: Iterable[str]) -> pd.DataFrame:
    """Return scores of all cells: 40 and more, with a gain by mixture and noise by run."""
    rng = np.random.default_rng(0)
    rows = []
    for cell, (place, language) in product(plan.cells, enumerate(languages)):
        base = 40 + 20 / (1 + place) + 2 * list(plan.mixtures).index(cell.mixture) + rng.normal()
        rows.append(
            {
                **cell.at(plan.axes), "language": language, "metric": plan.targets[cell.target].metric,
                "headline": True, "score": base, "n": 100, "split": "test", "official": True, "sample": False,
                "collapsed": False,
            }
        )  # fmt: skip
    return pd.DataFrame(rows)


def gains_of(plan: StudyPlan, **changes: Any) -> list[dict[str, Any]]:
    """Return rows of estimates: the gain of every mixture in every model, on all targets and on each."""
    models = dict.fromkeys(cell.model for cell in plan.cells)
    mixtures = [mixture for mixture in plan.mixtures if mixture != NONE]
    rows = []
    for number, (model, mixture, target) in enumerate(product(models, mixtures, ("", *plan.targets))):
        value = {"higher": 12.3, "lower": -11.1, "equivalent": 0.0, "undecided": 1.5}[VERDICTS[number % 4]]
        rows.append(
            {
                "name": "gain over none", "primary": False, "budget": "", "family": "", "size": "", "model": model,
                "a": mixture, "b": NONE, "target": target, "targets": 1 if target else len(plan.targets),
                "estimate": value, "low": value - 3.3, "high": value + 3.3, "verdict": VERDICTS[number % 4], **changes,
            }
        )  # fmt: skip
    return rows


def answer_of(plan: StudyPlan, **changes: Any) -> list[dict[str, Any]]:
    """Return rows of estimates: the differences of the study's answer on its main outcome, and the interactions."""
    rows: list[dict[str, Any]] = []
    answer = plan.answer
    assert answer is not None
    ((budget, arms),) = answer.budgets.items()
    for family, sizes in answer.families.items():
        chosen = ", ".join(f"{single} 1" for single in arms.singles)
        same = {
            "budget": budget,
            "family": family,
            "a": arms.multi,
            "b": "best single",
            "target": "",
            "chosen": chosen,
            **changes,
        }
        found = {"small": sizes.small, "large": sizes.large}
        rows += [{**same, "size": size, "model": model} for size, model in found.items() if model]
        if sizes.small and sizes.large:
            rows.append({**same, "kind": "interaction", "size": "", "model": ""})
    return rows


def inputs_of(
    plan: StudyPlan, languages: Sequence[str] = ("en", "de", "hi"), width: float = WIDTHS["page"], **options: Any
) -> FigureInputs:
    """Return inputs of figures of a plan: with one run an arm no estimate has a verdict."""
    one_run = len({cell.seed for cell in plan.cells}) == 1
    changes: dict[str, Any] = {"verdict": "", "interval": "examples only", "runs_a": 1, "runs_b": 1} if one_run else {}
    rows = gains_of(plan, **changes) + (answer_of(plan, **changes) if plan.answer else [])
    rows += planted_of(plan, **changes)
    scores = scores_of(plan, languages)
    return FigureInputs(
        plan=plan,
        scores=scores,
        estimates=estimates(*({"world": math.nan, **row} for row in rows)),
        analyses={
            "mixture_size": mixture_sizes_of(plan, **changes),
            "learning_curves": learning_of(plan),
            "layer_sweep": layer_sweep_of(plan),
            "cost": cost_of(plan, bool(changes)),
            "language_gains": language_gains_of(scores),
        }.__getitem__,
        options=Options(width=width, palette="vlag", **options),
    )
