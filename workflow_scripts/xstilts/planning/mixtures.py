"""The intermediate mixtures of a study: named, written out, or made from another mixture.

A name has one meaning: it is a task's, a mixture's of the registry, or a mixture's of the study. A study may use a name
of the registry as a key, to say how the tasks are sampled, but not for other tasks.
"""

import itertools
import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from xstilts import schema
from xstilts.errors import UserError, suggestion
from xstilts.forms import FORMS
from xstilts.planning.languages import check_language
from xstilts.planning.registry import Registry, check_reference
from xstilts.references import parse_reference
from xstilts.store.sampling import Sampling
from xstilts.store.specs.models import LINEAR, TASK_ARITHMETIC, TIES, Merging
from xstilts.store.study_plan import NONE

_WAYS = ("tasks", "subsets", "leave_one_out", "merge")
# what the methods of a merge have beside factors, with their defaults
_MERGES: Mapping[str, Mapping[str, float]] = {
    LINEAR: {},
    TASK_ARITHMETIC: {"scale": 1.0},
    TIES: {"scale": 1.0, "density": 0.2},
}
# mixtures one inside the other
_DEEPEST = 20


@dataclass(frozen=True)
class MixtureTask:
    """A task of a mixture.

    Attributes:
        task: its reference.
        weight: the factor on its probability of being drawn.
        shuffled_labels: whether its rows have each other's labels.
        languages: those that are trained on together, as one task; none for the reference's own.
        within: names of the contained mixtures that it comes from, outermost first; for messages only.
    """

    task: str
    weight: float = 1
    shuffled_labels: bool = False
    languages: tuple[str, ...] = ()
    within: tuple[str, ...] = field(default=(), compare=False)


@dataclass(frozen=True)
class Merge:
    """The mixtures whose models are merged, by name, and how."""

    members: Mapping[str, "Mixture"]
    merging: Merging

    def without(self, name: str) -> "Merge":
        """Return the same merge without one of its members."""
        kept = {
            member: factor for member, factor in zip(self.members, self.merging.factors, strict=True) if member != name
        }
        members = {member: self.members[member] for member in kept}
        return Merge(members, replace(self.merging, factors=tuple(kept.values())))


@dataclass(frozen=True)
class Mixture:
    """Intermediate tasks that are trained together, or apart for models that are merged.

    Attributes:
        tasks: the tasks; of a merge those of its members.
        sampling: how they are sampled.
        key: the study's key that made the mixture.
        learning_rates: the peak learning rate by model, ``""`` for all others; where it has none, the recipe's holds.
        merge: the mixtures whose models are merged; None for a training.
    """

    tasks: tuple[MixtureTask, ...]
    sampling: Sampling = Sampling()
    key: str = ""
    learning_rates: Mapping[str, float] = field(default_factory=dict)
    merge: Merge | None = None

    def learning_rate(self, model: str) -> float | None:
        """Return the peak learning rate of a model on this mixture; None for the recipe's."""
        return self.learning_rates.get(model, self.learning_rates.get(""))


def read(definitions: Mapping[str, Any] | Sequence[str], registry: Registry, study: str) -> dict[str, Mixture | None]:
    """Return all mixtures of a study by name, in its order.

    Args:
        definitions: the study's ``mixtures``, as ``schemas/study.yaml`` has them: definitions by name, or names.
        registry: the tasks and mixtures that can be named.
        study: what to call the study's file in an error.

    Raises:
        UserError: naming the key of the first wrong mixture.
    """
    if not isinstance(definitions, Mapping):
        definitions = dict.fromkeys(definitions)
    of_registry = _Scope(
        registry.mixtures, registry, {name: f"{file}: {name}" for name, file in registry.mixture_files.items()}
    )
    scope = _Scope(definitions, registry, {key: f"{study}: mixtures.{key}" for key in definitions}, of_registry)
    mixtures: dict[str, Mixture | None] = {}
    for key, definition in definitions.items():
        location = f"{study}: mixtures.{key}"
        if key == NONE:
            if definition is not None:
                raise UserError(
                    f"{location}: 'none' is reserved for no intermediate phase; leave it empty or rename it"
                )
            mixtures[NONE] = None
            continue
        for name, mixture in scope.define(key).items():
            if name in mixtures or (name != key and name in definitions):
                raise UserError(
                    f"{location}: would make a mixture {name!r}, which is there already; rename one of the two"
                )
            if scope.has_outer(name) and mixture.merge is not None:
                raise UserError(
                    f"{location}: {name!r} means a training in the registry; give this mixture another name"
                )
            if scope.has_outer(name) and mixture.tasks != scope.outer_mixture(name, location).tasks:
                raise UserError(
                    f"{location}: {name!r} means other tasks in the registry; give this mixture another name"
                )
            mixtures[name] = mixture
    return mixtures


