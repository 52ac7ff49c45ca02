"""What a plan has of the registry for report and paper: settings with their origin, data, models, works to cite."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from xstilts import schema
from xstilts.forms import FORMS
from xstilts.planning.recipe import METHOD_KEYS
from xstilts.planning.registry import Registry
from xstilts.planning.study import Study
from xstilts.planning.tasks import Task
from xstilts.references import parse_reference
from xstilts.store.documentation import Card, Documentation, Registered, Setting, Works
from xstilts.store.specs.base import Spec
from xstilts.store.specs.data import EvaluationDataSpec, PreparedSpec, TrainingDataSpec

# the recipe that has all defaults; and whose a value is that differs from them, or that nobody is named for
DEFAULTS, STUDY, OURS = "defaults", "this study", "ours"


def of_study(study: Study, specs: Iterable[Spec], registry: Registry) -> Documentation:
    """Return what the registry knows of what a study uses.

    Args:
        study: the study.
        specs: of the nodes of its plan.
        registry: the registry.
    """
    specs = list(specs)
    used = dict.fromkeys(parse_reference(spec.task)[0] for spec in specs if isinstance(spec, PreparedSpec))
    # the data of a mixture's languages together have a name that is no task
    tasks = {name: registry.tasks[name] for name in used if name in registry.tasks}
    return Documentation(
        settings={
            name: tuple(_settings(recipe, tasks, registry, bool(study.shots))) for name, recipe in study.recipes.items()
        },
        tasks={
            name: Card(title=task.title, licence=task.licence, citation=task.citation) for name, task in tasks.items()
        },
        models={name: _card(name, registry.models[name]) for name in study.models},
        prompt_sources=_prompt_sources(study, registry),
        works=_works(study, specs, registry),
    )


def _prompt_sources(study: Study, registry: Registry) -> dict[str, str]:
    """Return whose wording the prompts of each target are; nothing where no model is prompted."""
    if not any(use.prompted for use in study.models.values()):
        return {}
    prompts = {name: registry.tasks[target.task].prompt for name, target in study.targets.items()}
    return {name: prompt.source for name, prompt in prompts.items() if prompt is not None}


def _works(study: Study, specs: Iterable[Spec], registry: Registry) -> Works:
    """Return what papers say of what a study names or uses, and what they can cite."""
    data = [spec for spec in specs if isinstance(spec, PreparedSpec)]
    members = [member.task for mixture in study.mixtures.values() if mixture for member in mixture.tasks]
    stages = [stage for target in study.targets.values() for stage in (target.task, *target.trained_on)]
    named = dict.fromkeys(parse_reference(one)[0] for one in (*(spec.task for spec in data), *members, *stages))
    tasks = {
        name: Registered(title=task.title, licence=task.licence, bibtex=task.bibtex)
        for name in named
        if (task := registry.tasks.get(name)) is not None
    }
    models = {name: _registered(name, registry.models[name]) for name in study.models}
    tools = {name: _registered(tool["title"], tool) for name, tool in registry.tools.items()}
    benchmarks = {}
    if study.benchmark is not None:
        name, title = study.benchmark.name, study.benchmark.title
        benchmarks[name] = Registered(title=title, bibtex=registry.benchmark_bibtex[name])
    known = registry.of(study.source).languages
    codes = {code for spec in data for code in _languages(spec)} | {one.language for one in study.targets.values()}
    codes |= set(study.answer.controls if study.answer else ())
    entries = (*tasks.values(), *models.values(), *tools.values(), *benchmarks.values())
    keys = {key for entry in entries for key in entry.bibtex}
    return Works(
        tasks=tasks,
        models=models,
        benchmarks=benchmarks,
        tools=tools,
        languages={code: known[code]["name"] for code in sorted(codes)},
        entries={key: registry.bibliography[key] for key in sorted(keys)},
    )


def _registered(title: str, entry: Mapping[str, Any]) -> Registered:
    return Registered(
        title=title, licence=entry["licence"], bibtex=tuple(entry["bibtex"]), parameters=entry.get("parameters")
    )


def _languages(spec: PreparedSpec) -> Iterable[str]:
    """Return the languages of prepared data."""
    if isinstance(spec, EvaluationDataSpec):
        return spec.languages
    return [spec.language] if isinstance(spec, TrainingDataSpec) else []


def _card(name: str, model: Mapping[str, Any]) -> Card:
    return Card(title=name, licence=model.get("licence"), citation=model.get("citation"))


def _settings(
    recipe: Mapping[str, Any], tasks: Mapping[str, Task], registry: Registry, shots: bool
) -> Iterator[Setting]:
    """Yield the settings of a recipe that reach one of the tasks, each with its origin.

    Their order is the schema's, whatever that of the file: sections, in each the settings that have a default, and then
    the others by name. So a default that is written out, or another order of keys, changes nothing.
    """
    described = {name for origin in registry.origins.values() if not isinstance(origin, str) for name in origin}
    equal = (name for name, known in registry.recipes.items() if known == recipe and name in described)
    named = next(equal, DEFAULTS)
    # of a section that a recipe need not have the defaults count where it has it
    defaults = schema.check({"prompting": {}} if recipe["prompting"] else {}, "recipe.yaml", "defaults")
    usual = dict(leaves(defaults))
    sections, places = list(defaults), list(usual)

    def place(setting: tuple[str, Any]) -> tuple[int, int, str]:
        key, _ = setting
        return sections.index(key.partition(".")[0]), places.index(key) if key in usual else len(places), key

    for key, value in sorted(leaves(recipe), key=place):
        if _is_used(key, recipe, tasks) and (shots or not key.startswith("few_shot.")):
            is_own = named == DEFAULTS and (key not in usual or usual[key] != value)
            origin = STUDY if is_own else origin_of(key, named, registry.origins)
            yield Setting(key=key, value=value, origin=origin)


def _is_used(key: str, recipe: Mapping[str, Any], tasks: Mapping[str, Task]) -> bool:
    """Tell whether a setting is of the phase's fine-tuning method, and of a form or task that is used, if of any.

    A recipe that trains nothing has settings of prompts alone.
    """
    section, *path = key.split(".")
    if (recipe["prompting"] is None) == (section == "prompting"):
        return False
    forms = {task.form for task in tasks.values()}
    if section == "bitext" and not any(FORMS[form].embedded for form in forms):
        return False
    if not path:
        return True
    if path[0] == "method":
        return path[1] in ("name", *METHOD_KEYS[recipe[section]["method"]["name"]])
    if path[0] == "quantised":
        return bool(recipe[section]["method"]["name"] == "lora")
    of = path[1] if path[0] == "overrides" else path[0]
    return of not in FORMS and path[0] != "overrides" or parse_reference(of)[0] in {*forms, *tasks}


def origin_of(key: str, recipe: str, origins: Mapping[str, str | Mapping[str, str]]) -> str:
    """Return where the value of a setting comes from in a recipe that the origins describe, or in the defaults."""
    found = origins.get(key, OURS)
    return found if isinstance(found, str) else found.get(recipe) or found[DEFAULTS]


def leaves(recipe: Mapping[str, Any], before: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the path of every setting of a recipe with its value; a list is a value."""
    for key, value in recipe.items():
        if isinstance(value, Mapping):
            yield from leaves(value, f"{before}{key}.")
        else:
            yield f"{before}{key}", value
