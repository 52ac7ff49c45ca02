"""The registry: tasks, models, recipes and languages, read from the YAML files in ``registry/``.

The science lives there; the code knows forms of tasks, not tasks.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from functools import cache
from pathlib import Path
from typing import Any

from xstilts import schema
from xstilts.errors import UserError, suggestion

FOLDER = Path(__file__).parent / "registry"
SOURCE_LANGUAGE = "en"


@dataclass(frozen=True)
class Split:
    """One split that can be scored: its name, whether it is the official one, and the files of one language."""

    split: str
    official: bool
    languages: tuple[str, ...] | None
    files: tuple[str, ...]


@dataclass(frozen=True)
class Source:
    """One place where a task's raw data can be had, and how it is read; see ``schemas/source.yaml``."""

    reader: str
    columns: Mapping[str, str]
    header: tuple[str, ...] | None
    labels: tuple[str | int, ...] | None
    drop_labels: tuple[str | int, ...]
    unanswerable: str
    training: tuple[str, ...]
    training_languages: tuple[str, ...]
    dev: tuple[str, ...]
    evaluation: tuple[Split, ...]
    repository: str | None
    revision: str | None


@dataclass(frozen=True)
class Task:
    """One data set in one form; see ``schemas/task.yaml``."""

    name: str
    version: int
    title: str
    form: str
    metric: str
    labels: tuple[str, ...] | None
    trained_on: tuple[str, ...] | None
    languages: tuple[str, ...]
    codes: Mapping[str, str]
    cluster_rows: int
    parallel: bool
    licence: str | None
    citation: str | None
    rows: Mapping[str, int]
    sources: Mapping[str, Source]

    def file(self, template: str, language: str) -> str:
        """Return the name of a file for a language."""
        return template.replace("{language}", language).replace("{code}", self.codes.get(language, language))


@dataclass(frozen=True)
class Registry:
    """Everything that can be named in a study."""

    tasks: Mapping[str, Task]
    models: Mapping[str, Mapping[str, Any]]
    recipes: Mapping[str, Mapping[str, Any]]
    languages: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def task(self, name: str, place: str) -> Task:
        """Return a task by name.

        Raises:
            UserError: naming ``place`` and the nearest known name.
        """
        if name not in self.tasks:
            raise UserError(f"{place}: unknown task {name!r}; {suggestion(name, self.tasks)}")
        return self.tasks[name]


def parse_reference(reference: str) -> tuple[str, str]:
    """Split ``task@language`` into task and source language; without a language it is English."""
    name, _, language = reference.partition("@")
    return name, language or SOURCE_LANGUAGE


def read_task(path: Path) -> Task:
    """Read one task file."""
    value = schema.check(schema.read_yaml(path), "task.yaml", str(path))
    sources = {kind: _source(content) for kind, content in value.pop("sources").items() if content is not None}
    return Task(name=path.stem, sources=sources, **_frozen(value))


def _source(value: dict[str, Any]) -> Source:
    evaluation = tuple(Split(**_frozen(split)) for split in value.pop("evaluation"))
    return Source(evaluation=evaluation, **_frozen(value))


def _frozen(value: dict[str, Any]) -> dict[str, Any]:
    return {key: tuple(item) if isinstance(item, list) else item for key, item in value.items()}


@cache
def load() -> Registry:
    """Read the registry that is part of the package.

    Raises:
        UserError: naming the file and the key that is wrong.
    """
    tasks = {path.stem: read_task(path) for path in sorted((FOLDER / "tasks").glob("*.yaml"))}
    models = _table("models.yaml")
    languages = _table("languages.yaml")
    recipes = schema.read_yaml(FOLDER / "recipes.yaml")
    recipes = {
        name: schema.check(recipe or {}, "recipe.yaml", f"{FOLDER / 'recipes.yaml'}: {name}")
        for name, recipe in recipes.items()
    }
    for task in tasks.values():
        _check_task(task, tasks, languages)
    return Registry(tasks, models, recipes, languages)


def _table(name: str) -> dict[str, Any]:
    return schema.check(schema.read_yaml(FOLDER / name), name, str(FOLDER / name))


def _check_task(task: Task, tasks: Mapping[str, Task], languages: Mapping[str, Any]) -> None:
    place = f"registry/tasks/{task.name}.yaml"
    for language in task.languages:
        if language not in languages:
            raise UserError(f"{place}: languages: {language!r} is not in languages.yaml")
    for name in task.trained_on or ():
        if name not in tasks:
            raise UserError(f"{place}: trained_on: unknown task {name!r}; {suggestion(name, tasks)}")
        if tasks[name].form != task.form or tasks[name].labels != task.labels:
            raise UserError(f"{place}: trained_on: {name!r} has another form or other labels than this task")
    if task.form in ("classification", "tagging") and not task.labels:
        raise UserError(f"{place}: labels: a task of the form {task.form} needs its label names")


def describe(item: Any) -> dict[str, Any]:
    """Return a flat dataclass as a dict of JSON values."""
    return {
        entry.name: list(value) if isinstance(value := getattr(item, entry.name), tuple) else value
        for entry in fields(item)
    }