@dataclass(frozen=True)
class _Scope:
    """Definitions of mixtures by name, and the outer ones that they can name: a study's and the registry's.

    ``places`` is what to call each of them in an error. ``path`` is in every method the names of the mixtures that are
    being defined, each of which names the next.
    """

    definitions: Mapping[str, Any]
    registry: Registry
    places: Mapping[str, str]
    outer: "_Scope | None" = None

    def has_outer(self, name: str) -> bool:
        """Tell whether a name means something outside of these definitions."""
        return parse_reference(name)[0] in self.registry.tasks or bool(self.outer and name in self.outer.definitions)

    def outer_mixture(self, name: str, location: str) -> Mixture:
        """Return the mixture that a name means outside of these definitions; that of a task has this task alone."""
        if self.outer and name in self.outer.definitions:
            return self.outer.mixture(name, location)
        definition = schema.check({"tasks": [{"task": name}]}, "mixture.yaml", location)
        return Mixture(self._tasks(definition["tasks"], location, ()), _sampling(definition, location))

    def mixture(self, name: str, location: str, path: tuple[str, ...] = ()) -> Mixture:
        """Return the mixture that a name means."""
        if name == NONE:
            raise UserError(f"{location}: 'none' has no tasks to choose from or to contain; name another mixture")
        # a mixture can contain the outer one of its own name
        if self.has_outer(name) and (name in path or name not in self.definitions):
            return self.outer_mixture(name, location)
        if name in self.definitions:
            mixtures = self.define(name, path)
            if name not in mixtures:
                raise UserError(
                    f"{location}: {name!r} makes several mixtures; name one, such as {next(iter(mixtures))!r}"
                )
            return mixtures[name]
        for key, definition in self.definitions.items():
            # what is made by drawing or leaving out is named <key>-<suffix>
            if name.startswith(f"{key}-") and isinstance(definition, dict) and definition["tasks"] is None:
                mixtures = self.define(key, path)
                if name in mixtures:
                    return mixtures[name]
        names = {*self.registry.tasks, *self.mixture_names()}
        raise UserError(f"{location}: unknown task or mixture {name!r}; {suggestion(name, names)}")

    def mixture_names(self) -> set[str]:
        """Return the names of all definitions, the outer ones too."""
        return {*self.definitions, *(self.outer.definitions if self.outer else ())}

    def define(self, key: str, path: tuple[str, ...] = ()) -> dict[str, Mixture]:
        """Return the mixtures that a key makes, by name: one of its own name, or several that are made from another."""
        location, definition = self.places[key], self.definitions[key]
        if key in path:
            circle = " > ".join((*path[path.index(key) :], key))
            raise UserError(f"{location}: contains itself ({circle}); take one of these names out")
        path = (*path, key)
        if len(path) > _DEEPEST:
            raise UserError(f"{location}: stands in more than {_DEEPEST} mixtures, one inside the other; name tasks")
        if definition is None:
            if not self.has_outer(key):
                names = {*self.registry.tasks, *self.mixture_names()} - {key}
                hint = suggestion(key, names)
                raise UserError(f"{location}: has no tasks, and no task or mixture has this name; {hint}")
            definition = [key]
        if isinstance(definition, list):
            definition = schema.check({"tasks": definition}, "mixture.yaml", location)
        ways = [way for way in _WAYS if definition[way] is not None]
        if len(ways) != 1:
            listed = f"{', '.join(f'`{way}`' for way in _WAYS[:-1])} and `{_WAYS[-1]}`"
            raise UserError(f"{location}: needs one of {listed}, has {len(ways)}")
        if ways == ["tasks"]:
            tasks = self._tasks(definition["tasks"], location, path)
            return {key: Mixture(tasks, _sampling(definition, location), key, _learning_rates(definition))}
        if ways == ["merge"]:
            return {key: _merged(self._merge(definition, location, path), key)}
        source = definition["leave_one_out"] or definition["subsets"]["of"]
        whole = self.mixture(source, location, path)
        if whole.merge is not None:
            merges = _merges(definition, source, whole.merge, location)
            return {f"{key}-{suffix}": _merged(merge, key) for suffix, merge in merges.items()}
        choices = _choices(definition, source, whole.tasks, location)
        made = replace(whole, key=key, learning_rates=_learning_rates(definition) or whole.learning_rates)
        return {f"{key}-{suffix}": replace(made, tasks=tasks) for suffix, tasks in choices.items()}

    def _tasks(self, members: Sequence[Any], location: str, path: tuple[str, ...]) -> tuple[MixtureTask, ...]:
        """Return the tasks of a mixture, those of contained mixtures in their place."""
        tasks: dict[str, MixtureTask] = {}
        for member in members:
            for task in self._member(member, location, path):
                if task.task in tasks:
                    paths = [" > ".join((*same.within, same.task)) for same in (tasks[task.task], task)]
                    raise UserError(
                        f"{location}: {task.task!r} is given twice ({' and '.join(paths)}); give it once, with a rate"
                    )
                tasks[task.task] = task
        return tuple(tasks.values())

    def _merge(self, definition: Mapping[str, Any], location: str, path: tuple[str, ...]) -> Merge:
        """Return the mixtures whose models are merged, and how."""
        _check_untrained(definition, location)
        entry, here = definition["merge"], f"{location}.merge"
        members = {name: self.mixture(name, f"{here}.of", path) for name in entry["of"]}
        for name, member in members.items():
            if member.merge is not None:
                raise UserError(f"{here}.of: {name!r} is merged itself; name the mixtures that it merges")
        for name in entry["factors"]:
            if name not in members:
                raise UserError(f"{here}.factors: {name!r} is not merged; {suggestion(name, members)}")
        defaults = _MERGES[entry["method"]]
        for key in ("scale", "density"):
            if entry[key] is not None and key not in defaults:
                raise UserError(f"{here}.{key}: is not a setting of `method: {entry['method']}`; leave it out")
        settings = {key: float(default if entry[key] is None else entry[key]) for key, default in defaults.items()}
        factors = tuple(float(entry["factors"].get(name, 1)) for name in members)
        return Merge(members, Merging(method=entry["method"], factors=factors, **settings))

    def _member(self, member: Any, location: str, path: tuple[str, ...]) -> tuple[MixtureTask, ...]:
        if isinstance(member, str):
            kind = "task" if parse_reference(member)[0] in self.registry.tasks else "mixture"
            member = schema.check({kind: member}, "mixture_task.yaml", location)
        name = member["mixture"]
        if (member["task"] is None) == (name is None):
            raise UserError(f"{location}: a member of a mixture needs one of `task` and `mixture`")
        if name is None:
            if member["task"] not in self.registry.tasks and member["task"] in self.mixture_names():
                raise UserError(f"{location}: {member['task']!r} is a mixture; write `mixture: {member['task']}`")
            return (_task(member, self.registry, location),)
        if member["languages"] or member["shuffled_labels"]:
            raise UserError(
                f"{location}: {name}: `languages` and `shuffled_labels` are settings of a task, not of a mixture"
            )
        rate = float(member["rate"])
        contained = self.mixture(name, location, path)
        if contained.merge is not None:
            raise UserError(
                f"{location}: {name!r} is a merge of models and is not trained itself; name the mixtures that it merges"
            )
        return tuple(replace(task, weight=rate * task.weight, within=(name, *task.within)) for task in contained.tasks)


