"""The registry: tasks, mixtures, models, recipes and languages, read from the YAML files in ``registry/``.

The science lives there; the code knows forms of tasks, not tasks.
"""

import os
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from xstilts import schema
from xstilts.errors import UserError, suggestion
from xstilts.forms import FORMS
from xstilts.forms.declaration import PERCENT
from xstilts.planning import bibliography
from xstilts.references import SOURCE_LANGUAGE, in_language, parse_reference
from xstilts.store.study_plan import Benchmark, BenchmarkTask

FOLDER = schema.REGISTRY
MINIATURE = "miniature"


@dataclass(frozen=True)
class Split:
    """One split that can be scored: its name, whether it is the official one, and its files.

    ``files`` are those of one language, or templates of them, or by language; ``threshold`` those of another split, on
    which a threshold is chosen.
    """

    split: str
    official: bool
    languages: tuple[str, ...] | None
    files: tuple[str, ...] | Mapping[str, tuple[str, ...]]
    threshold: tuple[str, ...] = ()

    def templates(self, language: str) -> tuple[str, ...]:
        """Return the templates of the files of a language; none if the split does not name it."""
        return tuple(self.files.get(language, ())) if isinstance(self.files, Mapping) else self.files


@dataclass(frozen=True)
class Source:
    """One place where a task's raw data can be had, and how it is read; see ``schemas/source.yaml``."""

    kind: str
    urls: tuple[str, ...]
    repository: str | None
    revision: str | None
    union: tuple[str, ...]
    reader: str | None
    header: tuple[str, ...] | None
    columns: Mapping[str, str]
    values: Mapping[str, Mapping[str, str]]
    where: Mapping[str, str] | None
    labels: tuple[str | int | bool, ...] | None
    drop_labels: tuple[str | int | bool, ...]
    unanswerable: str
    training: tuple[str, ...]
    training_languages: tuple[str, ...]
    dev: tuple[str, ...]
    evaluation: tuple[Split, ...]

    def trains(self) -> bool:
        """Tell whether there is training data here."""
        return bool(self.training or self.union)


@dataclass(frozen=True)
class Task:
    """One data set in one form; see ``schemas/task.yaml``."""

    name: str
    version: int
    title: str
    form: str
    metric: str
    labels: tuple[str, ...] | None
    scoring: str | None
    trained_on: tuple[str, ...] | None
    languages: tuple[str, ...]
    codes: Mapping[str, str]
    cluster_rows: int
    parallel: bool
    licence: str | None
    citation: str | None
    bibtex: tuple[str, ...]
    rows: Mapping[str, int | Mapping[str, int]]
    sources: tuple[Source, ...]

    def file(self, template: str, language: str) -> str:
        """Return the name of a file for a language."""
        return template.replace("{language}", language).replace("{code}", self.codes.get(language, language))

    def published(self, split: str, language: str) -> int | None:
        """Return how many rows a split has by its paper, or None where that is not known."""
        rows = self.rows.get(split)
        return rows.get(language) if isinstance(rows, Mapping) else rows

    def trains(self) -> bool:
        """Tell whether the task has training data of its own anywhere."""
        return any(source.trains() for source in self.sources)


