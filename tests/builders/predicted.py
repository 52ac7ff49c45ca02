"""Studies whose predictions are made by hand: a plan, and the files that jobs leave behind of every run."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from xstilts.phase import Optimisation
from xstilts.store import manifest
from xstilts.store.manifest import DevScores, EvaluatedSplit, EvaluationResults, Run
from xstilts.store.sampling import Sampling
from xstilts.store.specs import to_json
from xstilts.store.specs.data import EvaluationDataSpec, Reading
from xstilts.store.specs.evaluation import PredictionsSpec
from xstilts.store.specs.models import Method, Numerics, TargetSpec, TaskSpec
from xstilts.store.study_plan import Cell, PlannedNode, PlannedTarget, StudyPlan

from tests.builders.study_plans import study_plan

NUMERICS = Numerics(submodel=None, dtype="float32", precision="float32")
READING = Reading(
    reader="jsonl", header=None, columns={}, values={}, labels=None, drop_labels=(), unanswerable="refuse"
)


@dataclass
class Predicted:
    """A study in the making.

    Attributes:
        results: the results folder.
        targets: of the study.
        mixtures: intermediate tasks by mixture.
        parallel: targets whose languages have the same examples.
        clusters: examples in a cluster.
        tag: ends the names of the nodes of runs, so that those of two studies differ.
        data_tag: the same of prepared data.
    """

    results: Path
    targets: Mapping[str, PlannedTarget]
    mixtures: Mapping[str, tuple[str, ...]]
    parallel: Sequence[str] = ()
    clusters: int = 1
    tag: str = ""
    data_tag: str = ""
    cells: list[Cell] = field(default_factory=list)
    nodes: dict[str, PlannedNode] = field(default_factory=dict)

    def add(
        self,
        arm: tuple[str, str],
        seed: int,
        target: str,
        answers: Mapping[str, Mapping[str, Sequence[float]]],
        dev: float | None = 50.0,
        collapsed: bool = False,
        recipe: str = "r",
    ) -> None:
        """Add the predictions of a run for a target.

        Args:
            arm: model and mixture.
            seed: of the run.
            target: the target.
            answers: by language and statistic the statistic of each example.
            dev: score on dev rows by the headline metric; None for a target that is not trained.
            collapsed: whether the run collapsed.
            recipe: the recipe.
        """
        frames = [predictions(language, columns, self.clusters) for language, columns in answers.items()]
        self.add_table(arm, seed, target, pd.concat(frames, ignore_index=True), dev, collapsed, recipe)

    def add_table(
        self,
        arm: tuple[str, str],
        seed: int,
        target: str,
        table: pd.DataFrame,
        dev: float | None = 50.0,
        collapsed: bool = False,
        recipe: str = "r",
    ) -> None:
        """Add the predictions of a run for a target, as ``add``, by their table."""
        model, mixture = arm
        trained = dev is not None or mixture != "none"
        name = ".".join([model, recipe, mixture, f"s{seed}" if trained else "all", target]) + self.tag
        node = f"predictions/{name}"
        self.cells.append(Cell(model, recipe, "full", mixture, seed, target, node))
        if node in self.nodes:
            return
        self._prepared(target)
        entry = self.targets[target]
        # targets that train on the same data have one training
        task = trained_task(entry)
        own = f"targets/{model}.{recipe}.{mixture}.s{seed}.{task}{self.tag}"
        training = {}
        if mixture != "none":
            training[f"intermediate/{model}.{recipe}.{mixture}.s{seed}"] = run({})
        if dev is not None:
            training[own] = run({task: {entry.metric: dev}}, collapsed)
            self.nodes[own] = PlannedNode("", (name,), to_json(target_spec(entry, seed)))
        parents = {"tokens": f"tokens/{target}{self.data_tag}", "model": own if dev is not None else f"models/{model}"}
        self.nodes[node] = PlannedNode("", (name,), {"parents": parents})
        folder = self.results / node
        folder.mkdir(parents=True)
        table.to_parquet(folder / "predictions.parquet", index=False)
        spec = PredictionsSpec(
            version=1, parents=parents, form=entry.form, labels=None, trained_on=entry.task, decoding={}, scoring=None,
            numerics=NUMERICS,
        )  # fmt: skip
        languages = dict.fromkeys(table["language"])
        splits = {language: EvaluatedSplit(split="test", official=True, sample=False) for language in languages}
        stated = EvaluationResults(fingerprint={}, training=training, collapsed=collapsed, splits=splits)
        (folder / "manifest.json").write_text(manifest.text(spec, {}, stated))

    def _prepared(self, target: str) -> None:
        evaluation = EvaluationDataSpec(
            version=1, parents={}, task=self.targets[target].task, form=self.targets[target].form, labels=None,
            task_version=1, reading=READING, languages={}, test_rows=None, cluster_rows=1,
            parallel=target in self.parallel,
        )  # fmt: skip
        prepared, tokens = (f"{stage}/{target}{self.data_tag}" for stage in ("prepared", "tokens"))
        self.nodes[prepared] = PlannedNode("", (target,), to_json(evaluation))
        self.nodes[tokens] = PlannedNode("", (target,), {"parents": {"prepared": prepared}})

    def plan(self, **changes: Any) -> StudyPlan:
        """Return the plan."""
        usual = {"targets": self.targets, "mixtures": self.mixtures, "cells": tuple(self.cells)}
        return study_plan(self.nodes, **usual | changes)


def run(dev: Mapping[str, Mapping[str, float]], collapsed: bool = False) -> Run:
    """Return a training run with these scores on dev rows, by task and metric."""
    scores = {task: DevScores(scores=of_task, collapsed=collapsed) for task, of_task in dev.items()}
    return Run(steps_done=1, best_step=1, dev=scores, tasks={}, collapsed=collapsed)


def trained_task(target: PlannedTarget) -> str:
    """Return the task that a target is trained on: the last of its stages, its own where it names none."""
    return target.trained_on[-1] if target.trained_on else target.task


def target_spec(target: PlannedTarget, seed: int) -> TargetSpec:
    """Return the spec of a target's training."""
    task = TaskSpec(
        task=trained_task(target), form=target.form, labels=None, decoding={}, scoring=None, metric=target.metric,
        epochs=1, batch_size=1, weight=1,
    )  # fmt: skip
    optimisation = Optimisation(
        warmup=0.1, weight_decay=0, adam_beta2=0.999, adam_epsilon=1e-8, gradient_norm=1.0, frozen_embeddings=False,
        compile=False,
    )  # fmt: skip
    return TargetSpec(
        version=1, parents={}, tasks=[task], sampling=Sampling(), learning_rate=1e-5, optimisation=optimisation,
        method=Method(name="full"), numerics=NUMERICS, early_stopping=None, warm_start_head=None, seed=seed,
    )  # fmt: skip


def predictions(language: str, columns: Mapping[str, Sequence[float]], clusters: int = 1) -> pd.DataFrame:
    """Return predictions in a language with these statistics; so many examples are a cluster."""
    rows = len(next(iter(columns.values())))
    numbers = range(rows)
    return pd.DataFrame(
        {
            "example_id": [str(number) for number in numbers],
            "cluster_id": [str(number // clusters) for number in numbers],
            "language": language, "split": "test", "prediction": "", "gold": "",
            **{f"stat_{name}": np.asarray(values, dtype=float) for name, values in columns.items()},
        }
    )  # fmt: skip


def correct(rows: int, right: int) -> dict[str, list[float]]:
    """Return answers of which the first ones are right."""
    return {"correct": [1.0] * right + [0.0] * (rows - right)}
