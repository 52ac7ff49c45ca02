"""Learning curves: dev score and training loss by step of every training whose history is there."""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from xstilts.errors import reading
from xstilts.evaluation import trainings
from xstilts.evaluation.analyses import measured
from xstilts.evaluation.table import Column, Table
from xstilts.forms import metric_named
from xstilts.forms.declaration import PERCENT
from xstilts.store.files import read_json
from xstilts.store.node import HISTORY
from xstilts.store.specs.models import TrainingSpec
from xstilts.store.study_plan import Cell, StudyPlan

# curves
DEV_SCORE, TRAINING_LOSS = "dev score", "training loss"
_SHARED = ("world", "model", "recipe", "mixture", "seed", "target")
COLUMNS = (
    Column("node", "text", "the training: its id, a path below the results folder"),
    Column("name", "text", "what the study calls it, of several names the first"),
    Column("phase", "text", "pretraining, intermediate or target"),
    Column("worlds", "text", "worlds of the cells that it is behind, joined by commas; empty in a study of one"),
    Column("models", "text", "models of these cells"),
    Column("recipes", "text", "recipes of these cells"),
    Column("mixtures", "text", "mixtures of these cells"),
    Column("seeds", "text", "seeds of these cells"),
    Column("targets", "text", "targets of these cells: an intermediate training has all of them"),
    Column("curve", "text", "dev score: by which the step is chosen that is kept; or training loss"),
    Column("task", "text", "the task; empty for a dev score that is the mean over several"),
    Column("metric", "text", "of a dev score the metric, of a mean over tasks the metrics; `loss` of a training loss"),
    Column("step", "integer", "optimiser steps done"),
    Column(
        "value",
        "number",
        "of a dev score in percent, or minus the loss where that is the metric; a training loss is in nats, the mean"
        " over steps since the row before",
    ),
)
TABLE = Table("learning curves", COLUMNS)


def collect(plan: StudyPlan, results: Path, estimates: pd.DataFrame, scores: pd.DataFrame) -> pd.DataFrame:
    """Return the curves of the trainings behind a study's cells, in the order in which they are planned.

    Args:
        plan: the study's plan.
        results: the results folder.
        estimates: the table of estimates.
        scores: the table of scores.
    """
    cells: dict[str, list[Cell]] = {}
    phases: dict[str, str] = {}
    for cell in plan.cells:
        for training in trainings.behind(plan, cell.node):
            cells.setdefault(training.node, []).append(cell)
            phases[training.node] = training.phase
    rows = []
    for node in (node for node in plan.nodes if node in cells):
        path = results / node / HISTORY
        if path.exists():
            described = {"node": node, "name": plan.nodes[node].names[0], "phase": phases[node], **_shared(cells[node])}
            spec = plan.nodes[node].spec
            assert isinstance(spec, TrainingSpec)
            with reading(path):
                rows += [described | point for point in _points(read_json(path), spec)]
    return measured.table_of(rows, COLUMNS)


def _shared(cells: Iterable[Cell]) -> dict[str, str]:
    """Return what the cells have on each axis, as text."""
    values: dict[str, dict[str, None]] = {axis: {} for axis in _SHARED}
    for cell in cells:
        for axis, of_axis in values.items():
            of_axis[str(getattr(cell, axis))] = None
    if set(values["world"]) == {"None"}:
        values["world"] = {}
    return {f"{axis}s": ", ".join(of_axis) for axis, of_axis in values.items()}


def _points(history: Mapping[str, Any], spec: TrainingSpec) -> Iterator[dict[str, Any]]:
    """Yield the points of a training's curves; a task of which no step was drawn has no loss there."""
    task = spec.tasks[0].task if len(spec.tasks) == 1 else ""
    metrics = dict.fromkeys(one.metric for one in spec.tasks)
    # a mean over tasks is over those in percent where there are any
    metric = ", ".join([name for name in metrics if metric_named(name).unit == PERCENT] or metrics)
    for noted in history["evaluations"]:
        yield _point(DEV_SCORE, task, metric, noted["step"], noted["score"])
    for noted in history["losses"]:
        for name in (name for name in noted if name != "step"):
            yield _point(TRAINING_LOSS, name, "loss", noted["step"], noted[name])


def _point(curve: str, task: str, metric: str, step: int, value: float) -> dict[str, Any]:
    return {"curve": curve, "task": task, "metric": metric, "step": step, "value": float(value)}