def _merged(merge: Merge, key: str) -> Mixture:
    """Return the mixture of models that are merged: it has the tasks of all, each once, and the sum of their steps."""
    tasks = {task.task: task for member in merge.members.values() for task in member.tasks}
    steps = [member.sampling.steps for member in merge.members.values()]
    known = [number for number in steps if number is not None]
    sampling = Sampling(steps=sum(known) if len(known) == len(steps) else None)
    return Mixture(tuple(tasks.values()), sampling, key, merge=merge)


def _check_untrained(definition: Mapping[str, Any], location: str) -> None:
    """Refuse settings of a training for a mixture of models that are merged."""
    if _sampling(definition, location) != Sampling() or definition["learning_rate"] is not None:
        raise UserError(
            f"{location}: a merge trains nothing, so it has neither sampling nor `learning_rate`; give them to its"
            " members, as mixtures of their own"
        )


def _merges(definition: Mapping[str, Any], source: str, whole: Merge, location: str) -> dict[str, Merge]:
    """Return a merge without each of its members in turn, by the end of their names."""
    if definition["leave_one_out"] is None:
        raise UserError(f"{location}.subsets.of: {source!r} is a merge of models; write each `merge` out")
    _check_untrained(definition, location)
    if len(whole.members) < 3:
        raise UserError(f"{location}: {source!r} merges two models, and without one of them nothing is merged")
    return {name.replace("@", "-"): whole.without(name) for name in whole.members}


