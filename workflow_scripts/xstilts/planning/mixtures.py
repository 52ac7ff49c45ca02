"""The intermediate mixtures of a study: those that are written out, and those that are made from them."""

import itertools
import math
import random
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from xstilts import schema
from xstilts.errors import UserError, suggestion
from xstilts.forms import FORMS
from xstilts.planning.registry import Registry, check_known, check_reference
from xstilts.store.sampling import Sampling

NONE = "none"


@dataclass(frozen=True)
class MixtureTask:
    """A task of a mixture.

    Attributes:
        task: its reference.
        weight: the factor on its probability of being drawn.
        shuffled_labels: whether its rows have each other's labels.
        languages: those that are trained on together, as one task; none for the reference's own.
    """

    task: str
    weight: float = 1
    shuffled_labels: bool = False
    languages: tuple[str, ...] = ()


@dataclass(frozen=True)
class Mixture:
    """Intermediate tasks that are trained together, how they are sampled, and the study's entry that made it."""

    tasks: tuple[MixtureTask, ...]
    sampling: Sampling = Sampling()
    entry: str = ""


def read(entries: Mapping[str, Any], registry: Registry, place: str) -> dict[str, Mixture | None]:
    """Return all mixtures by name: those that are written out, and those that are made from them."""
    found: dict[str, Mixture | None] = {}
    for name, entry in entries.items():
        here = f"{place}: mixtures.{name}"
        if name == NONE:
            if entry is not None:
                raise UserError(f"{here}: 'none' is reserved for no intermediate phase; leave it empty or rename it")
            found[NONE] = None
            continue
        if entry is None:
            raise UserError(f"{here}: has no tasks; list at least one, such as [mnli]")
        entry = schema.check({"tasks": entry}, "mixture.yaml", here) if isinstance(entry, list) else entry
        ways = [way for way in ("tasks", "subsets", "leave_one_out") if entry[way] is not None]
        if len(ways) != 1:
            raise UserError(f"{here}: needs one of `tasks`, `subsets` and `leave_one_out`, has {len(ways)}")
        made = {name: _mixture(entry, registry, here)} if ways == ["tasks"] else _generated(name, entry, found, here)
        for new, mixture in made.items():
            if new in found or (new != name and new in entries):
                raise UserError(f"{here}: would make a mixture {new!r}, which is there already; rename one of the two")
            found[new] = replace(mixture, entry=name)
    return found


def _mixture(entry: Mapping[str, Any], registry: Registry, here: str) -> Mixture:
    tasks = []
    for member in entry["tasks"]:
        member = member if isinstance(member, dict) else schema.check({"task": member}, "mixture_task.yaml", here)
        name, _ = check_reference(member["task"], registry, here)
        if not registry.tasks[name].trains():
            raise UserError(f"{here}: {member['task']!r} has no training data of its own, so it cannot be intermediate")
        if member["task"] in [known.task for known in tasks]:
            raise UserError(f"{here}: {member['task']!r} is given twice; give it once, with a rate")
        if member["shuffled_labels"] and not FORMS[registry.tasks[name].form].one_label:
            raise UserError(f"{here}: {member['task']!r} has not one label an example, so none can be shuffled")
        languages = tuple(member["languages"] or ())
        for language in languages:
            check_known(language, registry.languages, f"{here}: {member['task']}.languages", "language")
        if languages and (member["shuffled_labels"] or member["task"] != name):
            other = "`shuffled_labels`" if member["shuffled_labels"] else f"{member['task']!r}, which names a language"
            raise UserError(f"{here}: `languages` does not go together with {other}")
        tasks.append(MixtureTask(member["task"], float(member["rate"]), member["shuffled_labels"], languages))
    sampling = Sampling(entry["sampling"], entry["cap"], float(entry["temperature"]), entry["steps"])
    return Mixture(tuple(tasks), sampling)


def _generated(
    name: str, entry: Mapping[str, Any], known: Mapping[str, Mixture | None], here: str
) -> dict[str, Mixture]:
    """Return the subsets of a mixture, or the mixtures that each lack one of its tasks, by name."""
    of = entry["leave_one_out"] or entry["subsets"]["of"]
    if of == NONE:
        raise UserError(f"{here}: 'none' has no tasks to choose from; name a mixture written above it")
    whole = known.get(of)
    if whole is None:
        raise UserError(f"{here}: {of!r} is no mixture written above it; {suggestion(of, known)}")
    size = len(whole.tasks)
    if entry["leave_one_out"]:
        if size < 2:
            raise UserError(f"{here}: {of!r} has one task only, and without it nothing is left")
        names = {f"{name}-{_short(left.task)}": [task for task in whole.tasks if task != left] for left in whole.tasks}
        return {new: replace(whole, tasks=tuple(tasks)) for new, tasks in names.items()}
    sizes = entry["subsets"]["sizes"]
    if isinstance(sizes, str):
        first, last = map(int, sizes.split(".."))
        if first > last:
            raise UserError(f"{here}.subsets.sizes: {sizes} has no number in it; write {last}..{first}")
        sizes = list(range(first, last + 1))
    made: dict[str, Mixture] = {}
    for number in sizes:
        if not 1 <= number <= size:
            raise UserError(f"{here}.subsets.sizes: {number} is not possible; {of!r} has {size} tasks")
        draws = _draws(size, number, entry["subsets"]["draws"], entry["subsets"]["seed"])
        for place, chosen in enumerate(draws, 1):
            tasks = tuple(whole.tasks[task] for task in chosen)
            made[f"{name}-{number}-{place}"] = replace(whole, tasks=tasks)
    return made


def _short(reference: str) -> str:
    """Return a reference as part of a mixture's name."""
    return reference.replace("@", "-")


def _draws(size: int, number: int, draws: int, seed: int) -> list[tuple[int, ...]]:
    """Return different random subsets of a size, each in ascending order: all of them if there are no more."""
    if math.comb(size, number) <= draws:
        return list(itertools.combinations(range(size), number))
    rng, found = random.Random(f"{seed} {size} {number}"), {}
    while len(found) < draws:
        found[tuple(sorted(rng.sample(range(size), number)))] = None
    return list(found)
