"""The nodes of data: raw files, prepared rows and tokens."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from xstilts.data.sources.made_up import MADE_UP
from xstilts.forms import FORMS
from xstilts.planning.nodes import Node, Nodes
from xstilts.planning.registry import Registry
from xstilts.planning.sourcing import Sourcing, SplitFiles
from xstilts.planning.study import Limits, Study
from xstilts.planning.tasks import Source, Task
from xstilts.references import in_language, parse_reference
from xstilts.store.specs.base import DATA, EXAMPLES, EXCLUDED, MEMBER, MODEL, PREPARED, role
from xstilts.store.specs.data import (
    DataSpec,
    EvaluationDataSpec,
    EvaluationFiles,
    Prompt,
    TokensSpec,
    TrainingDataSpec,
    TrainingFile,
    UnionSpec,
)


@dataclass(frozen=True)
class _Training:
    """What decides a set of training data in a study: the key under which its node is remembered."""

    reference: str
    shuffled: bool
    limits: Limits


@dataclass
class DataPlanner:
    """Plans data, every node once.

    Attributes:
        study: the study.
        registry: its tasks.
        sourcing: finds sources and files.
        nodes: the plan's nodes.
        urls: where the files of a data node can be downloaded.
        tokenizers: the node of a model's tokenizer, by the id of the model, where it is not in the model's own folder.
    """

    study: Study
    registry: Registry
    sourcing: Sourcing
    nodes: Nodes
    urls: dict[str, dict[str, list[str]]]
    tokenizers: dict[str, Node] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Find the source and the splits of every target."""
        self.evaluated = {name: self.sourcing.evaluation(name, target) for name, target in self.study.targets.items()}
        self._training: dict[_Training, Node] = {}
        self._evaluation: dict[tuple[str, str], Node] = {}
        self._few_shots: dict[tuple[str, str, int, int], Node] = {}
        self._tokens: dict[tuple[str, str, str], Node] = {}

    def task(self, reference: str) -> Task:
        """Return the task of a reference."""
        return self.registry.tasks[parse_reference(reference)[0]]

    def training_data(self, reference: str, shuffled: bool = False, limits: Limits | None = None) -> Node:
        """Return the training data of a task in its source language.

        Args:
            reference: the task.
            shuffled: whether rows get each other's labels.
            limits: other limits than the study's.
        """
        key = _Training(reference, shuffled, limits or self.study.limits(reference))
        if key not in self._training:
            self._training[key] = self._new_training_data(key)
        return self._training[key]

    def in_languages(self, task: Task, languages: Sequence[str], limits: Limits) -> Node:
        """Return the training data of a task in several languages as one, each of them within the limits."""
        references = [in_language(task.name, language) for language in languages]
        members = {reference: self.training_data(reference, limits=limits) for reference in references}
        return self._union(task.name, members, languages[0], replace(limits, train_rows=None))

    def evaluation_data(self, target: str) -> Node:
        """Return the evaluation data of a target in the languages of the study."""
        splits = self.evaluated[target]
        return self._evaluation_data(target, splits, "evaluation", self.study.limits(target).test_rows)

    def evaluation_in(self, target: str, language: str) -> Node:
        """Return the evaluation data of a target in one of its languages: the same rows as among those of all."""
        splits = {language: self.evaluated[target][language]}
        return self._evaluation_data(target, splits, f"evaluation.{language}", self.study.limits(target).test_rows)

    def few_shot_rows(self, target: str, language: str) -> float | None:
        """Return how many rows of a language a few can be drawn from, dev rows aside; 0 without, None if unknown.

        Made-up text has as many as are asked for, and a mirror that is not here (``unindexed.py``) is taken to.
        """
        found = self._few_shot_source(target, language)
        if found is None:
            return 0
        task = self.registry.tasks[self.study.targets[target].task]
        if self.study.source_of(target) in MADE_UP:
            return math.inf
        source, split = found
        counts = [self.sourcing.rows(task, target, name)["rows"] for name in split.files]
        total = None if None in counts or source.where else sum(counts)
        rows = task.published(split.split, language, total) if total is None else total
        if rows is None:
            return math.inf if None in counts and self.study.source_of(target) == "mirror" else None
        return rows - min(self.study.limits(target).dev_rows, rows // 4)

    def few_shot_data(self, target: str, language: str, shots: int, seed: int) -> Node:
        """Return a few rows of a language of a target, as one seed draws them; the language has some."""
        key = (target, language, shots, seed)
        if key not in self._few_shots:
            found = self._few_shot_source(target, language)
            assert found is not None
            source, split = found
            task = self.registry.tasks[self.study.targets[target].task]
            limits = replace(self.study.limits(target), train_rows=shots)
            spec = self._training_spec(target, task, source, language, {"train": split.files}, limits, seed)
            name = f"{target}.{language}.{shots}shots.s{seed}"
            self._few_shots[key] = self.nodes.add(name, spec)
        return self._few_shots[key]

    def _few_shot_source(self, target: str, language: str) -> tuple[Source, SplitFiles] | None:
        _, scored = self.evaluated[target][language]
        return self.sourcing.few_shot(target, self.study.targets[target], language, scored)

    def unlabelled_data(self, target: str) -> Node | None:
        """Return all rows of a target's official test that have no labels; None where there are none."""
        splits = self.sourcing.unlabelled(target, self.study.targets[target], self.evaluated[target])
        return self._evaluation_data(target, splits, "unlabelled", None) if splits else None

    def tokens(self, prepared: Node, model: Node, form: str, lengths: Mapping[str, float]) -> Node:
        """Return the tokens of prepared rows for the tokenizer of a model."""
        tokenizer = self.tokenizers.get(model.id, model)
        key = (prepared.id, tokenizer.id, json.dumps(lengths, sort_keys=True))
        if key not in self._tokens:
            frame = self.nodes.frame("tokens", {PREPARED: prepared, MODEL: tokenizer})
            name = f"{self._name(tokenizer)}.{self._name(prepared)}.{lengths['max_length']}"
            self._tokens[key] = self.nodes.add(name, TokensSpec(**frame, form=form, lengths=dict(lengths)))
        return self._tokens[key]

    def prompts(
        self, prepared: Node, model: Node, form: str, lengths: Mapping[str, float], prompt: Prompt, training: str
    ) -> Node:
        """Return the tokens of prepared rows as prompts.

        Args:
            prepared: the rows.
            model: the model that reads them.
            form: their form.
            lengths: what decides how long they may become.
            prompt: how they are worded.
            training: reference of the training data of which some rows are examples in them.
        """
        parents = {PREPARED: prepared, MODEL: self.tokenizers.get(model.id, model)}
        parents |= {EXAMPLES: self.training_data(training)} if prompt.examples else {}
        spec = TokensSpec(**self.nodes.frame("tokens", parents), form=form, lengths=dict(lengths), prompt=prompt)
        return self.nodes.add(f"{self._name(model)}.{self._name(prepared)}.{prompt.examples}examples", spec)

    def _name(self, node: Node) -> str:
        return self.nodes.names[node.id][0]

    def _new_training_data(self, key: _Training) -> Node:
        name, language = parse_reference(key.reference)
        if key.shuffled:
            members = {key.reference: self.training_data(key.reference)}
            return self._union(key.reference, members, language, key.limits, shuffled=True)
        task = self.registry.tasks[name]
        source = self.sourcing.training(task, key.reference, language)
        if source.union:
            references = [in_language(member, language) for member in source.union]
            members = {reference: self.training_data(reference) for reference in references}
            return self._union(key.reference, members, language, key.limits)
        return self._from_files(key.reference, task, source, language, key.limits)

    def _union(
        self, reference: str, members: Mapping[str, Node], language: str, limits: Limits, shuffled: bool = False
    ) -> Node:
        """Return the training data of several tasks as that of one, so that they share a head; or of one, shuffled."""
        task = self.task(reference)
        frame = self.nodes.frame("prepared", {role(MEMBER, name): node for name, node in members.items()})
        spec = UnionSpec(
            **frame,
            task=task.name,
            form=task.form,
            labels=task.labels,
            language=language,
            members=list(members),
            train_rows=limits.train_rows,
            dev_rows=limits.dev_rows,
            shuffled_labels=shuffled,
        )
        return self.nodes.add(f"{reference}.{'shuffled' if shuffled else 'training'}", spec)

    def _from_files(self, reference: str, task: Task, source: Source, language: str, limits: Limits) -> Node:
        splits = {
            split: [task.file(template, language) for template in templates]
            for split, templates in (("train", source.training), ("dev", source.dev))
            if templates
        }
        spec = self._training_spec(reference, task, source, language, splits, limits)
        return self.nodes.add(f"{reference}.training", spec)

    def _training_spec(
        self,
        reference: str,
        task: Task,
        source: Source,
        language: str,
        splits: Mapping[str, Sequence[str]],
        limits: Limits,
        seed: int | None = None,
    ) -> TrainingDataSpec:
        """Return the spec of rows that are trained on, from files of a source by split."""
        files = [name for names in splits.values() for name in names]
        parents = {DATA: self._data(task, reference, f"training.{language}", dict.fromkeys(files, source))}
        if "context" in source.columns:
            parents |= self._contexts(language)
        return TrainingDataSpec(
            **self.nodes.frame("prepared", parents),
            task=task.name,
            form=task.form,
            labels=task.labels,
            task_version=task.version,
            reading=source.reading,
            language=language,
            splits={
                split: [TrainingFile(file=name, **self.sourcing.rows(task, reference, name)) for name in names]
                for split, names in splits.items()
            },
            where=task.where(source, language),
            train_rows=limits.train_rows,
            dev_rows=limits.dev_rows,
            seed=seed,
        )

    def _data(self, task: Task, reference: str, kind: str, files: Mapping[str, Source]) -> Node:
        content, urls = self.sourcing.content(task, reference, files)
        node = self.nodes.add(f"{task.name}.{kind}", DataSpec(**self.nodes.frame("data", {}), source=content))
        if urls:
            self.urls[node.id] = urls
        return node

    def _contexts(self, language: str) -> dict[str, Node]:
        """Return the evaluation data, in one language, whose contexts no training set may contain.

        Whether the study evaluates in that language does not matter: translations of a context are scored. It is a node
        of its own, so that a language added to a target moves no training data.
        """
        parents = {}
        for name, target in self.study.targets.items():
            used, _ = next(iter(self.evaluated[name].values()))
            found = self.sourcing.contexts(name, target, language, used.kind)
            if found is not None and "context" in found[0].columns:
                contexts = self._evaluation_data(name, {language: found}, f"contexts.{language}", None)
                parents[role(EXCLUDED, f"{target.task}.{found[1].split}")] = contexts
        return parents

    def _evaluation_data(
        self,
        target: str,
        splits: Mapping[str, tuple[Source, SplitFiles]],
        kind: str,
        test_rows: int | None,
    ) -> Node:
        if (target, kind) in self._evaluation:
            return self._evaluation[target, kind]
        task = self.registry.tasks[self.study.targets[target].task]
        files = {name: source for source, split in splits.values() for name in (*split.files, *split.threshold)}
        # most languages are read as one of the sources says; the others say how themselves
        first = next(source for source in task.sources if source in files.values())
        # a pool of some languages is another task than that of all, and made-up text is no task's
        complete = not FORMS[task.form].pooled or set(splits) == set(task.languages)
        complete = complete and self.study.source_of(target) not in MADE_UP
        spec = EvaluationDataSpec(
            **self.nodes.frame("prepared", {DATA: self._data(task, target, kind, files)}),
            task=task.name,
            form=task.form,
            labels=task.labels,
            task_version=task.version,
            reading=first.reading,
            languages={
                language: self._evaluation_files(task, target, language, source, split, first, complete)
                for language, (source, split) in splits.items()
            },
            test_rows=test_rows,
            cluster_rows=task.cluster_rows,
            parallel=task.parallel,
        )
        self._evaluation[target, kind] = self.nodes.add(f"{target}.{kind}", spec)
        return self._evaluation[target, kind]

    def _evaluation_files(
        self, task: Task, target: str, language: str, source: Source, split: SplitFiles, first: Source, complete: bool
    ) -> EvaluationFiles:
        indexed = self.sourcing.rows(task, target, split.files[0])
        return EvaluationFiles(
            split=split.split,
            official=split.official and complete,
            files=split.files,
            threshold=split.threshold,
            where=task.where(source, language),
            published=task.published(split.split, language, indexed["rows"]),
            reading=None if source == first else source.reading,
            labelled=split.labelled,
            **indexed,
        )
