"""The question of a study, read from `answer` and `contrasts` and checked against its models, mixtures and targets."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from xstilts.errors import UserError
from xstilts.forms import metric_named
from xstilts.forms.declaration import PERCENT
from xstilts.planning.mixtures import NONE, Mixture
from xstilts.planning.registry import Registry, check_known
from xstilts.references import parse_reference
from xstilts.store.answer import (
    ANSWER,
    BEST,
    EQUAL_STEPS,
    INTERACTION,
    LARGE,
    MEAN,
    MOST_PRIMARY,
    SMALL,
    Answer,
    Budget,
    Contrast,
    Family,
)


@dataclass(frozen=True)
class ModelUse:
    """How a study uses a model.

    Attributes:
        recipes: the recipes by which it is trained.
        mixtures: the mixtures on which it is.
        prompted: the recipes by which it answers prompts, without a training.
    """

    recipes: tuple[str, ...]
    mixtures: tuple[str, ...]
    prompted: tuple[str, ...] = ()


def model_use(
    recipes: Mapping[str, Mapping[str, Any]], mixtures: Sequence[str], named: Sequence[str], here: str
) -> ModelUse:
    """Return how a study uses a model.

    Args:
        recipes: its recipes by name.
        mixtures: the names of its mixtures.
        named: those of its own in the study file; nothing where it has those of the study.
        here: what to call it in an error.

    Raises:
        UserError: if it answers prompts, and is nowhere without an intermediate phase, or is not trained by any recipe
            and has a mixture of its own to be trained on.
    """
    prompted = tuple(name for name, recipe in recipes.items() if recipe["prompting"] is not None)
    trained = tuple(name for name in recipes if name not in prompted)
    dropped = [name for name in named if name != NONE]
    if dropped and not trained:
        does = "answers prompts and trains" if len(prompted) == 1 else "answer prompts and train"
        raise UserError(
            f"{here}.mixtures: found {dropped[0]!r}, but {' and '.join(prompted)} {does} nothing; leave the key out, or"
            " name a recipe that trains beside"
        )
    if prompted and NONE not in mixtures:
        raise UserError(
            f"{here}: the recipe {prompted[0]} trains nothing, so it needs `none` among the mixtures; add it"
        )
    return ModelUse(trained, tuple(dict.fromkeys(mixtures)), prompted)


def contrasts(
    entries: Mapping[str, Any],
    models: Mapping[str, ModelUse],
    mixtures: Mapping[str, Mixture | None],
    targets: Mapping[str, str],
    registry: Registry,
    location: str,
) -> dict[str, Contrast]:
    """Return the contrasts of a study by name.

    Args:
        entries: as ``schemas/contrast.yaml`` has them, by name.
        models: how the study uses its models.
        mixtures: the study's mixtures.
        targets: the task of each target.
        registry: the registry.
        location: what to call the study's file in an error.

    Raises:
        UserError: naming the key that is wrong.
    """
    axes: dict[str, Mapping[str, Any]] = {"model": models, "mixture": mixtures}
    found = {}
    for name, entry in entries.items():
        here = f"{location}: contrasts.{name}"
        if name == ANSWER:
            raise UserError(f"{here}: what `answer` compares has this name; give the contrast another one")
        named = [axis for axis in axes if entry[axis]]
        if len(named) != 1:
            raise UserError(f"{here}: needs one of `model` and `mixture`, has {len(named)}")
        (axis,) = named
        for value in entry[axis]:
            check_known(value, axes[axis], f"{here}.{axis}", axis)
        for target in entry["targets"] or ():
            check_known(target, targets, f"{here}.targets", "target")
        for model in entry["models"] or ():
            check_known(model, models, f"{here}.models", "model")
        if axis == "model" and entry["models"]:
            raise UserError(f"{here}.models: compares two models already; leave the key out")
        if entry["primary"]:
            _check_outcome([targets[name] for name in entry["targets"] or targets], registry, here)
        contrast = Contrast(
            axis,
            tuple(entry[axis]),
            _listed(entry["targets"]),
            _listed(entry["models"]),
            entry["expected"],
            entry["primary"],
        )
        if not _comparisons(contrast, models):
            lacking = "mixture or recipe" if axis == "model" else "model"
            raise UserError(f"{here}.{axis}: {' and '.join(entry[axis])} have no {lacking} in common")
        found[name] = contrast
    return found


def _check_outcome(tasks: Sequence[str], registry: Registry, here: str) -> None:
    """Refuse a primary contrast without one outcome to be judged by: losses of several targets have no mean."""
    units = [metric_named(registry.tasks[task].metric).unit for task in tasks]
    if len(units) > 1 and PERCENT not in units:
        raise UserError(
            f"{here}.targets: a primary contrast is judged by the mean over targets in percent, and none of"
            f" {', '.join(tasks)} is; name one target"
        )


def _listed(values: Sequence[str] | None) -> tuple[str, ...] | None:
    return tuple(values) if values else None


def _comparisons(contrast: Contrast, models: Mapping[str, ModelUse]) -> int:
    """Return for how many combinations of the other axes but the targets both sides have results."""
    if contrast.axis == "mixture":
        uses = [use for name, use in models.items() if contrast.models is None or name in contrast.models]
        return sum(len(use.recipes) for use in uses if set(contrast.pair) <= set(use.mixtures))
    first, second = (models[name] for name in contrast.pair)
    trained = len(set(first.mixtures) & set(second.mixtures)) * len(set(first.recipes) & set(second.recipes))
    return trained + len(set(first.prompted) & set(second.prompted))


def answer(
    entry: Mapping[str, Any] | None,
    models: Mapping[str, ModelUse],
    mixtures: Mapping[str, Mixture | None],
    recipes: Sequence[str],
    has_benchmark: bool,
    registry: Registry,
    location: str,
) -> Answer | None:
    """Return what a study asks of several tasks against a single one; None where it asks nothing.

    Raises:
        UserError: naming the key that is wrong.
    """
    if entry is None:
        return None
    here = f"{location}: answer"
    if entry["outcome"] == "benchmark" and not has_benchmark:
        raise UserError(f"{here}.outcome: the study names no `benchmark`; name one, or take `zero_shot`")
    for recipe in entry["recipes"] or ():
        check_known(recipe, dict.fromkeys(recipes), f"{here}.recipes", "recipe")
    budgets = {name: _budget(value, mixtures, f"{here}.budgets.{name}") for name, value in entry["budgets"].items()}
    if EQUAL_STEPS in budgets:
        _check_steps(budgets[EQUAL_STEPS], mixtures, f"{here}.budgets.{EQUAL_STEPS}")
    families = {
        name: _family(value, models, registry, f"{here}.families.{name}") for name, value in entry["families"].items()
    }
    read = Answer(
        budgets=budgets,
        families=families,
        recipes=tuple(entry["recipes"] or recipes),
        outcome=entry["outcome"],
        controls=tuple(entry["controls"]),
        smallest=float(entry["smallest"]),
        primary=tuple(entry["primary"]),
    )
    _check_arms(read, models, here)
    return read


def _budget(entry: Mapping[str, Any], mixtures: Mapping[str, Mixture | None], here: str) -> Budget:
    multi, single = entry["multi"], entry["single"]
    check_known(multi, mixtures, f"{here}.multi", "mixture")
    if _tasks(mixtures[multi]) < 2:
        raise UserError(f"{here}.multi: needs a mixture of two tasks or more, {multi!r} has {_tasks(mixtures[multi])}")
    if single in (BEST, MEAN):
        singles = entry["singles"] or [
            name
            for name, mixture in mixtures.items()
            if mixture and [member.task for member in mixture.tasks] == [name]
        ]
        if len(singles) < 2:
            raise UserError(f"{here}.singles: `{single}` needs two mixtures of a single task; name them")
    else:
        if entry["singles"]:
            raise UserError(f"{here}.singles: goes with `single: best` or `single: mean`; leave the key out")
        singles = [single]
    key = "singles" if single in (BEST, MEAN) else "single"
    for name in singles:
        possible = mixtures if key == "singles" else {**mixtures, BEST: None, MEAN: None}
        check_known(name, possible, f"{here}.{key}", "mixture")
        if name == multi:
            raise UserError(f"{here}.{key}: {name!r} is `multi` already; name another mixture")
        if _tasks(mixtures[name]) != 1:
            raise UserError(f"{here}.{key}: needs a mixture of one task, {name!r} has {_tasks(mixtures[name])}")
    return Budget(multi=multi, single=single, singles=tuple(singles))


def _tasks(mixture: Mixture | None) -> int:
    """Return the number of tasks of a mixture; a task in several languages is one."""
    return len({parse_reference(member.task)[0] for member in mixture.tasks}) if mixture is not None else 0


def _check_steps(budget: Budget, mixtures: Mapping[str, Mixture | None], here: str) -> None:
    """Refuse arms whose `steps` differ, and those of which neither has them.

    Where one of the two has `steps`, they can be what the epochs of the other come to. That depends on the rows, which
    are not known here.
    """
    steps = {name: mixture.sampling.steps for name, mixture in mixtures.items() if mixture is not None}
    multi = steps[budget.multi]
    for name in budget.singles:
        if multi is None and steps[name] is None:
            raise UserError(
                f"{here}: neither {budget.multi!r} nor {name!r} has `steps`; give them to both, or to each single task"
            )
        if multi is not None and steps[name] is not None and steps[name] != multi:
            raise UserError(f"{here}: {budget.multi!r} has {multi} steps, {name!r} {steps[name]}; make them equal")


def notes(asked: Answer | None, mixtures: Mapping[str, Mixture | None]) -> list[str]:
    """Return for people what an answer takes for granted: the steps of mixtures that do not state them."""
    budget = asked.budgets.get(EQUAL_STEPS) if asked is not None else None
    named = (budget.multi, *budget.singles) if budget is not None else ()
    without = [name for name in named if (mixture := mixtures[name]) is None or mixture.sampling.steps is None]
    if not without:
        return []
    return [
        f"answer.budgets.{EQUAL_STEPS}: {', '.join(without)} without `steps`: what their epochs come to is taken to be"
        " equal to the others'"
    ]


def _family(entry: Mapping[str, Any], models: Mapping[str, ModelUse], registry: Registry, here: str) -> Family:
    family = Family(**entry)
    sizes = _sizes(family)
    for size, model in sizes.items():
        check_known(model, models, f"{here}.{size}", "model")
    if len(sizes) != len(set(sizes.values())):
        raise UserError(f"{here}.large: {family.large!r} is `small` already; name another model, or leave the key out")
    # of models that are made here the registry has no number
    parameters = {size: registry.models[model]["parameters"] for size, model in sizes.items()}
    small, large = parameters.get(SMALL), parameters.get(LARGE)
    if small is not None and large is not None and small > large:
        raise UserError(
            f"{here}: `small` is {family.small} with {small:,} parameters, `large` {family.large} with {large:,}; give"
            " them the other way round"
        )
    return family


def _sizes(family: Family) -> dict[str, str]:
    """Return the models of a family by size."""
    return {size: model for size, model in ((SMALL, family.small), (LARGE, family.large)) if model is not None}


def _check_arms(asked: Answer, models: Mapping[str, ModelUse], here: str) -> None:
    """Refuse a model that has the arms of no budget by the first recipe, and a budget whose arms no model has."""
    taking_part: set[str] = set()
    for name, family in asked.families.items():
        for size, model in _sizes(family).items():
            place = f"{here}.families.{name}.{size}"
            lacking = {budget: _lacking(arms, models[model]) for budget, arms in asked.budgets.items()}
            if all(lacking.values()):
                needs = "; ".join(f"{' and '.join(map(repr, of_one))} ({budget})" for budget, of_one in lacking.items())
                raise UserError(
                    f"{place}: {model} is not trained on {needs}; add those of one budget to models.{model}.mixtures"
                )
            if asked.recipes[0] not in models[model].recipes:
                raise UserError(
                    f"{place}: {model} is not trained by {asked.recipes[0]!r}; add it to models.{model}.recipes"
                )
            taking_part |= {budget for budget, of_one in lacking.items() if not of_one}
    for budget in asked.budgets:
        if budget not in taking_part:
            raise UserError(
                f"{here}.budgets.{budget}: no model of `families` is trained on all its mixtures; add them to a model's"
                " `mixtures`, or leave the budget out"
            )


def _lacking(budget: Budget, use: ModelUse) -> list[str]:
    """Return the mixtures of a budget on which a model is not trained."""
    return [mixture for mixture in (budget.multi, *budget.singles) if mixture not in use.mixtures]


def check_primary(
    asked: Answer | None, contrasts: Mapping[str, Contrast], models: Mapping[str, ModelUse], location: str
) -> None:
    """Refuse more primary comparisons than can be told apart from chance together.

    Raises:
        UserError: with their number.
    """
    number = sum(_comparisons(contrast, models) for contrast in contrasts.values() if contrast.primary)
    if asked is not None:
        first = next(iter(asked.budgets.values()))
        for family in asked.families.values():
            there = {size for size, model in _sizes(family).items() if not _lacking(first, models[model])}
            number += len({*there, *([INTERACTION] if len(there) == 2 else [])} & set(asked.primary))
    if number > MOST_PRIMARY:
        raise UserError(
            f"{location}: {number} primary comparisons, at most {MOST_PRIMARY}; restrict `answer.primary`, or `models`"
            " and `targets` of primary contrasts"
        )
