"""A study: what a researcher compares, read from one YAML file and checked against the registry.

Ring one (shape) is ``schema.py``, ring two (cross-references) is here, ring three (feasibility: do the sources have
the data) is ``plan.py``.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from xstilts import schema
from xstilts.errors import UserError, suggestion
from xstilts.registry import SOURCE_LANGUAGE, Registry, parse_reference

NONE = "none"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_+-]*")


@dataclass(frozen=True)
class MixtureTask:
    """A task of a mixture and the factor on its probability of being drawn."""

    task: str
    rate: float


@dataclass(frozen=True)
class Mixture:
    """Intermediate tasks that are trained together, and how they are sampled."""

    tasks: tuple[MixtureTask, ...]
    sampling: str
    cap: int | None


@dataclass(frozen=True)
class Target:
    """A target of a study: its task, source language, and the languages and split asked for (None: the study's)."""

    task: str
    language: str
    languages: tuple[str, ...] | None
    split: str | None


@dataclass(frozen=True)
class Limits:
    """Upper limits on rows; None is no limit."""

    train_rows: int | None
    dev_rows: int
    test_rows: int | None


@dataclass(frozen=True)
class Study:
    """A checked study; names point into the registry."""

    name: str
    description: str
    source: str
    models: tuple[str, ...]
    recipes: Mapping[str, Mapping[str, Any]]
    mixtures: Mapping[str, Mixture | None]
    targets: Mapping[str, Target]
    languages: tuple[str, ...]
    seeds: tuple[int, ...]
    default_limits: Limits
    task_limits: Mapping[str, Limits]
    figures: Mapping[str, Any]

    def limits(self, task: str) -> Limits:
        """Return the limits of a task; those of ``mnli`` hold for ``mnli@de`` too, unless it has its own."""
        general = self.task_limits.get(parse_reference(task)[0], self.default_limits)
        return self.task_limits.get(task, general)


def read_study(path: Path, registry: Registry) -> Study:
    """Read and check a study file.

    Raises:
        UserError: naming the file, the path of the key, what was found and the mend.
    """
    place = str(path)
    raw = schema.read_yaml(path)
    value = schema.check(raw, "study.yaml", place)
    if not _NAME.fullmatch(path.stem):
        raise UserError(f"{place}: the file's name becomes the study's; use letters, digits, '-', '_' and '+'")
    for model in value["models"]:
        _known(model, registry.models, f"{place}: models", "model")
    for language in value["languages"]:
        _known(language, registry.languages, f"{place}: languages", "language")
    for name in value["tasks"]:
        _reference(name, registry, f"{place}: tasks")
    default_limits = Limits(**value["limits"])
    return Study(
        name=path.stem,
        description=" ".join(value["description"].split()),
        source=value["source"],
        models=tuple(value["models"]),
        recipes={name: _recipe(name, recipe, registry, place) for name, recipe in value["recipes"].items()},
        mixtures={name: _mixture(name, mixture, registry, place) for name, mixture in value["mixtures"].items()},
        targets={name: _target(name, target, registry, place) for name, target in value["targets"].items()},
        languages=tuple(value["languages"]),
        seeds=tuple(value["seeds"]),
        default_limits=default_limits,
        # what a task does not say is the study's own limit, not the schema's default
        task_limits={
            name: Limits(**(value["limits"] | {key: limits[key] for key in raw["tasks"][name]}))
            for name, limits in value["tasks"].items()
        },
        figures=value["figures"],
    )


def _reference(reference: str, registry: Registry, place: str) -> tuple[str, str]:
    """Return task and source language of a checked reference; a task has one way to be written."""
    name, language = parse_reference(reference)
    registry.task(name, place)
    _known(language, registry.languages, place, "language")
    if reference == f"{name}@{SOURCE_LANGUAGE}":
        raise UserError(f"{place}: write {name!r} for {reference!r}; {SOURCE_LANGUAGE} is the default")
    return name, language


def _known(name: str, known: Mapping[str, Any], place: str, kind: str) -> None:
    if name not in known:
        raise UserError(f"{place}: unknown {kind} {name!r}; {suggestion(name, known)}")


def _recipe(name: str, recipe: Mapping[str, Any] | None, registry: Registry, place: str) -> Mapping[str, Any]:
    if recipe is None:
        _known(name, registry.recipes, f"{place}: recipes", "recipe")
        recipe = registry.recipes[name]
    forms = {task.form for task in registry.tasks.values()}
    for phase in ("intermediate", "target"):
        for key, override in recipe[phase]["overrides"].items():
            here = f"{place}: recipes.{name}.{phase}.overrides"
            _known(parse_reference(key)[0], {*forms, *registry.tasks}, here, "form or task")
            if phase == "intermediate" and "learning_rate" in override:
                raise UserError(f"{here}.{key}.learning_rate: the intermediate phase has one learning rate for all")
            task = registry.tasks.get(parse_reference(key)[0])
            training = sorted(set(override) - {"max_length"})
            if task is not None and task.trained_on and training:
                raise UserError(
                    f"{here}.{key}.{training[0]}: {key} is trained on {', '.join(task.trained_on)}; set it there"
                )
    return recipe


def _mixture(name: str, mixture: Any, registry: Registry, place: str) -> Mixture | None:
    here = f"{place}: mixtures.{name}"
    if name == NONE:
        if mixture is not None:
            raise UserError(f"{here}: 'none' is reserved for no intermediate phase; leave it empty or rename it")
        return None
    if mixture is None:
        raise UserError(f"{here}: has no tasks; list at least one, such as [mnli]")
    if isinstance(mixture, list):
        mixture = schema.check({"tasks": mixture}, "mixture.yaml", here)
    tasks = []
    for entry in mixture["tasks"]:
        entry = entry if isinstance(entry, dict) else {"task": entry, "rate": 1}
        task, _ = _reference(entry["task"], registry, here)
        if registry.tasks[task].trained_on or not _trainable(registry, task):
            raise UserError(f"{here}: {entry['task']!r} has no training data of its own, so it cannot be intermediate")
        if entry["task"] in [known.task for known in tasks]:
            raise UserError(f"{here}: {entry['task']!r} is given twice; give it once, with a rate")
        tasks.append(MixtureTask(entry["task"], float(entry["rate"])))
    return Mixture(tuple(tasks), mixture["sampling"], mixture["cap"])


def _trainable(registry: Registry, task: str) -> bool:
    return any(source.training for source in registry.tasks[task].sources.values())


def _target(name: str, target: Mapping[str, Any] | None, registry: Registry, place: str) -> Target:
    here = f"{place}: targets.{name}"
    task_name, language = _reference(name, registry, f"{place}: targets")
    task = registry.tasks[task_name]
    if not any(source.evaluation for source in task.sources.values()):
        raise UserError(f"{here}: the task has no evaluation data, so it cannot be a target")
    target = target or {"languages": None, "split": None}
    for asked in target["languages"] or ():
        if asked not in task.languages:
            raise UserError(f"{here}.languages: {task.title} has no {asked!r}; {suggestion(asked, task.languages)}")
    languages = tuple(target["languages"]) if target["languages"] else None
    return Target(task_name, language, languages, target["split"])
