"""A study: what a researcher compares, read from one YAML file and checked against the registry.

Ring one (shape) is ``schema.py``, ring two (cross-references) is here, ring three (feasibility: do the sources have
the data) is ``sourcing.py``.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from xstilts import schema
from xstilts.errors import UserError, suggestion
from xstilts.forms import FORMS
from xstilts.planning import claims, pins, question
from xstilts.planning import mixtures as study_mixtures
from xstilts.planning import recipe as recipes
from xstilts.planning.languages import check_language
from xstilts.planning.mixtures import Mixture
from xstilts.planning.pins import PinnedModel
from xstilts.planning.question import ModelUse
from xstilts.planning.registry import MINIATURE, Registry, check_known, check_reference
from xstilts.planning.tasks import Task
from xstilts.references import in_language, parse_reference
from xstilts.store.answer import Answer, Contrast
from xstilts.store.claims import PlannedClaim
from xstilts.store.figures import FIGURES, PALETTES
from xstilts.store.study_plan import Benchmark, FigureLabels, FigureOptions

PHASES = ("intermediate", "target")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_+-]*")
# results of a study, each of a model, recipe, mixture, seed, target and world; the largest study here has thousands
_MOST_CELLS = 100_000


@dataclass(frozen=True)
class Target:
    """A target of a study.

    Attributes:
        task: its task.
        language: its source language.
        trained_on: the stages of its training, as references; none for a model that is used as it is.
        languages: the languages asked for.
        strict: whether each of these languages must be there.
        split: the split asked for; None for the best one.
    """

    task: str
    language: str
    trained_on: tuple[str, ...]
    languages: tuple[str, ...]
    strict: bool
    split: str | None


@dataclass(frozen=True)
class Limits:
    """Upper limits on rows; None is no limit."""

    train_rows: int | None
    dev_rows: int
    test_rows: int | None


@dataclass(frozen=True)
class Study:
    """A checked study; names point into the registry, but for ``pinned``: models named by hub id or folder."""

    name: str
    description: str
    source: str
    worlds: tuple[int, ...]
    models: Mapping[str, ModelUse]
    recipes: Mapping[str, Mapping[str, Any]]
    mixtures: Mapping[str, Mixture | None]
    benchmark: Benchmark | None
    targets: Mapping[str, Target]
    seeds: tuple[int, ...]
    default_limits: Limits
    task_limits: Mapping[str, Limits]
    task_sources: Mapping[str, str]
    contrasts: Mapping[str, Contrast]
    answer: Answer | None
    claims: Mapping[str, PlannedClaim]
    figures: FigureOptions
    unlabelled_tests: bool = False
    shots: tuple[int, ...] = ()
    pinned: Mapping[str, PinnedModel] = field(default_factory=dict)

    def limits(self, task: str) -> Limits:
        """Return the limits of a task; those of ``mnli`` hold for ``mnli@de`` too, unless it has its own."""
        general = self.task_limits.get(parse_reference(task)[0], self.default_limits)
        return self.task_limits.get(task, general)

    def source_of(self, task: str) -> str:
        """Return where the raw data of a task comes from: ``mirror``, ``download``, ``miniature`` or ``tiny``."""
        general = self.task_sources.get(parse_reference(task)[0], self.source)
        return self.task_sources.get(task, general)

    def registered(self, registry: Registry) -> set[str]:
        """Return the models of the registry whose weights the study reads."""
        names = set(self.models) - set(self.pinned)
        return {registry.models[name]["weights_of"] or name for name in names}


def read_study(path: Path, registry: Registry, unpinned: bool = False) -> Study:
    """Read and check a study file.

    Args:
        path: the file.
        registry: what can be named in it.
        unpinned: whether its models are still to be pinned; then nothing is known of them.

    Raises:
        UserError: naming the file, the path of the key, what was found and what to do.
    """
    location = str(path)
    raw = schema.read_yaml(path)
    value = schema.check(raw, "study.yaml", location)
    if not _NAME.fullmatch(path.stem):
        raise UserError(f"{location}: the file's name becomes the study's; use letters, digits, '-', '_' and '+'")
    registry = registry.of(value["source"])
    pinned = pins.pinned(path, value["models"], registry.models, unpinned)
    registry = with_pinned(registry, pinned)
    for language in value["languages"]:
        check_language(language, registry.languages, f"{location}: languages")
    for name in value["tasks"]:
        check_reference(name, registry, f"{location}: tasks")
    default_limits = Limits(**value["limits"])
    mixtures = study_mixtures.read(value["mixtures"], registry, location)
    read = {name: _recipe(name, recipe, registry, location) for name, recipe in value["recipes"].items()}
    models = _models(value, read, mixtures, registry, location)
    benchmark = None
    if value["benchmark"] is not None:
        check_known(value["benchmark"], registry.benchmarks, f"{location}: benchmark", "benchmark")
        benchmark = registry.benchmarks[value["benchmark"]]
    targets = _targets(value, benchmark, registry, location)
    worlds = _worlds(value["world"], value["source"], location)
    shots = tuple(sorted(filter(None, value["shots"])))
    results = sum(1 + len(shots) * len(target.languages) for target in targets.values())
    _check_size(models, len(value["seeds"]) * results * len(worlds), location)
    tasks = {name: target.task for name, target in targets.items()}
    contrasts = question.contrasts(value["contrasts"], models, mixtures, tasks, registry, location)
    named = list(value["recipes"])
    answer = question.answer(value["answer"], models, mixtures, named, benchmark is not None, registry, location)
    trained_on = {name: target.trained_on for name, target in targets.items()}
    question.check_primary(answer, contrasts, models, location)
    if answer is not None:
        _check_controls(answer.controls, targets, registry, location)
    return Study(
        name=path.stem,
        description=" ".join(value["description"].split()),
        source=value["source"],
        worlds=worlds,
        models=models,
        recipes=read,
        mixtures=mixtures,
        benchmark=benchmark,
        targets=targets,
        seeds=tuple(value["seeds"]),
        default_limits=default_limits,
        # what a task does not say is the study's own limit, not the schema's default
        task_limits={name: _limits(name, value) for name in value["tasks"]},
        task_sources={name: settings["source"] for name, settings in value["tasks"].items() if "source" in settings},
        contrasts=contrasts,
        answer=answer,
        claims=claims.read(value["claims"], models, mixtures, trained_on, registry, location),
        figures=_figures(value["figures"], models, mixtures, targets, location),
        unlabelled_tests=value["unlabelled_tests"],
        shots=shots,
        pinned=pinned,
    )


def with_pinned(registry: Registry, pinned: Mapping[str, PinnedModel]) -> Registry:
    """Return the registry as if the models were there that a study names by hub id or folder.

    Of a repository that the registry has, its own entry says more than a pin.
    """
    if not pinned:
        return registry
    known = {name: registry.models[name]["hub"] for name in pinned if name in registry.models}
    named = {
        name: model.entry()
        for name, model in pinned.items()
        if model.repository is None or known.get(name) != model.repository
    }
    return replace(registry, models={**registry.models, **named})


def _worlds(value: int | list[int], source: str, location: str) -> tuple[int, ...]:
    if isinstance(value, int):
        return (value,)
    if source != MINIATURE:
        raise UserError(f"{location}: world: several worlds need `source: miniature`, found {source!r}; name one world")
    return tuple(value)


def _check_size(models: Mapping[str, ModelUse], each: int, location: str) -> None:
    """Refuse a study whose planning would not end; ``each`` model, recipe and mixture has so many results."""
    cells = each * sum(len(use.recipes) * len(use.mixtures) + len(use.prompted) for use in models.values())
    if cells > _MOST_CELLS:
        raise UserError(
            f"{location}: asks for {cells:,} results (of models, recipes, mixtures, seeds, targets, worlds, and `shots`"
            f" in languages), at most {_MOST_CELLS:,}; divide it into several studies, which share what they have in"
            " common"
        )


def _check_controls(controls: Sequence[str], targets: Mapping[str, Target], registry: Registry, location: str) -> None:
    """Refuse control languages of which the study has no scores, and source languages."""
    here = f"{location}: answer.controls"
    evaluated = {
        language
        for target in targets.values()
        for language in target.languages
        if language in registry.tasks[target.task].languages
    }
    sources = {target.language: name for name, target in targets.items()}
    for language in controls:
        if language in sources:
            raise UserError(f"{here}: {language!r} is the source language of {sources[language]}; leave it out")
        if language not in evaluated:
            known = suggestion(language, evaluated - set(sources))
            raise UserError(f"{here}: no target of the study is evaluated in {language!r}; {known}")


def _figures(
    value: Mapping[str, Any],
    models: Mapping[str, ModelUse],
    mixtures: Mapping[str, Mixture | None],
    targets: Mapping[str, Target],
    location: str,
) -> FigureOptions:
    """Return the options of figures."""
    for key in ("only", "widths"):
        for name in value[key] or ():
            check_known(name, FIGURES, f"{location}: figures.{key}", "figure")
    if value["palette"] not in PALETTES:
        raise UserError(
            f"{location}: figures.palette: {value['palette']!r} is no diverging colour map of seaborn or matplotlib;"
            f" {suggestion(value['palette'], PALETTES)}"
        )
    languages = dict.fromkeys(language for target in targets.values() for language in target.languages)
    named = {"models": models, "mixtures": mixtures, "targets": targets, "languages": languages}
    for kind, labels in value["labels"].items():
        for name in labels:
            check_known(name, named[kind], f"{location}: figures.labels.{kind}", kind.removesuffix("s"))
    only = None if value["only"] is None else tuple(value["only"])
    return FigureOptions(
        palette=value["palette"],
        width=_width(value["width"]),
        widths={name: _width(width) for name, width in value["widths"].items()},
        only=only,
        labels=FigureLabels(**value["labels"]),
    )


def _width(value: float | str) -> float | str:
    """Return a width by name, or in inches; equal numbers are equal."""
    return value if isinstance(value, str) else float(value)


def _models(
    value: Mapping[str, Any],
    recipes: Mapping[str, Mapping[str, Any]],
    mixtures: Mapping[str, Mixture | None],
    registry: Registry,
    location: str,
) -> dict[str, ModelUse]:
    uses = {}
    for named in value["models"]:
        name = pins.name_of(named)
        here = f"{location}: models.{name}"
        check_known(name, registry.models, f"{location}: models", "model")
        settings = (value["models"][named] if isinstance(value["models"], dict) else None) or {}
        recipe_names = settings.get("recipes") or value["recipes"]
        for recipe in recipe_names:
            check_known(recipe, recipes, f"{here}.recipes", "recipe")
        chosen: list[str] = []
        own = settings.get("mixtures") or ()
        for asked in own or mixtures:
            # a key that makes several mixtures stands for all of them
            made = [new for new, mixture in mixtures.items() if new == asked or (mixture and mixture.key == asked)]
            if not made:
                names = {*mixtures, *value["mixtures"]}
                raise UserError(f"{here}.mixtures: unknown mixture {asked!r}; {suggestion(asked, names)}")
            chosen += made
        uses[name] = question.model_use({recipe: recipes[recipe] for recipe in recipe_names}, chosen, own, here)
    for key, mixture in mixtures.items():
        for model in mixture.learning_rates if mixture else ():
            if model:
                check_known(model, uses, f"{location}: mixtures.{key}.learning_rate", "model")
    return uses


def _limits(name: str, value: Mapping[str, Any]) -> Limits:
    """Return the limits of a task: its own win over those of the task in its usual language, which win over all."""
    general = value["tasks"].get(parse_reference(name)[0], {})
    limits = value["limits"] | general | value["tasks"][name]
    return Limits(**{key: limit for key, limit in limits.items() if key != "source"})


def _recipe(name: str, recipe: Mapping[str, Any] | None, registry: Registry, location: str) -> Mapping[str, Any]:
    if recipe is None:
        check_known(name, registry.recipes, f"{location}: recipes", "recipe")
        recipe = registry.recipes[name]
    recipes.check_prompting(recipe, f"{location}: recipes.{name}")
    forms = {task.form for task in registry.tasks.values()}
    for phase in PHASES:
        for key, override in recipe[phase]["overrides"].items():
            here = f"{location}: recipes.{name}.{phase}.overrides"
            check_known(parse_reference(key)[0], dict.fromkeys([*forms, *registry.tasks]), here, "form or task")
            if key not in forms:
                check_reference(key, registry, here)
            shared = sorted({"learning_rate", "weight_decay", "warmup", "keep"} & set(override))
            if phase == "intermediate" and shared:
                raise UserError(
                    f"{here}.{key}.{shared[0]}: the intermediate phase has one {shared[0]} for all its tasks"
                )
            task = registry.tasks.get(parse_reference(key)[0])
            form = FORMS[task.form if task is not None else key]
            if form.embedded and not form.trained:
                raise UserError(
                    f"{here}.{key}: {key} is not trained; its length stands in the recipe's `bitext` section"
                )
            training = sorted(set(override) - {"max_length"})
            if phase == "target" and task is not None and task.trained_on and training:
                raise UserError(
                    f"{here}.{key}.{training[0]}: {key} is trained on {', '.join(task.trained_on)}; set it there"
                )
    for key in recipe["bitext"]["overrides"]:
        here = f"{location}: recipes.{name}.bitext.overrides"
        check_known(key, dict.fromkeys([*forms, *registry.tasks]), here, "form or task")
        form = FORMS[registry.tasks[key].form if key in registry.tasks else key]
        if form.trained or not form.embedded:
            raise UserError(f"{here}.{key}: {key} is not scored by vectors of an untrained model; take it out")
    recipes.check_phases(recipe, f"{location}: recipes.{name}")
    return recipe


def _targets(
    value: Mapping[str, Any], benchmark: Benchmark | None, registry: Registry, location: str
) -> dict[str, Target]:
    """Return the targets that the study names, or those of its benchmark."""
    languages, of_benchmark = value["languages"], benchmark.tasks if benchmark is not None else {}
    targets = value["targets"] or dict.fromkeys(of_benchmark)
    if not targets:
        raise UserError(f"{location}: targets: needs at least one target, or a `benchmark`")
    read = {}
    for name, target in targets.items():
        task = registry.tasks[check_reference(name, registry, f"{location}: targets")[0]]
        usual = of_benchmark[task.name].languages if task.name in of_benchmark else tuple(languages or task.languages)
        if languages:
            usual = tuple(language for language in usual if language in languages)
            if not usual:
                raise UserError(f"{location}: targets.{name}: has none of the study's languages in its benchmark")
        read[name] = _target(name, target, usual, registry, location)
    return read


def _target(
    name: str, target: Mapping[str, Any] | None, usual: Sequence[str], registry: Registry, location: str
) -> Target:
    here = f"{location}: targets.{name}"
    task_name, language = check_reference(name, registry, f"{location}: targets")
    task = registry.tasks[task_name]
    if not any(source.evaluation for source in task.sources):
        raise UserError(f"{here}: the task has no evaluation data, so it cannot be a target")
    target = target or {"languages": None, "split": None, "trained_on": None}
    for asked in target["languages"] or ():
        check_language(asked, registry.languages, f"{here}.languages")
        if asked not in task.languages:
            raise UserError(f"{here}.languages: {task.title} has no {asked!r}; {suggestion(asked, task.languages)}")
    trained_on = _stages(target["trained_on"], task, language, registry, here)
    languages = tuple(target["languages"] or usual)
    return Target(task_name, language, trained_on, languages, bool(target["languages"]), target["split"])


def _stages(asked: Sequence[str] | None, task: Task, language: str, registry: Registry, here: str) -> tuple[str, ...]:
    """Return the training stages of a target: what the study asks for, or the task's own in the source language."""
    form = FORMS[task.form]
    if asked is None:
        usual = (task.name,) if task.trained_on is None else task.trained_on
        return tuple(in_language(name, language) for name in usual)
    for reference in asked:
        stage = registry.tasks[check_reference(reference, registry, f"{here}.trained_on")[0]]
        if not stage.trains():
            raise UserError(f"{here}.trained_on: {reference!r} has no training data of its own")
    if asked and form.trained:
        last = registry.tasks[parse_reference(asked[-1])[0]]
        if last.form != task.form or (form.label_head and last.labels != task.labels):
            raise UserError(f"{here}.trained_on: {asked[-1]!r} has another form or other labels than {task.name}")
    if not asked and form.trained and not form.pretrained_head:
        raise UserError(f"{here}.trained_on: a target of the form {task.form} cannot do without training")
    return tuple(asked)