@dataclass(frozen=True)
class Registry:
    """Everything that can be named in a study."""

    tasks: Mapping[str, Task]
    mixtures: Mapping[str, Sequence[Any]]
    models: Mapping[str, Mapping[str, Any]]
    recipes: Mapping[str, Mapping[str, Any]]
    languages: Mapping[str, Mapping[str, Any]]
    benchmarks: Mapping[str, Benchmark]
    claims: Mapping[str, Mapping[str, Any]]
    checksums: Mapping[str, str]
    miniature: Mapping[str, Mapping[str, Any]]
    origins: Mapping[str, str | Mapping[str, str]]
    tools: Mapping[str, Mapping[str, Any]]
    bibliography: Mapping[str, str]
    benchmark_bibtex: Mapping[str, tuple[str, ...]]

    def of(self, source: str) -> "Registry":
        """Return the registry as it is for studies of a source: the miniature world has languages of its own."""
        return self._in_miniature if source == MINIATURE else self

    @cached_property
    def _in_miniature(self) -> "Registry":
        return _in_miniature(self)

    @property
    def bibtex(self) -> dict[str, Sequence[str]]:
        """What papers cite for whatever can be cited, such as ``task xnli``: keys of the bibliography."""
        named: dict[str, Sequence[str]] = {f"task {name}": task.bibtex for name, task in self.tasks.items()}
        named |= {f"model {name}": model["bibtex"] for name, model in self.models.items()}
        named |= {f"tool {name}": tool["bibtex"] for name, tool in self.tools.items()}
        return named | {f"benchmark {name}": keys for name, keys in self.benchmark_bibtex.items()}

    def task(self, name: str, place: str) -> Task:
        """Return a task by name.

        Raises:
            UserError: naming ``place`` and the nearest name of a task.
        """
        if name not in self.tasks:
            raise UserError(f"{place}: unknown task {name!r}; {suggestion(name, self.tasks)}")
        return self.tasks[name]


def check_reference(reference: str, registry: Registry, place: str) -> tuple[str, str]:
    """Return task and source language of a reference; a task in the source language is written without it.

    Raises:
        UserError: if there is no such task or language, or the reference can be shorter.
    """
    name, language = parse_reference(reference)
    registry.task(name, place)
    check_known(language, registry.languages, place, "language")
    if reference != in_language(name, language):
        raise UserError(f"{place}: write {name!r} for {reference!r}; {SOURCE_LANGUAGE} is the default")
    return name, language


def check_known(name: str, registered: Mapping[str, Any], place: str, kind: str) -> None:
    """Refuse a name that the registry does not have.

    Raises:
        UserError: with the name that is most like it.
    """
    if name not in registered:
        raise UserError(f"{place}: unknown {kind} {name!r}; {suggestion(name, registered)}")


def read_task(path: Path) -> Task:
    """Read one task file.

    Raises:
        UserError: naming the file and the key that is wrong.
    """
    value = schema.check(schema.read_yaml(path), "task.yaml", str(path), choices())
    sources = tuple(map(_source, value.pop("sources")))
    if value["scoring"] is None:
        value["scoring"] = next(iter(FORMS[value["form"]].rules), None)
    return Task(name=path.stem, sources=sources, **_frozen(value))


def _source(value: dict[str, Any]) -> Source:
    evaluation = tuple(Split(**_frozen(split)) for split in value.pop("evaluation"))
    return Source(evaluation=evaluation, **_frozen(value))


def _frozen(value: dict[str, Any]) -> dict[str, Any]:
    return {key: tuple(item) if isinstance(item, list) else item for key, item in value.items()}


@cache
def load(own_tasks: Path | None = None) -> Registry:
    """Read the registry that is part of the package, and a user's own tasks.

    Args:
        own_tasks: a folder of task files; a task of the package's registry cannot be given another meaning there.

    Raises:
        UserError: naming the file and the key that is wrong.
    """
    paths = {path.stem: path for path in sorted((FOLDER / "tasks").glob("*.yaml"))}
    for path in _own_files(own_tasks):
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9_-]*", path.stem):
            raise UserError(f"{path}: the file's name becomes the task's; use letters, digits, '-' and '_'")
        if path.stem in paths:
            raise UserError(f"{path}: {path.stem!r} is a task of the registry already; give the file another name")
        paths[path.stem] = path
    mixtures = _table("mixtures.yaml")
    for name in mixtures:
        if name in paths:
            raise UserError(f"task {name}: a mixture of the registry has this name; give the task another one")
    tasks = {name: read_task(path) for name, path in paths.items()}
    languages = _table("languages.yaml")
    recipes = {
        name: schema.check(recipe or {}, "recipe.yaml", f"{FOLDER / 'recipes.yaml'}: {name}")
        for name, recipe in schema.read_yaml(FOLDER / "recipes.yaml").items()
    }
    files = sorted((FOLDER / "benchmarks").glob("*.yaml"))
    contents = {
        file.stem: schema.check(schema.read_yaml(file), "benchmark.yaml", str(file), choices()) for file in files
    }
    benchmarks = {name: _benchmark(name, content) for name, content in contents.items()}
    for name, task in tasks.items():
        _check_task(task, str(paths[name]), tasks, languages)
    for name, benchmark in benchmarks.items():
        _check_benchmark(benchmark, str(FOLDER / "benchmarks" / f"{name}.yaml"), tasks)
    registry = Registry(
        tasks=tasks,
        mixtures=mixtures,
        models=_table("models.yaml"),
        recipes=recipes,
        languages=languages,
        benchmarks=benchmarks,
        claims=_table("claims.yaml"),
        checksums=_table("checksums.yaml"),
        miniature=_table("miniature.yaml"),
        origins=_table("origins.yaml"),
        tools=_table("tools.yaml"),
        bibliography=bibliography.load(FOLDER, own_tasks),
        benchmark_bibtex={name: tuple(content["bibtex"]) for name, content in contents.items()},
    )
    bibliography.check(registry.bibtex, registry.bibliography)
    return registry