def _sampling(definition: Mapping[str, Any], location: str) -> Sampling:
    if definition["gradient_conflict_every"] is not None and definition["tasks_per_step"] == 1:
        raise UserError(
            f"{location}: gradient_conflict_every: a step has one batch, which is in conflict with no other; give a"
            " `tasks_per_step` of 2 or more"
        )
    return Sampling(
        kind=definition["sampling"],
        cap=definition["cap"],
        temperature=float(definition["temperature"]),
        steps=definition["steps"],
        tasks_per_step=definition["tasks_per_step"],
        loss_scale=definition["loss_scale"],
        gradient_conflict_every=definition["gradient_conflict_every"],
    )


def _learning_rates(definition: Mapping[str, Any]) -> dict[str, float]:
    rate = definition["learning_rate"]
    return rate if isinstance(rate, dict) else {} if rate is None else {"": rate}


def _task(member: Mapping[str, Any], registry: Registry, location: str) -> MixtureTask:
    """Return one task of a mixture, checked against the registry."""
    reference = member["task"]
    name, _ = check_reference(reference, registry, location)
    if not registry.tasks[name].trains():
        raise UserError(f"{location}: {reference!r} has no training data of its own, so it cannot be intermediate")
    if member["shuffled_labels"] and not FORMS[registry.tasks[name].form].single_label:
        raise UserError(f"{location}: {reference!r} has not one label an example, so none can be shuffled")
    languages = tuple(member["languages"] or ())
    for language in languages:
        check_language(language, registry.languages, f"{location}: {reference}.languages")
    if languages and (member["shuffled_labels"] or reference != name):
        other = "`shuffled_labels`" if member["shuffled_labels"] else f"{reference!r}, which names a language"
        raise UserError(f"{location}: `languages` does not go together with {other}")
    return MixtureTask(reference, float(member["rate"]), member["shuffled_labels"], languages)


def _choices(
    definition: Mapping[str, Any], source: str, tasks: tuple[MixtureTask, ...], location: str
) -> dict[str, tuple[MixtureTask, ...]]:
    """Return the subsets of a mixture's tasks, or its tasks without each in turn, by the end of their names."""
    if definition["leave_one_out"]:
        if len(tasks) < 2:
            raise UserError(f"{location}: {source!r} has one task only, and without it nothing is left")
        return {left.task.replace("@", "-"): tuple(task for task in tasks if task != left) for left in tasks}
    subsets = definition["subsets"]
    choices = {}
    for size in _sizes(subsets["sizes"], f"{location}.subsets.sizes"):
        if not 1 <= size <= len(tasks):
            raise UserError(f"{location}.subsets.sizes: {size} is not possible; {source!r} has {len(tasks)} tasks")
        for draw, indices in enumerate(_draws(len(tasks), size, subsets["draws"], subsets["seed"]), 1):
            choices[f"{size}-{draw}"] = tuple(tasks[i] for i in indices)
    return choices


def _sizes(sizes: Sequence[int] | str, location: str) -> Sequence[int]:
    """Return the sizes of subsets, given as a list or as ``first..last``."""
    if not isinstance(sizes, str):
        return sizes
    first, last = map(int, sizes.split(".."))
    if first > last:
        raise UserError(f"{location}: {sizes} has no number in it; write {last}..{first}")
    return range(first, last + 1)


def _draws(total: int, size: int, draws: int, seed: int) -> list[tuple[int, ...]]:
    """Return different random subsets of the indices below ``total``, each in ascending order; all if so few exist."""
    if math.comb(total, size) <= draws:
        return list(itertools.combinations(range(total), size))
    rng = random.Random(f"{seed} {total} {size}")
    subsets: dict[tuple[int, ...], None] = {}
    while len(subsets) < draws:
        subsets[tuple(sorted(rng.sample(range(total), size)))] = None
    return list(subsets)
