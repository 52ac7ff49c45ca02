"""Studies whose predictions are made by hand: a plan, and the files that jobs leave behind of every run."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pandas as pd
from xstilts.phase import Optimisation
from xstilts.references import in_language, parse_reference
from xstilts.store import manifest
from xstilts.store.manifest import DevScores, EvaluatedSplit, EvaluationResults, Run
from xstilts.store.sampling import Sampling
from xstilts.store.specs import to_json
from xstilts.store.specs.data import Content, EvaluationDataSpec, EvaluationFiles, Reading, TrainingDataSpec, UnionSpec
from xstilts.store.specs.evaluation import PredictionsSpec
from xstilts.store.specs.models import (
    IntermediateSpec,
    MergedSpec,
    Merging,
    Method,
    ModelSpec,
    Numerics,
    TargetSpec,
    TaskSpec,
)
from xstilts.store.study_plan import Cell, PlannedNode, PlannedTarget, StudyPlan

from tests.builders.study_plans import study_plan

T = TypeVar("T", IntermediateSpec, TargetSpec)
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
        shuffled: mixtures whose rows have each other's labels.
        languages: of a mixture's rows, where they are not those of its references.
        merged: mixtures whose model is merged of those of other mixtures.
        tag: ends the names of the nodes of runs, so that those of two studies differ.
        data_tag: the same of prepared data.
    """

    results: Path
    targets: Mapping[str, PlannedTarget]
    mixtures: Mapping[str, tuple[str, ...]]
    parallel: Sequence[str] = ()
    clusters: int = 1
    shuffled: Collection[str] = ()
    languages: Mapping[str, Sequence[str]] = field(default_factory=dict)
    merged: Mapping[str, Sequence[str]] = field(default_factory=dict)
    tag: str = ""
    data_tag: str = ""
    cells: list[Cell] = field(default_factory=list)
    nodes: dict[str, PlannedNode] = field(default_factory=dict)

    def add(
        self,
        arm: tuple[str, str],
        seed: int,
        target: str,
        answers: Mapping[str, Mapping[str, Sequence[Any]]],
        dev: float | None = 50.0,
        collapsed: bool = False,
        recipe: str = "r",
    ) -> None:
        """Add the predictions of a run for a target.

        Args:
            arm: model and mixture.
            seed: of the run.
            target: the target.
            answers: by language and statistic the statistic of each example; ``prediction`` and ``gold`` are texts.
            dev: score on dev rows by the headline metric; None for a target that is not trained.
            collapsed: whether the run collapsed.
            recipe: the recipe.
        """
        frames = [predictions(language, columns, self.clusters) for language, columns in answers.items()]
        self.add_table(arm, seed, target, pd.concat(frames, ignore_index=True), dev, collapsed, recipe, answers)

    def add_table(
        self,
        arm: tuple[str, str],
        seed: int,
        target: str,
        table: pd.DataFrame,
        dev: float | None = 50.0,
        collapsed: bool = False,
        recipe: str = "r",
        languages: Iterable[str] = (),
    ) -> None:
        """Add the predictions of a run for a target, as ``add``, by their table; of these languages, if named."""
        model, mixture = arm
        has_seed = dev is not None or mixture != "none"
        name = ".".join([model, recipe, mixture, f"s{seed}" if has_seed else "all", target]) + self.tag
        node = f"predictions/{name}"
        self.cells.append(Cell(model, recipe, "full", mixture, seed, target, node))
        if node in self.nodes:
            return
        languages = dict.fromkeys(languages or table["language"])
        self._prepared(target, languages)
        entry = self.targets[target]
        # targets that train on the same data have one training
        task = trained_task(entry)
        own = f"targets/{model}.{recipe}.{mixture}.s{seed}.{task}{self.tag}"
        training, start = {}, f"models/{model}"
        published = ModelSpec(version=1, parents={}, source=Content(kind="hub", files={}))
        self.nodes.setdefault(start, PlannedNode("", (model,), to_json(published)))
        if mixture != "none":
            trained = {
                one: f"intermediate/{model}.{recipe}.{one}.s{seed}" for one in self.merged.get(mixture, [mixture])
            }
            for one, before in trained.items():
                training[before] = run({})
                self._intermediate(before, one, seed, {"model": f"models/{model}"})
            start = trained.get(mixture, f"merged/{model}.{recipe}.{mixture}.s{seed}")
            if mixture in self.merged:
                self.nodes[start] = PlannedNode("", (start,), to_json(merged_spec(model, list(trained.values()))))
        if dev is not None:
            training[own] = run({task: {entry.metric: dev}}, collapsed)
            self.nodes[own] = PlannedNode("", (name,), to_json(target_spec(entry, seed, {"model": start})))
        parents = {"tokens": f"tokens/{target}{self.data_tag}", "model": own if dev is not None else start}
        folder = self.results / node
        folder.mkdir(parents=True)
        table.to_parquet(folder / "predictions.parquet", index=False)
        spec = PredictionsSpec(
            version=1, parents=parents, form=entry.form, labels=None, trained_on=entry.task, decoding={}, scoring=None,
            numerics=NUMERICS,
        )  # fmt: skip
        self.nodes[node] = PlannedNode("", (name,), to_json(spec))
        splits = {language: EvaluatedSplit(split="test", official=True, sample=False) for language in languages}
        stated = EvaluationResults(fingerprint={}, training=training, collapsed=collapsed, splits=splits)
        (folder / "manifest.json").write_text(manifest.text(spec, {}, stated))

    def _intermediate(self, node: str, mixture: str, seed: int, parents: Mapping[str, str]) -> None:
        """Add a training on a mixture, and the data of its tasks."""
        parents = dict(parents)
        for task in self.mixtures[mixture]:
            name, language = parse_reference(task)
            languages = self.languages.get(mixture, [language])
            members = {f"member.{one}": f"prepared/{in_language(name, one)}.training" for one in languages}
            for one, member in zip(languages, members.values(), strict=True):
                self.nodes[member] = PlannedNode("", (member,), to_json(training_data(name, one)))
            prepared = next(iter(members.values()))
            if len(languages) > 1 or mixture in self.shuffled:
                prepared = f"prepared/{mixture}.{task}.union"
                union = UnionSpec(
                    version=1, parents=members, task=name, form=form_of(name), labels=None, language=language,
                    members=list(members), train_rows=None, dev_rows=1, shuffled_labels=mixture in self.shuffled,
                )  # fmt: skip
                self.nodes[prepared] = PlannedNode("", (prepared,), to_json(union))
            tokens = f"tokens/{mixture}.{task}"
            self.nodes[tokens] = PlannedNode("", (tokens,), {"version": 1, "parents": {"prepared": prepared}})
            parents[f"tokens.{task}"] = tokens
        tasks = [task_spec(task, form_of(task), "accuracy") for task in self.mixtures[mixture]]
        self.nodes[node] = PlannedNode("", (node,), to_json(training_spec(IntermediateSpec, tasks, seed, parents)))

    def _prepared(self, target: str, languages: Iterable[str]) -> None:
        files = EvaluationFiles(
            split="test", official=True, files=(), threshold=(), where=None, published=None, rows=None, sample=False
        )
        evaluation = EvaluationDataSpec(
            version=1, parents={}, task=self.targets[target].task, form=self.targets[target].form, labels=None,
            task_version=1, reading=READING, languages=dict.fromkeys(languages, files), test_rows=None, cluster_rows=1,
            parallel=target in self.parallel,
        )  # fmt: skip
        prepared, tokens = (f"{stage}/{target}{self.data_tag}" for stage in ("prepared", "tokens"))
        self.nodes[prepared] = PlannedNode("", (target,), to_json(evaluation))
        parents = {"prepared": prepared, "model": "tokenizers/t"}
        self.nodes[tokens] = PlannedNode("", (target,), {"version": 1, "parents": parents})

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