def _in_miniature(real: Registry) -> Registry:
    """Return the registry with the languages of the miniature world in place of the real ones.

    The source language is there where the real task has it; all others are there. What holds for real data only is
    left out: published numbers of rows, other codes in file names, and MLQA's rules, which are by language.
    """
    tasks = {name: _task_in_miniature(task, real.miniature) for name, task in real.tasks.items()}
    benchmarks = {
        name: replace(
            benchmark,
            tasks={task: replace(entry, languages=tasks[task].languages) for task, entry in benchmark.tasks.items()},
        )
        for name, benchmark in real.benchmarks.items()
    }
    return replace(real, tasks=tasks, languages=real.miniature, benchmarks=benchmarks)


def _task_in_miniature(task: Task, languages: Mapping[str, Any]) -> Task:
    def renamed(real: tuple[str, ...]) -> tuple[str, ...]:
        others = bool(set(real) - {SOURCE_LANGUAGE})
        return tuple(
            language for language in languages if (language in real if language == SOURCE_LANGUAGE else others)
        )

    sources = tuple(
        replace(
            source,
            training_languages=renamed(source.training_languages),
            evaluation=tuple(replace(split, languages=None) for split in source.evaluation),
        )
        for source in task.sources
    )
    scoring = "squad" if task.scoring == "mlqa" else task.scoring
    return replace(task, languages=renamed(task.languages), codes={}, rows={}, sources=sources, scoring=scoring)


def _own_files(folder: Path | None) -> list[Path]:
    if folder is None:
        return []
    files = sorted(folder.glob("*.yaml")) if os.path.isdir(folder) else []
    if not files:
        raise UserError(f"own_tasks: no task file (*.yaml) in {folder}")
    return files


def _table(name: str) -> dict[str, Any]:
    return schema.check(schema.read_yaml(FOLDER / name), name, str(FOLDER / name))


def _benchmark(name: str, content: Mapping[str, Any]) -> Benchmark:
    tasks = {task: BenchmarkTask(**_frozen(entry)) for task, entry in content["tasks"].items()}
    return Benchmark(name, content["title"], content["citation"], tasks)


def choices() -> dict[str, list[str]]:
    """Return the values that schemas call ``x-choices``: names that forms declare."""
    declared = FORMS.values()
    return {
        "forms": list(FORMS),
        "metrics": list(dict.fromkeys(metric for form in declared for metric in form.metrics)),
        "rules": list(dict.fromkeys(rules for form in declared for rules in form.rules)),
    }


