"""Claims of the registry and of a study: which of their comparisons a study can make, and what it lacks for the others.

A claim names mixtures by their meaning, such as ``nine + text``: whichever mixture of the study is trained on exactly
these tasks stands for it, the one of the same name first.
"""

import itertools
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from xstilts.errors import UserError
from xstilts.forms import FORMS
from xstilts.forms.declaration import PERCENT
from xstilts.planning import mixtures as study_mixtures
from xstilts.planning.mixtures import NONE, Mixture, MixtureTask
from xstilts.planning.question import ModelUse
from xstilts.planning.registry import Registry, check_known, check_reference
from xstilts.references import SOURCE_LANGUAGE, in_language, parse_reference
from xstilts.store.claims import BEST_BY_TARGET, BEST_SINGLE, ClaimComparison, Lacking, PlannedClaim

# behind a task: in source languages other than the usual one
_OTHERS = "@*"


def read(
    own: Mapping[str, Any],
    models: Mapping[str, ModelUse],
    mixtures: Mapping[str, Mixture | None],
    targets: Mapping[str, Sequence[str]],
    registry: Registry,
    location: str,
) -> dict[str, PlannedClaim]:
    """Return the registry's claims and those of a study by name, as the study can check them.

    Args:
        own: the study's own claims, as ``schemas/claim.yaml`` has them.
        models: the models of the study, and the mixtures on which they are trained.
        mixtures: the mixtures of the study.
        targets: the targets of the study, and references of what each is trained on.
        registry: the registry.
        location: what to call the study's file in an error.

    Raises:
        UserError: naming the key of a claim that is wrong.
    """
    study = _Study(models, mixtures, targets, registry)
    planned = {name: study.claim(entry, f"registry: claims.{name}") for name, entry in registry.claims.items()}
    for name, entry in own.items():
        here = f"{location}: claims.{name}"
        if name in planned:
            raise UserError(f"{here}: the registry has a claim of this name; give yours another one")
        planned[name] = study.claim(entry, here)
    return planned


@dataclass(frozen=True)
class _Arm:
    """A side of a comparison, and the mixtures from which it is chosen, if it is chosen."""

    name: str
    among: tuple[str, ...] = ()


@dataclass
class _Needs:
    """What a model lacks for a claim, each once."""

    mixtures: dict[str, None] = field(default_factory=dict)
    targets: dict[str, None] = field(default_factory=dict)


