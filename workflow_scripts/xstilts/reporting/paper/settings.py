"""The table of settings: how the models of a study were trained, by phase, recipe and training set."""

import re
from collections.abc import Iterable

import pandas as pd

from xstilts.reporting.layout import Shown
from xstilts.reporting.paper.trainings import INTERMEDIATE, Training, Trainings
from xstilts.reporting.wording import listed
from xstilts.store.specs.models import Method

# what is not the same of all runs of a training set
_STEPS, _MODEL = "steps", "model"
_RATE = "learning rate"
_HEADER = [
    "phase",
    "recipe",
    "model",
    "trained on",
    "method",
    _RATE,
    "examples a step",
    "epochs",
    "steps",
    "tokens",
    "warm-up",
    "weight decay",
    "step kept",
]


def table(trainings: Trainings) -> Shown | None:
    """Return the table of settings; None for a study in which nothing is trained."""
    groups: dict[tuple[str, ...], list[Training]] = {}
    for training in trainings.phases:
        groups.setdefault(tuple(_settings(training)), []).append(training)
    if not groups:
        return None
    models = {recipe: {one.model for one in trainings.phases if one.recipe == recipe} for recipe in _recipes(trainings)}
    rows = []
    for cells, members in groups.items():
        row = dict(zip([name for name in _HEADER if name not in (_STEPS, _MODEL)], cells, strict=True))
        trained = dict.fromkeys(one.model for one in members)
        row[_MODEL] = "all" if set(trained) == models[row["recipe"]] else ", ".join(trained)
        found = {rate for one in members if (rate := trainings.rate_found(one)) is not None}
        if found:
            row[_RATE] = f"{', '.join(map(number, sorted(found)))} ({row[_RATE]})"
        row[_STEPS] = span(trainings.runs[one.node].steps_done for one in members if one.node in trainings.runs)
        rows.append([row[name] for name in _HEADER])
    caption = (
        "settings of the trainings. Steps are optimiser steps that were done; tokens are the most that an instance has;"
        " warm-up is the share of the steps in which the learning rate rises."
    )
    return Shown(pd.DataFrame(rows, columns=_HEADER), (_HEADER, rows), caption)


def _recipes(trainings: Trainings) -> list[str]:
    return list(dict.fromkeys(training.recipe for training in trainings.phases))


def _settings(training: Training) -> list[str]:
    """Return the cells of a training but its model and its steps."""
    spec = training.spec
    rates = ", ".join(map(number, training.learning_rates))
    searched = "best of " if len(training.learning_rates) > 1 else ""
    stopping = spec.early_stopping
    kept = "last" if stopping is None else f"best of every {stopping.evaluate_every}"
    if stopping is not None and stopping.patience is not None:
        kept += f", ends after {stopping.patience} without a gain"
    mixture_steps = training.phase == INTERMEDIATE and spec.sampling.steps is not None
    return [
        training.phase,
        training.recipe,
        training.trained_on,
        method(spec.method),
        f"{searched}{rates}",
        span(task.batch_size for task in spec.tasks),
        "–" if mixture_steps else span(task.epochs for task in spec.tasks),
        span(training.lengths),
        f"{100 * spec.optimisation.warmup:g} %",
        number(spec.optimisation.weight_decay),
        kept,
    ]


def method(method: Method) -> str:
    """Return a fine-tuning method with its own settings, such as ``lora (rank 16, alpha 16, dropout 0)``."""
    values = {
        "rank": method.rank, "alpha": method.alpha, "dropout": method.dropout, "prompt length": method.prompt_length,
    }  # fmt: skip
    stated = [f"{name} {value:g}" for name, value in values.items() if value is not None]
    if method.modules is not None:
        stated.append(f"modules {method.modules if isinstance(method.modules, str) else listed(method.modules)}")
    return f"{method.name} ({', '.join(stated)})" if stated else method.name


def number(value: float) -> str:
    """Return a setting as people write it, such as ``1e-5`` or ``0.01``."""
    return re.sub(r"e([+-])0+", r"e\1", f"{value:g}")


def span(values: Iterable[float]) -> str:
    """Return a number, or the range of several; a dash for none."""
    ordered = sorted(values)
    if not ordered:
        return "–"
    first, last = f"{ordered[0]:,g}", f"{ordered[-1]:,g}"
    return first if first == last else f"{first} to {last}"
