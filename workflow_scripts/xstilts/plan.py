"""The plan: study and registry become nodes with canonical specs, and specs become addresses.

A pure function of the study, the registry, the indexes and the stage versions below; never of hardware, network,
clock or file times. No torch, transformers or datasets here.

Every node has a spec: all that decides its result and nothing else. Its address is
``results/<stage>/<readable name>-<8 hex digits of the spec's digest>/manifest.json``. So a changed mixture moves
exactly the nodes that depend on it, going back is free, and a stale result cannot be picked up.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from xstilts import recipe as recipes
from xstilts.errors import UserError, suggestion
from xstilts.manifest import digest
from xstilts.nodes import VERSIONS, Cell, Node, Plan
from xstilts.registry import Registry, Source, Split, Task, describe, parse_reference
from xstilts.study import NONE, Mixture, Study, Target


@dataclass(frozen=True)
class Indexes:
    """What the plan may know of this machine: the content of its mirror and of its model folders, by SHA-256."""

    mirror: Mapping[str, Mapping[str, Any]] | None = None
    models: Mapping[str, Mapping[str, Mapping[str, Any]]] = field(default_factory=dict)


def make_plan(study: Study, registry: Registry, indexes: Indexes) -> Plan:
    """Return the plan of a study.

    Raises:
        UserError: if a source lacks what the study asks for (ring three of the checks).
    """
    return _Planner(study, registry, indexes).plan()


class _Planner:
    """State while a plan is made: the nodes so far, and memos so that every node is made once."""

    def __init__(self, study: Study, registry: Registry, indexes: Indexes) -> None:
        self.study, self.registry, self.indexes = study, registry, indexes
        self.result = Plan(study)
        self.result.metrics = {name: registry.tasks[target.task].metric for name, target in study.targets.items()}
        self.evaluated = {name: self._evaluation_files(name, target) for name, target in study.targets.items()}
        self.prepared_memo: dict[tuple[str, str], Node] = {}
        self.tokens_memo: dict[tuple[str, str, str], Node] = {}

    def plan(self) -> Plan:
        for model in self.study.models:
            base = self._model(model)
            for recipe_name, recipe in self.study.recipes.items():
                for mixture_name, mixture in self.study.mixtures.items():
                    for seed in self.study.seeds:
                        axes = (model, recipe_name, mixture_name, seed)
                        body = base if mixture is None else self._intermediate(axes, recipe, mixture, base)
                        for target_name, target in self.study.targets.items():
                            node = self._result_of(axes, recipe, target_name, target, body, base)
                            cell = Cell(model, recipe_name, "full", mixture_name, seed, target_name, node.id)
                            self.result.cells.append(cell)
        return self.result

    def _add(self, stage: str, name: str, parents: Mapping[str, Node], **spec: Any) -> Node:
        decided = {"stage": stage, "version": VERSIONS[stage], **spec}
        fingerprint = digest({**decided, "parents": {role: node.digest for role, node in parents.items()}})
        node = Node(stage, name, {**decided, "parents": {role: node.id for role, node in parents.items()}}, fingerprint)
        return self.result.nodes.setdefault(node.id, node)

    # Models

    def _model(self, name: str) -> Node:
        entry = self.registry.models[name]
        if name in self.indexes.models:
            files = self.indexes.models[name]
            content = {"kind": "folder", "files": {file: facts["sha256"] for file, facts in files.items()}}
        elif entry["generated"] is not None:
            content = {"kind": "tiny", **entry["generated"]}
        else:
            content = {"kind": "hub", "repository": entry["hub"], "revision": entry["revision"]}
        return self._add("models", name, {}, source=content)

    # Data

    def _source(self, task: Task, place: str) -> Source:
        # the made-up data is laid out as a mirror
        kind = "hub" if self.study.source == "hub" else "mirror"
        if kind not in task.sources:
            raise UserError(f"{place}: {task.title} cannot be had from the source {self.study.source!r}")
        if self.study.source == "mirror" and self.indexes.mirror is None:
            raise UserError(
                f"study {self.study.name}: its data comes from a mirror; set `mirror` in config.yaml to a folder"
            )
        return task.sources[kind]

    def _has(self, name: str) -> bool:
        return self.study.source != "mirror" or name in self.indexes.mirror

    def _evaluation_files(self, name: str, target: Target) -> dict[str, Split]:
        """Return the split to score and its files, for every language of a target."""
        task = self.registry.tasks[target.task]
        place = f"targets.{name}"
        source = self._source(task, place)
        if target.split and target.split not in [entry.split for entry in source.evaluation]:
            splits = [entry.split for entry in source.evaluation]
            raise UserError(f"{place}.split: {task.title} has no {target.split!r}; {suggestion(target.split, splits)}")
        found = {}
        for language in target.languages or self.study.languages:
            split = self._split(task, source, language, target.split)
            if split is not None:
                found[language] = split
            elif target.languages:
                raise UserError(
                    f"{place}.languages: the source {self.study.source!r} has no {language!r} for {task.title}"
                )
        left_out = [language for language in self.study.languages if language not in found]
        if not found:
            raise UserError(
                f"{place}: none of the languages {', '.join(self.study.languages)} is there for {task.title}"
            )
        if left_out and not target.languages:
            self.result.notes.append(f"{name}: no data in {', '.join(left_out)}; evaluated in {', '.join(found)}")
        return found

    def _split(self, task: Task, source: Source, language: str, wanted: str | None) -> Split | None:
        for entry in source.evaluation:
            files = tuple(task.file(template, language) for template in entry.files)
            listed = entry.languages or task.languages
            if wanted in (None, entry.split) and language in listed and all(map(self._has, files)):
                return Split(entry.split, entry.official, None, files)
        return None

    def _data(self, task: Task, part: str, files: Iterable[str], source: Source) -> Node:
        names = sorted(set(files))
        if self.study.source == "mirror":
            for name in names:
                if not self._has(name):
                    raise UserError(
                        f"{task.title} ({part}): {name} is not in the mirror's index; add the file to the mirror and "
                        "run xstilts index-mirror again"
                    )
            content = {"kind": "mirror", "files": {name: self.indexes.mirror[name]["sha256"] for name in names}}
        elif self.study.source == "hub":
            if source.revision is None:
                raise UserError(f"{task.title}: its hub source has no pinned revision")
            content = {"kind": "hub", "repository": source.repository, "revision": source.revision, "files": names}
        else:
            content = {"kind": "tiny", "files": names}
        return self._add("data", f"{task.name}.{part}", {}, source=content)

    def _rows(self, name: str) -> dict[str, Any]:
        """Return what is known of a file's rows before it is read: their number, and whether it is a sample."""
        facts = self.indexes.mirror[name] if self.study.source == "mirror" else {}
        return {"rows": facts.get("rows"), "sample": facts.get("sample", False)}

    def _definition(self, task: Task, source: Source) -> dict[str, Any]:
        """Return the part of a task's registry entry that decides its rows."""
        reading = describe(source)
        for key in ("training", "training_languages", "dev", "evaluation", "repository", "revision"):
            del reading[key]
        labels = list(task.labels) if task.labels else None
        return {
            "task": task.name, "task_version": task.version, "form": task.form, "labels": labels,
            "reading": reading,
        }  # fmt: skip

    def _training_data(self, reference: str) -> Node:
        if (reference, "training") in self.prepared_memo:
            return self.prepared_memo[reference, "training"]
        name, language = parse_reference(reference)
        task = self.registry.tasks[name]
        source = self._source(task, reference)
        if language not in source.training_languages:
            known = source.training_languages
            raise UserError(f"{reference}: no training data in {language!r}; {suggestion(language, known)}")
        splits = {
            split: [task.file(template, language) for template in templates]
            for split, templates in (("train", source.training), ("dev", source.dev))
            if templates
        }
        if not splits.get("train"):
            raise UserError(f"{reference}: no training data in the source {self.study.source!r}")
        parents = {"data": self._data(task, f"training.{language}", sum(splits.values(), []), source)}
        if "context" in source.columns:
            parents.update(self._contexts(language))
        limits = self.study.limits(reference)
        node = self._add(
            "prepared", f"{reference}.training", parents, part="training", language=language,
            splits={split: [{"file": file, **self._rows(file)} for file in files] for split, files in splits.items()},
            train_rows=limits.train_rows, dev_rows=limits.dev_rows,
            **self._definition(task, source),
        )  # fmt: skip
        self.prepared_memo[reference, "training"] = node
        return node

    def _contexts(self, language: str) -> dict[str, Node]:
        """Return the evaluation data, in one language, whose contexts no training set may contain.

        Whether the study evaluates in that language does not matter: translations of a context are scored. It is a node
        of its own, so that a language added to a target moves no training data.
        """
        parents = {}
        for name, target in self.study.targets.items():
            task = self.registry.tasks[target.task]
            split = self._split(task, self._source(task, name), language, target.split)
            if task.form == "span" and split is not None:
                part = f"contexts.{language}"
                parents[f"exclude.{name}"] = self._evaluation_data(name, {language: split}, part, None)
        return parents

    def _evaluation_data(self, name: str, splits: Mapping[str, Split], part: str, test_rows: int | None) -> Node:
        if (name, part) in self.prepared_memo:
            return self.prepared_memo[name, part]
        task = self.registry.tasks[self.study.targets[name].task]
        source = self._source(task, name)
        data = self._data(task, part, (file for split in splits.values() for file in split.files), source)
        languages = {
            language: {
                "split": split.split, "official": split.official, "files": list(split.files),
                **self._rows(split.files[0]),
            }
            for language, split in splits.items()
        }  # fmt: skip
        node = self._add(
            "prepared", f"{name}.{part}", {"data": data}, part="evaluation", languages=languages,
            published=dict(task.rows), test_rows=test_rows, cluster_rows=task.cluster_rows, parallel=task.parallel,
            **self._definition(task, source),
        )  # fmt: skip
        self.prepared_memo[name, part] = node
        return node

    def _tokens(self, prepared: Node, base: Node, form: str, lengths: Mapping[str, Any]) -> Node:
        key = (prepared.id, base.id, json.dumps(lengths, sort_keys=True))
        if key not in self.tokens_memo:
            parents = {"prepared": prepared, "model": base}
            name = f"{base.name}.{prepared.name}.{lengths['max_length']}"
            self.tokens_memo[key] = self._add("tokens", name, parents, form=form, lengths=dict(lengths))
        return self.tokens_memo[key]

    # Training

    def _training_task(self, reference: str, phase: Mapping[str, Any], base: Node) -> tuple[dict[str, Any], Node]:
        task = self.registry.tasks[parse_reference(reference)[0]]
        settings = recipes.settings(phase, reference, task)
        tokens = self._tokens(self._training_data(reference), base, task.form, recipes.lengths(settings, task.form))
        entry = {
            "task": reference, "form": task.form, "labels": list(task.labels) if task.labels else None,
            "metric": task.metric, "epochs": settings["epochs"],
            "batch_size": settings["batch_size"], "decoding": recipes.decoding(settings, task.form),
        }  # fmt: skip
        return entry, tokens

    def _intermediate(self, axes: tuple, recipe: Mapping[str, Any], mixture: Mixture, base: Node) -> Node:
        model, recipe_name, mixture_name, seed = axes
        parents, tasks = {"model": base}, []
        for member in mixture.tasks:
            entry, tokens = self._training_task(member.task, recipe["intermediate"], base)
            tasks.append({**entry, "rate": member.rate})
            parents[f"tokens.{member.task}"] = tokens
        return self._add(
            "intermediate", f"{model}.{recipe_name}.{mixture_name}.s{seed}", parents, tasks=tasks,
            sampling=mixture.sampling, cap=mixture.cap, optimiser=recipes.optimiser(recipe["intermediate"]),
            early_stopping=None, seed=seed,
        )  # fmt: skip

    def _target(self, axes: tuple, recipe: Mapping[str, Any], stages: Iterable[str], body: Node, base: Node) -> Node:
        """Return the last of a target's training stages, each a node that starts from the one before."""
        model, recipe_name, mixture_name, seed = axes
        for reference in stages:
            entry, tokens = self._training_task(reference, recipe["target"], base)
            task = self.registry.tasks[parse_reference(reference)[0]]
            body = self._add(
                "targets", f"{model}.{recipe_name}.{mixture_name}.s{seed}.{reference}",
                {"model": body, f"tokens.{reference}": tokens}, tasks=[{**entry, "rate": 1.0}],
                sampling="proportional", cap=None,
                optimiser=recipes.optimiser(recipes.settings(recipe["target"], reference, task)),
                early_stopping=dict(recipe["early_stopping"]), seed=seed,
            )  # fmt: skip
        return body

    def _result_of(
        self, axes: tuple, recipe: Mapping[str, Any], name: str, target: Target, body: Node, base: Node
    ) -> Node:
        model, recipe_name, mixture_name, seed = axes
        task = self.registry.tasks[target.task]
        limits = self.study.limits(name)
        prepared = self._evaluation_data(name, self.evaluated[name], "evaluation", limits.test_rows)
        if task.form == "bitext":
            tokens = self._tokens(prepared, base, task.form, {"max_length": recipe["retrieval"]["max_length"]})
            # without an intermediate phase there is nothing that a seed could change
            axis = f"{mixture_name}.s{seed}" if mixture_name != NONE else mixture_name
            label = f"{model}.{recipe_name}.{axis}.{name}"
            parents = {"model": body, "tokens": tokens}
            embedded = self._add("embeddings", label, parents, layer=recipe["retrieval"]["layer"], pooling="mean")
            return self._add("retrieval", label, {"embeddings": embedded, "prepared": prepared}, direction="to-English")
        settings = recipes.settings(recipe["target"], name, task)
        tokens = self._tokens(prepared, base, task.form, recipes.lengths(settings, task.form))
        references = [_in_language(reference, target.language) for reference in task.trained_on or (task.name,)]
        checkpoint = self._target(axes, recipe, references, body, base)
        return self._add(
            "predictions", f"{model}.{recipe_name}.{mixture_name}.s{seed}.{name}",
            {"model": checkpoint, "tokens": tokens}, form=task.form,
            labels=list(task.labels) if task.labels else None, trained_on=references[-1],
            decoding=recipes.decoding(settings, task.form),
        )  # fmt: skip


def _in_language(reference: str, language: str) -> str:
    """Return the reference with the target's source language, unless it is the default one."""
    return reference if parse_reference(reference)[1] == language else f"{reference}@{language}"