@dataclass(frozen=True)
class _Study:
    """What a claim is checked against.

    In the methods ``here`` is what to call the claim in an error, and ``needs`` collects what the study lacks.
    """

    models: Mapping[str, ModelUse]
    mixtures: Mapping[str, Mixture | None]
    targets: Mapping[str, Sequence[str]]
    registry: Registry

    def claim(self, entry: Mapping[str, Any], here: str) -> PlannedClaim:
        """Return a claim as the study can check it."""
        fact = entry["fact"]
        if bool(entry["comparisons"]) == bool(fact):
            raise UserError(f"{here}: needs one of `comparisons` and `fact`")
        comparisons: list[ClaimComparison] = []
        lacking: dict[str, Lacking] = {}
        for model in () if fact else self.models:
            needs = _Needs()
            for index, asked in enumerate(entry["comparisons"]):
                comparisons += self._comparisons(asked, model, needs, f"{here}.comparisons.{index}")
            lacking[model] = Lacking(tuple(needs.mixtures), tuple(needs.targets))
        return PlannedClaim(
            text=entry["text"],
            source=entry["source"],
            figure=entry["figure"],
            holds=self._holds(fact, here) if fact else None,
            comparisons=tuple(comparisons),
            lacking=lacking,
        )

    def _holds(self, fact: Mapping[str, Any], here: str) -> bool:
        """Tell whether a fact is one of the study."""
        found = []
        if fact["model"] is not None:
            check_known(fact["model"], self.registry.models, f"{here}.fact.model", "model")
            found.append(fact["model"] in self.models)
        if fact["mixture"] is not None:
            of_models = [self._mixture(fact["mixture"], model, f"{here}.fact.mixture") for model in self.models]
            found.append(any(name is not None for name in of_models))
        if fact["phases"] is not None:
            intermediate = any(mixture is not None for mixture in self.mixtures.values())
            target = any(self.targets.values())
            found.append(1 + intermediate + target == fact["phases"])
        return all(found)

    def _comparisons(self, asked: Mapping[str, Any], model: str, needs: _Needs, here: str) -> Iterator[ClaimComparison]:
        """Yield the comparisons that the study can make in a model."""
        if asked["against"] and not asked["targets"]:
            raise UserError(f"{here}.against: goes with `targets`; name those that are compared with these")
        there = {key: self._targets(asked[key], needs, f"{here}.{key}") for key in ("targets", "against")}
        for first, second in itertools.product(asked["mixtures"], asked["minus"]):
            if first == second:
                raise UserError(f"{here}.minus: {first!r} is in `mixtures` too; name another mixture")
            arms = self._arm(first, first, model, needs, here), self._arm(second, first, model, needs, here)
            if arms[0] is None or arms[1] is None:
                continue
            for target, against in itertools.product(there["targets"], there["against"]):
                yield ClaimComparison(
                    model=model,
                    first=arms[0].name,
                    second=arms[1].name,
                    among=arms[0].among or arms[1].among,
                    target=target,
                    against=against,
                    expected=asked["expected"],
                )

    def _targets(self, asked: Sequence[str] | None, needs: _Needs, here: str) -> list[str]:
        """Return those targets that the study has; an empty name where none is asked for."""
        for target in asked or ():
            check_reference(target, self.registry, here)
        needs.targets |= {target: None for target in asked or () if target not in self.targets}
        return [target for target in asked if target in self.targets] if asked else [""]

    def _arm(self, meaning: str, first: str, model: str, needs: _Needs, here: str) -> _Arm | None:
        """Return a side of a comparison, of which ``first`` is the first side; None where the study has not got it."""
        if meaning in (BEST_BY_TARGET, BEST_SINGLE) and not any(map(self._has_dev_score, self.targets.values())):
            needs.targets |= {"trained on rows and scored in percent": None}
            return None
        if meaning == BEST_BY_TARGET:
            among = [name for name in self._trained(model) if name != NONE]
            needs.mixtures |= {"two beside none": None} if len(among) < 2 else {}
            return _Arm(meaning, tuple(among)) if len(among) > 1 else None
        if meaning == BEST_SINGLE:
            alone = {task: self._mixture(task, model, here) for task in self._tasks(first, here)}
            needs.mixtures |= {task: None for task, name in alone.items() if name is None}
            among = [name for name in alone.values() if name is not None]
            return _Arm(meaning, tuple(among)) if len(among) > 1 else None
        name = self._mixture(meaning, model, here)
        needs.mixtures |= {meaning: None} if name is None else {}
        return _Arm(name) if name is not None else None

    def _has_dev_score(self, trained_on: Sequence[str]) -> bool:
        """Tell whether a target is trained and has dev rows by whose score, in percent, mixtures can be chosen."""
        tasks = [self.registry.tasks[parse_reference(reference)[0]] for reference in trained_on]
        return any(FORMS[task.form].metrics[task.metric].unit == PERCENT for task in tasks)

    def _mixture(self, meaning: str, model: str, here: str) -> str | None:
        """Return the mixture of a model that a meaning stands for; None where it has none."""
        tasks = self._tasks(meaning, here)
        if meaning in self.models[model].mixtures:
            return meaning
        found = (name for name in self._trained(model) if _matches(self._references(self.mixtures[name]), tasks))
        return next(found, None)

    def _trained(self, model: str) -> list[str]:
        """Return a model's mixtures but for those that are merged, of which no claim is meant."""
        merged = {name for name, mixture in self.mixtures.items() if mixture and mixture.merge is not None}
        return [name for name in self.models[model].mixtures if name not in merged]

    def _tasks(self, meaning: str, here: str) -> list[str]:
        """Return the tasks that a meaning names, as references or with ``@*``; none for `none`."""
        tasks: list[str] = []
        for part in () if meaning == NONE else meaning.split(" + "):
            named = part.removesuffix(_OTHERS)
            # a mixture of the study, or what the registry knows
            mixture = self.mixtures.get(named) or study_mixtures.read([named], self.registry, here)[named]
            tasks += [reference + part[len(named) :] for reference in self._references(mixture)]
        return tasks

    def _references(self, mixture: Mixture | None) -> list[str]:
        """Return what a mixture is trained on, one reference for each task and source language."""
        return [reference for task in mixture.tasks for reference in self._of_task(task)] if mixture else []

    def _of_task(self, task: MixtureTask) -> Iterable[str]:
        name, _ = parse_reference(task.task)
        if task.shuffled_labels:
            return [f"{task.task} with shuffled labels"]
        # text for language modelling is the same in whatever languages
        if FORMS[self.registry.tasks[name].form].pretrained_head:
            return [name]
        return [in_language(name, language) for language in task.languages] or [task.task]


def _matches(references: Sequence[str], tasks: Sequence[str]) -> bool:
    """Tell whether a mixture of these references is one of these tasks and of no other."""
    stands_for = {reference: _task_of(reference, tasks) for reference in references}
    return None not in stands_for.values() and set(stands_for.values()) == set(tasks)


def _task_of(reference: str, tasks: Sequence[str]) -> str | None:
    if reference in tasks:
        return reference
    name, language = parse_reference(reference)
    return f"{name}{_OTHERS}" if language != SOURCE_LANGUAGE and f"{name}{_OTHERS}" in tasks else None