def form_of(reference: str) -> str:
    """Return the form of a task of a mixture: that of ``text`` is language modelling."""
    return "mlm" if parse_reference(reference)[0] == "text" else "classification"


def training_data(task: str, language: str) -> TrainingDataSpec:
    """Return the spec of a task's training data."""
    return TrainingDataSpec(
        version=1, parents={}, task=task, form=form_of(task), labels=None, task_version=1, reading=READING,
        language=language, splits={}, where=None, train_rows=None, dev_rows=1,
    )  # fmt: skip


def task_spec(task: str, form: str, metric: str) -> TaskSpec:
    """Return what a training's spec says of a task."""
    return TaskSpec(
        task=task, form=form, labels=None, decoding={}, scoring=None, metric=metric, epochs=1, batch_size=1, weight=1
    )


def target_spec(target: PlannedTarget, seed: int, parents: Mapping[str, str] | None = None) -> TargetSpec:
    """Return the spec of a target's training."""
    task = task_spec(trained_task(target), target.form, target.metric)
    return training_spec(TargetSpec, [task], seed, parents or {})


def training_spec(kind: type[T], tasks: Sequence[TaskSpec], seed: int, parents: Mapping[str, str]) -> T:
    """Return the spec of a training."""
    optimisation = Optimisation(
        warmup=0.1, weight_decay=0, adam_beta2=0.999, adam_epsilon=1e-8, gradient_norm=1.0, frozen_embeddings=False,
        compile=False,
    )  # fmt: skip
    return kind(
        version=1, parents=parents, tasks=tasks, sampling=Sampling(), learning_rate=1e-5, optimisation=optimisation,
        method=Method(name="full"), numerics=NUMERICS, early_stopping=None, warm_start_head=None, seed=seed,
    )  # fmt: skip


def merged_spec(model: str, members: Sequence[str]) -> MergedSpec:
    """Return the spec of the mean of some models that were trained from the same one."""
    parents = {"model": f"models/{model}", **{f"member.{number}": member for number, member in enumerate(members)}}
    merging = Merging(method="linear", factors=(1.0,) * len(members))
    return MergedSpec(version=1, parents=parents, merging=merging, numerics=NUMERICS)


def predictions(language: str, columns: Mapping[str, Sequence[Any]], clusters: int = 1) -> pd.DataFrame:
    """Return predictions in a language with these statistics, and texts where given; so many examples are a cluster."""
    texts = {name: columns[name] for name in ("prediction", "gold") if name in columns}
    columns = {name: values for name, values in columns.items() if name not in texts}
    rows = len(next(iter(columns.values())))
    numbers = range(rows)
    return pd.DataFrame(
        {
            "example_id": [str(number) for number in numbers],
            "cluster_id": [str(number // clusters) for number in numbers],
            "language": language, "split": "test", "prediction": "", "gold": "", **texts,
            **{f"stat_{name}": np.asarray(values, dtype=float) for name, values in columns.items()},
        }
    )  # fmt: skip


def correct(rows: int, right: int) -> dict[str, list[float]]:
    """Return answers of which the first ones are right."""
    return {"correct": [1.0] * right + [0.0] * (rows - right)}
