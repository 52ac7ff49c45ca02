"""The plan: study and registry become nodes with canonical specs, and specs become addresses.

A pure function of the study, the registry, the indexes and the stage versions below; never of hardware, network,
clock or file times. No torch, transformers or datasets here.

Every node has a spec: all that decides its result and nothing else. Its address is
``results/<stage>/<readable name>-<8 hex digits of the spec's digest>/manifest.json``. So a changed mixture moves
exactly the nodes that depend on it, going back is free, and a stale result cannot be picked up.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any

from xstilts.data.sources.made_up import MADE_UP
from xstilts.errors import UserError
from xstilts.forms import FORMS
from xstilts.planning import recipe as recipes
from xstilts.planning.mixtures import NONE, Mixture
from xstilts.planning.nodes import Cell, Node, Plan
from xstilts.planning.registry import Registry, Source, Split, Task
from xstilts.planning.sourcing import Indexes, Sourcing
from xstilts.planning.study import PHASES, Limits, Study, Target
from xstilts.references import in_language, parse_reference
from xstilts.store.lineage import MODEL
from xstilts.store.manifest import digest
from xstilts.store.sampling import Sampling
from xstilts.store.stages import VERSIONS


def make_plan(study: Study, registry: Registry, indexes: Indexes) -> Plan:
    """Return the plan of a study.

    Raises:
        UserError: if a source lacks what the study asks for (ring three of the checks).
    """
    return _Planner(study, registry, indexes).plan()


class _Planner:
    """State while a plan is made: the nodes so far, and memos so that every node is made once."""

    def __init__(self, study: Study, registry: Registry, indexes: Indexes) -> None:
        self.study, self.registry, self.indexes = study, registry.of(study.source), indexes
        self.result = Plan(study)
        self.result.targets = {
            name: {
                "task": target.task, "form": self._task(target.task).form,
                "metric": self._task(target.task).metric, "language": target.language,
                "source": study.source_of(name),
            }
            for name, target in study.targets.items()
        }  # fmt: skip
        self.result.benchmark = study.benchmark and {
            "name": study.benchmark,
            **self.registry.benchmarks[study.benchmark],
        }
        languages = self.registry.languages.items()
        self.result.distance = {code: facts["distance"] for code, facts in languages if "distance" in facts}
        self.sourcing = Sourcing(study, self.registry, indexes, self.result.notes)
        self.evaluated = {name: self.sourcing.evaluation(name, target) for name, target in study.targets.items()}
        self.prepared_memo: dict[tuple, Node] = {}
        self.tokens_memo: dict[tuple[str, str, str], Node] = {}
        # where a model's tokenizer is not in its own folder
        self.tokenizers: dict[str, Node] = {}

    def plan(self) -> Plan:
        for model, use in self.study.models.items():
            base = self._model(model)
            for recipe_name in use.recipes:
                recipe = self.study.recipes[recipe_name]
                for mixture_name in use.mixtures:
                    mixture = self.study.mixtures[mixture_name]
                    for seed in self.study.seeds:
                        axes = (model, recipe_name, mixture_name, seed)
                        body = base if mixture is None else self._intermediate(axes, recipe, mixture, base)
                        for target_name, target in self.study.targets.items():
                            node = self._result_of(axes, recipe, target_name, target, body, base)
                            method = "+".join(dict.fromkeys(recipe[phase]["method"]["name"] for phase in PHASES))
                            cell = Cell(model, recipe_name, method, mixture_name, seed, target_name, node.id)
                            self.result.cells.append(cell)
        return self.result

    def _add(self, stage: str, name: str, parents: Mapping[str, Node], **spec: Any) -> Node:
        decided = {"stage": stage, "version": VERSIONS[stage], **spec}
        fingerprint = digest({**decided, "parents": {role: node.digest for role, node in parents.items()}})
        node = Node(stage, name, {**decided, "parents": {role: node.id for role, node in parents.items()}}, fingerprint)
        return self.result.nodes.setdefault(node.id, node)

    # Models

    def _model(self, name: str) -> Node:
        """Return the node of a model's weights and tokenizer."""
        name = self.registry.models[name]["weights_of"] or name
        entry = self.registry.models[name]
        if name in self.indexes.models:
            files = self.indexes.models[name]
            content = {"kind": "folder", "files": {file: facts["sha256"] for file, facts in files.items()}}
        elif entry["pretrained"] is not None:
            return self._pretrained(name, entry["pretrained"])
        elif entry["generated"] is not None:
            content = {"kind": "tiny", **entry["generated"]}
        elif entry["hub"] is not None and entry["revision"] is not None:
            content = {"kind": "hub", "repository": entry["hub"], "revision": entry["revision"]}
        else:
            raise UserError(
                f"model {name}: the registry has no pinned download of it; name a folder with it in config.yaml:"
                f" model_folders: {{{name}: /path/to/folder}}"
            )
        return self._add("models", name, {}, source=content)

    def _pretrained(self, name: str, entry: Mapping[str, Any]) -> Node:
        """Return the node of a model that is pretrained here, on the text of several languages as one task.

        Its tokens are those of its tokenizer, so that models that share it share all tokens.
        """
        text, phase = entry["text"], entry["phase"]
        lacking = [language for language in text["languages"] if language not in self.registry.languages]
        if lacking:
            raise UserError(
                f"models: {name} is made from text in {', '.join(lacking)}, which the source {self.study.source!r} has"
                " not; it needs a study with `source: miniature`"
            )
        task, limits = self._task(text["task"]), Limits(text["rows"], text["dev_rows"], None)
        rows = self._in_languages(task, text["languages"], limits)
        tokenizer = self._add("tokenizers", text["task"], {"prepared": rows}, **entry["tokenizer"])
        tokens = self._tokens(rows, tokenizer, task.form, recipes.lengths(phase, task.form))
        spec = {
            "tasks": [{**self._entry(task.name, task, phase), "weight": 1.0}], "shape": dict(entry["shape"]),
            "sampling": asdict(Sampling(steps=entry["steps"])), "early_stopping": None, "warm_start_head": None,
        }  # fmt: skip
        parents = {"tokenizer": tokenizer, f"tokens.{task.name}": tokens}
        node = self._training("pretrained", name, name, phase, phase, entry["seed"], None, parents, spec)
        self.tokenizers[node.id] = tokenizer
        return node

    # Data

    def _data(self, task: Task, reference: str, name_of_part: str, files: Iterable[str], source: Source) -> Node:
        content, urls = self.sourcing.content(task, reference, sorted(set(files)), source)
        node = self._add("data", f"{task.name}.{name_of_part}", {}, source=content)
        if urls:
            self.result.urls[node.id] = urls
        return node

    def _definition(self, task: Task, source: Source) -> dict[str, Any]:
        """Return the name_of_part of a task's registry entry that decides its rows."""
        reading = ("reader", "header", "columns", "values", "labels", "drop_labels", "unanswerable")
        return {
            "task": task.name, "task_version": task.version, "form": task.form,
            "labels": list(task.labels) if task.labels else None,
            "reading": {key: _plain(getattr(source, key)) for key in reading},
        }  # fmt: skip

    def _training_data(self, reference: str, shuffled: bool = False, limits: Limits | None = None) -> Node:
        limits = limits or self.study.limits(reference)
        name_of_part = "shuffled" if shuffled else "training"
        if (reference, name_of_part, limits) not in self.prepared_memo:
            self.prepared_memo[reference, name_of_part, limits] = self._made_training_data(reference, shuffled, limits)
        return self.prepared_memo[reference, name_of_part, limits]

    def _made_training_data(self, reference: str, shuffled: bool, limits: Limits) -> Node:
        name, language = parse_reference(reference)
        if shuffled:
            parents = {f"member.{reference}": self._training_data(reference)}
            return self._union_of(reference, [reference], parents, language, limits, shuffled=True)
        task = self.registry.tasks[name]
        source = self.sourcing.training(task, reference, language)
        if source.union:
            members = [in_language(member, language) for member in source.union]
            parents = {f"member.{member}": self._training_data(member) for member in members}
            return self._union_of(reference, members, parents, language, limits)
        return self._own_training_data(reference, task, source, language, limits)

    def _in_languages(self, task: Task, languages: Sequence[str], limits: Limits) -> Node:
        """Return the training data of a task in several languages as one, each of them within the limits."""
        references = [in_language(task.name, language) for language in languages]
        members = {f"member.{one}": self._training_data(one, limits=limits) for one in references}
        return self._union_of(task.name, references, members, languages[0], replace(limits, train_rows=None))

    def _union_of(
        self, reference: str, members: Iterable[str], parents: Mapping[str, Node], language: str, limits: Limits,
        shuffled: bool = False,
    ) -> Node:  # fmt: skip
        """Return the training data of several tasks as that of one, so that they share a head; or of one, shuffled."""
        task = self._task(reference)
        return self._add(
            "prepared", f"{reference}.{'shuffled' if shuffled else 'training'}", parents, kind="union", task=task.name,
            form=task.form, labels=list(task.labels) if task.labels else None, language=language,
            members=list(members), train_rows=limits.train_rows,
            dev_rows=limits.dev_rows, shuffled_labels=shuffled,
        )  # fmt: skip

    def _own_training_data(self, reference: str, task: Task, source: Source, language: str, limits: Limits) -> Node:
        splits = {
            split: [task.file(template, language) for template in templates]
            for split, templates in (("train", source.training), ("dev", source.dev))
            if templates
        }
        parents = {"data": self._data(task, reference, f"training.{language}", sum(splits.values(), []), source)}
        if "context" in source.columns:
            parents.update(self._contexts(language))
        files = {
            split: [{"file": name, **self.sourcing.rows(task, reference, name)} for name in names]
            for split, names in splits.items()
        }
        return self._add(
            "prepared", f"{reference}.training", parents, kind="training", language=language, splits=files,
            where=_where(task, source, language), train_rows=limits.train_rows, dev_rows=limits.dev_rows,
            **self._definition(task, source),
        )  # fmt: skip

    def _contexts(self, language: str) -> dict[str, Node]:
        """Return the evaluation data, in one language, whose contexts no training set may contain.

        Whether the study evaluates in that language does not matter: translations of a context are scored. It is a node
        of its own, so that a language added to a target moves no training data.
        """
        parents = {}
        for name, target in self.study.targets.items():
            source, _ = self.evaluated[name]
            if "context" in source.columns:
                split = self.sourcing.split(self.registry.tasks[target.task], name, source, language, target.split)
                if split is not None:
                    name_of_part = f"contexts.{language}"
                    parents[f"exclude.{name}"] = self._evaluation_data(name, {language: split}, name_of_part, None)
        return parents

    def _evaluation_data(
        self, name: str, splits: Mapping[str, Split], name_of_part: str, test_rows: int | None
    ) -> Node:
        if (name, name_of_part) in self.prepared_memo:
            return self.prepared_memo[name, name_of_part]
        task = self.registry.tasks[self.study.targets[name].task]
        source, _ = self.evaluated[name]
        files = [file for split in splits.values() for file in (*split.files, *split.threshold)]
        # a pool of some languages is another task than that of all, and made-up text is no task's
        whole = not FORMS[task.form].pooled or set(splits) == set(task.languages)
        whole = whole and self.study.source_of(name) not in MADE_UP
        languages = {
            language: {
                "split": split.split, "official": split.official and whole, "files": list(split.files),
                "threshold": list(split.threshold), "where": _where(task, source, language),
                "published": task.published(split.split, language), **self.sourcing.rows(task, name, split.files[0]),
            }
            for language, split in splits.items()
        }  # fmt: skip
        node = self._add(
            "prepared", f"{name}.{name_of_part}", {"data": self._data(task, name, name_of_part, files, source)}, kind="evaluation",
            languages=languages, test_rows=test_rows, cluster_rows=task.cluster_rows, parallel=task.parallel,
            **self._definition(task, source),
        )  # fmt: skip
        self.prepared_memo[name, name_of_part] = node
        return node

    def _tokens(self, prepared: Node, base: Node, form: str, lengths: Mapping[str, Any]) -> Node:
        base = self.tokenizers.get(base.id, base)
        key = (prepared.id, base.id, json.dumps(lengths, sort_keys=True))
        if key not in self.tokens_memo:
            parents = {"prepared": prepared, "model": base}
            name = f"{base.name}.{prepared.name}.{lengths['max_length']}"
            self.tokens_memo[key] = self._add("tokens", name, parents, form=form, lengths=dict(lengths))
        return self.tokens_memo[key]

    # Training

    def _training_task(
        self, reference: str, phase: Mapping[str, Any], base: Node, rows: Node
    ) -> tuple[dict[str, Any], Node]:
        task = self._task(reference)
        settings = recipes.settings(phase, reference, task)
        tokens = self._tokens(rows, base, task.form, recipes.lengths(settings, task.form))
        return self._entry(reference, task, settings), tokens

    def _entry(self, reference: str, task: Task, settings: Mapping[str, Any]) -> dict[str, Any]:
        """Return what a training node says of a task."""
        return {
            "task": reference, "form": task.form, "labels": list(task.labels) if task.labels else None,
            "metric": task.metric, "epochs": settings["epochs"], "batch_size": settings["batch_size"],
            "decoding": self._decoding(settings, task, reference), "scoring": task.scoring,
        }  # fmt: skip

    def _decoding(self, settings: Mapping[str, Any], task: Task, reference: str) -> dict[str, Any]:
        """Return the decoding settings; a null threshold only where a question may have no answer."""
        decoding = recipes.decoding(settings, task.form)
        if not any(source.unanswerable == "keep" for source in task.sources):
            decoding.pop("null_threshold", None)
        return decoding

    def _intermediate(self, axes: tuple, recipe: Mapping[str, Any], mixture: Mixture, base: Node) -> Node:
        model, recipe_name, mixture_name, seed = axes
        phase = recipe["intermediate"]
        parents, tasks = {}, []
        for member in mixture.tasks:
            if member.languages:
                limits = self.study.limits(member.task)
                rows = self._in_languages(self._task(member.task), member.languages, limits)
            else:
                rows = self._training_data(member.task, member.shuffled_labels)
            entry, tokens = self._training_task(member.task, phase, base, rows)
            tasks.append({**entry, "weight": member.weight})
            parents |= {f"tokens.{member.task}": tokens, **_head_of(base, entry["form"])}
        spec = {"tasks": tasks, "sampling": asdict(mixture.sampling), "early_stopping": None, "warm_start_head": None}
        name = f"{model}.{recipe_name}.{mixture_name}"
        searched = self._learning_rate(name, model, phase, phase, base, parents, spec)
        return self._training("intermediate", name, model, phase, phase, seed, base, parents | searched, spec)

    def _target(self, axes: tuple, recipe: Mapping[str, Any], stages: Sequence[str], body: Node, base: Node) -> Node:
        """Return the last of a target's training stages, each a node that starts from the one before.

        A stage of the same form with a head of the same shape goes on with the head of the stage before (COPA with
        SIQA's), as XTREME-R's baseline does; every phase starts with fresh heads.
        """
        model, recipe_name, mixture_name, seed = axes
        phase = recipe["target"]
        for number, reference in enumerate(stages):
            entry, tokens = self._training_task(reference, phase, base, self._training_data(reference))
            task, before = self._task(reference), self._task(stages[number - 1]) if number else None
            carried = stages[number - 1] if before is not None and _same_head(before, task) else None
            parents = {f"tokens.{reference}": tokens, **_head_of(base, task.form)}
            spec = {
                "tasks": [{**entry, "weight": 1.0}], "sampling": asdict(Sampling()),
                "early_stopping": dict(recipe["early_stopping"]), "warm_start_head": carried,
            }  # fmt: skip
            settings = recipes.settings(phase, reference, task)
            label = "+".join(stages[max(0, number - 1) : number + 1])
            if recipes.grid(settings):
                # the same rate for all mixtures and seeds: the one that is best without an intermediate phase
                plain = (model, recipe_name, NONE, self.study.seeds[0])
                start = self._target(plain, recipe, stages[:number], base, base)
                name = f"{model}.{recipe_name}.{label}"
                parents |= self._learning_rate(name, model, phase, settings, start, parents, spec)
            name = f"{model}.{recipe_name}.{mixture_name}.s{seed}.{label}"
            body = self._training("targets", name, model, phase, settings, seed, body, parents, spec)
        return body

    def _learning_rate(
        self, name: str, model: str, phase: Mapping[str, Any], settings: Mapping[str, Any], body: Node,
        parents: Mapping[str, Node], spec: Mapping[str, Any],
    ) -> dict[str, Node]:  # fmt: skip
        """Return the node that finds the best of a grid of learning grid, as a parent; nothing without a grid."""
        grid = recipes.grid(settings)
        if grid is None:
            return {}
        seed = self.study.seeds[0]
        return {
            "learning_rate": self._training(
                "learning_rates", name, model, phase, settings, seed, body, parents, {**spec, "learning_rates": grid}
            )
        }

    def _training(
        self, stage: str, name: str, model: str, phase: Mapping[str, Any], settings: Mapping[str, Any], seed: int,
        body: Node | None, parents: Mapping[str, Node], spec: Mapping[str, Any],
    ) -> Node:  # fmt: skip
        """Return a node that trains: ``settings`` are those of the phase for its task; it starts from ``body``."""
        name = f"{name}.s{seed}" if stage == "intermediate" else name
        chain = self._chain(body) if body else {}
        return self._add(
            stage, name, {**chain, **parents}, **spec, optimiser=recipes.optimiser(settings),
            method=recipes.method(phase), frozen_embeddings=phase["frozen_embeddings"], compile=phase["compile"],
            **recipes.numerics(phase, self._part(model)), seed=seed,
        )  # fmt: skip

    def _task(self, reference: str) -> Task:
        return self.registry.tasks[parse_reference(reference)[0]]

    def _part(self, model: str) -> str | None:
        return self.registry.models[model]["submodel"]

    def _chain(self, body: Node) -> dict[str, Node]:
        """Return a model as the parent of what reads it, and where it is an adapter those below it."""
        chain = {MODEL: body}
        if body.spec.get("method", {"name": "full"})["name"] != "full":
            below = [name for role, name in body.spec["parents"].items() if role.partition(".")[0] == MODEL]
            chain |= {f"{MODEL}.{level}": self.result.nodes[name] for level, name in enumerate(below, 1)}
        return chain

    def _result_of(
        self, axes: tuple, recipe: Mapping[str, Any], name: str, target: Target, body: Node, base: Node
    ) -> Node:
        model, recipe_name, mixture_name, seed = axes
        task = self.registry.tasks[target.task]
        facts = FORMS[task.form]
        # without any training there is nothing that a seed could change
        trained = target.trained_on or mixture_name != NONE
        label = f"{model}.{recipe_name}.{mixture_name}{f'.s{seed}' if trained else ''}.{name}"
        limits = self.study.limits(name)
        prepared = self._evaluation_data(name, self.evaluated[name][1], "evaluation", limits.test_rows)
        checkpoint = self._target(axes, recipe, target.trained_on, body, base)
        settings = recipes.settings(recipe["target"], name, task)
        numerics = recipes.numerics(recipe["target"], self._part(model))
        if facts.embedded:
            own_head = facts.trained
            lengths = recipes.lengths(settings if own_head else recipe["bitext"], task.form)
            tokens = self._tokens(prepared, base, task.form, lengths)
            pooling = {"head": target.trained_on[-1]} if own_head else recipes.pooling(recipe["bitext"])
            parents = {**self._chain(checkpoint), "tokens": tokens}
            embedded = self._add("embeddings", label, parents, form=task.form, pooling=pooling, **numerics)
            settings = {key: recipe["bitext"][key] for key in facts.retrieval}
            parents = {"embeddings": embedded, "prepared": prepared}
            return self._add("retrieval", label, parents, form=task.form, settings=settings)
        tokens = self._tokens(prepared, base, task.form, recipes.lengths(settings, task.form))
        return self._add(
            "predictions", label, {**self._chain(checkpoint), "tokens": tokens, **_head_of(base, task.form)},
            form=task.form, **numerics,
            labels=list(task.labels) if task.labels else None,
            trained_on=target.trained_on[-1] if target.trained_on else None,
            decoding=self._decoding(settings, task, name), scoring=task.scoring,
        )  # fmt: skip


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _where(task: Task, source: Source, language: str) -> dict[str, str] | None:
    """Return which rows of a file are in a language, or None if all are."""
    if source.where is None:
        return None
    return {"column": source.where["column"], "starts_with": task.file(source.where["starts_with"], language)}


def _head_of(base: Node, form: str) -> dict[str, Node]:
    """Return the base model as a parent where its own language-model head is used."""
    return {"base": base} if FORMS[form].pretrained_head else {}


def _same_head(one: Task, other: Task) -> bool:
    """Tell whether two tasks can share a head."""
    facts = FORMS[one.form]
    return one.form == other.form and not facts.pretrained_head and (one.labels == other.labels or not facts.labelled)