def _check_task(task: Task, place: str, tasks: Mapping[str, Task], languages: Mapping[str, Any]) -> None:
    for language in task.languages:
        if language not in languages:
            raise UserError(f"{place}: languages: {language!r} is not in languages.yaml")
    names = {reference: parse_reference(reference)[0] for reference in task.trained_on or ()}
    names |= {member: member for source in task.sources for member in source.union}
    for reference, name in names.items():
        if name not in tasks:
            raise UserError(f"{place}: unknown task {reference!r}; {suggestion(reference, tasks)}")
    for reference in task.trained_on or ():
        if reference != (written := in_language(*parse_reference(reference))):
            raise UserError(f"{place}: trained_on: write {written!r} for {reference!r}")
    named = {reference: tasks[name] for reference, name in names.items()}
    _check_form(task, place)
    form = FORMS[task.form]
    for index, source in enumerate(task.sources):
        if source.reader is None and not source.union:
            raise UserError(f"{place}: sources: a source needs a `reader`, or a `union`")
        if source.union and form.labels_from_data and task.labels is None:
            raise UserError(f"{place}: union: needs `labels`, which its members have in common")
        for member in source.union:
            if (named[member].form, named[member].labels) != (task.form, task.labels):
                raise UserError(f"{place}: union: {member!r} has another form or other labels than this task")
        if not source.union:
            _check_fields(task, source, f"{place}: sources.{index}")
    if task.trained_on == () and form.trained and not form.pretrained_head:
        raise UserError(f"{place}: trained_on: the form {task.form} cannot do without training")
    if task.trained_on and form.trained:
        last = named[task.trained_on[-1]]
        if last.form != task.form or (form.label_head and last.labels != task.labels):
            raise UserError(f"{place}: trained_on: {last.name!r} has another form or other labels than this task")
    if any(source.evaluation for source in task.sources) and not task.languages:
        raise UserError(f"{place}: languages: a task that is scored needs the languages of its evaluation data")


def _check_form(task: Task, place: str) -> None:
    """Refuse metric, labels and rules that the form of a task has not."""
    form = FORMS[task.form]
    if task.metric not in form.metrics:
        raise UserError(f"{place}: metric: the form {task.form} has no {task.metric!r}; {_known(form.metrics)}")
    if task.scoring is not None and task.scoring not in form.rules:
        expected = _known(form.rules) if form.rules else "leave the key out"
        raise UserError(f"{place}: scoring: the form {task.form} has no rules {task.scoring!r}; {expected}")
    if task.labels and not form.takes_labels:
        raise UserError(f"{place}: labels: a task of the form {task.form} has no labels; leave the key out")
    scored = any(source.evaluation for source in task.sources)
    if form.takes_labels and not task.labels and (scored or not form.labels_from_data):
        raise UserError(f"{place}: labels: a task of the form {task.form} needs its label names")


def _check_fields(task: Task, source: Source, place: str) -> None:
    """Refuse fields and labels of a source that do not fit the form of its task."""
    form = FORMS[task.form]
    fields = (*form.required, *form.optional)
    for key, given in (("columns", source.columns), ("values", source.values)):
        for field in given:
            if field not in fields:
                raise UserError(f"{place}.{key}: the form {task.form} has no field {field!r}; {_known(fields)}")
    for field in form.required:
        if field not in source.columns:
            raise UserError(f"{place}.columns: the form {task.form} needs the field {field!r}; name its column")
    for field in source.values:
        if field not in source.columns:
            raise UserError(f"{place}.values: {field!r} has no column; name it in `columns`")
    for key, values in (("labels", source.labels), ("drop_labels", source.drop_labels)):
        if values and not form.takes_labels:
            raise UserError(f"{place}.{key}: a task of the form {task.form} has no labels; leave the key out")
    names = task.labels or ()
    if source.labels is not None and len(source.labels) != len(names):
        raise UserError(
            f"{place}.labels: {len(source.labels)} values for {len(names)} labels; give one for each, in their order"
        )


def _check_benchmark(benchmark: Benchmark, place: str, tasks: Mapping[str, Task]) -> None:
    """Refuse tasks that there are not, and metrics that their forms lack or that cannot be averaged."""
    for name, entry in benchmark.tasks.items():
        if name not in tasks:
            raise UserError(f"{place}: tasks: unknown task {name!r}; {suggestion(name, tasks)}")
        form = tasks[name].form
        percents = [metric for metric, declared in FORMS[form].metrics.items() if declared.unit == PERCENT]
        for metric in entry.metrics:
            if metric not in percents:
                raise UserError(
                    f"{place}: tasks.{name}.metrics: the form {form} has no {metric!r} in percent; {_known(percents)}"
                )


def _known(names: Iterable[str]) -> str:
    return f"known: {', '.join(names)}"
