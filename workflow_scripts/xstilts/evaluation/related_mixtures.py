"""Mixtures that are made from others: a task less, text beside or alone, translated, with shuffled labels.

What a mixture was trained on is read from the specs of the study's plan.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from xstilts.evaluation import trainings
from xstilts.forms import FORMS
from xstilts.references import SOURCE_LANGUAGE, parse_reference
from xstilts.store.specs.base import MEMBER, PREPARED, TOKENS, role
from xstilts.store.specs.data import TrainingDataSpec, UnionSpec
from xstilts.store.specs.models import IntermediateSpec, MergedSpec, Merging
from xstilts.store.study_plan import StudyPlan

# kinds of controls
SHUFFLED, TRANSLATED, TRANSLATED_BESIDE = "shuffled labels", "translated", "translated beside"
TEXT_ONLY, TEXT_BESIDE = "text only", "text beside"


@dataclass(frozen=True)
class Member:
    """A task of a mixture, by the data that it was trained on.

    Attributes:
        task: its reference.
        languages: of its rows.
        shuffled: whether the rows had each other's labels.
        is_text: whether it is language modelling with the model's own head.
        merging: how the model of its training was merged with others, by the factor of this one; None where it was not.
    """

    task: str
    languages: frozenset[str]
    shuffled: bool = False
    is_text: bool = False
    merging: Merging | None = None

    @property
    def name(self) -> str:
        """The task without its source language."""
        return parse_reference(self.task)[0]

    @property
    def is_plain(self) -> bool:
        """Whether it is a labelled task as it is, in the usual source language."""
        is_trained = not self.shuffled and not self.is_text and self.merging is None
        return self.languages == {SOURCE_LANGUAGE} and is_trained


Members = frozenset[Member]


@dataclass(frozen=True)
class Part:
    """A mixture that has all tasks of another one but one: the one left out is a reference."""

    whole: str
    part: str
    left_out: str


@dataclass(frozen=True)
class Control:
    """A mixture that is a control of another one, and of which kind."""

    kind: str
    mixture: str
    controlled: str


def members(plan: StudyPlan) -> dict[str, Members]:
    """Return what each mixture of the study's arms was trained on, but for ``none``."""
    first: dict[str, str] = {}
    for cell in plan.cells:
        first.setdefault(cell.mixture, cell.node)
    found = {mixture: frozenset(_members(plan, node)) for mixture, node in first.items()}
    return {mixture: of_mixture for mixture, of_mixture in found.items() if of_mixture}


def _members(plan: StudyPlan, node: str) -> Iterator[Member]:
    merging: dict[str, Merging] = {}
    for model in trainings.models_behind(plan, node):
        spec = plan.nodes[model].spec
        if isinstance(spec, MergedSpec):
            factors = zip(spec.members, spec.merging.factors, strict=True)
            merging |= {member: replace(spec.merging, factors=(factor,)) for member, factor in factors}
        for task in spec.tasks if isinstance(spec, IntermediateSpec) else ():
            prepared = plan.nodes[spec.parents[role(TOKENS, task.task)]].parents[PREPARED]
            data = plan.nodes[prepared].spec
            shuffled = isinstance(data, UnionSpec) and data.shuffled_labels
            is_text = FORMS[task.form].pretrained_head
            yield Member(task.task, _languages(plan, prepared), shuffled, is_text, merging.get(model))


def _languages(plan: StudyPlan, prepared: str) -> frozenset[str]:
    """Return the languages of training data: its own, or those of the members of a union."""
    spec = plan.nodes[prepared].spec
    if isinstance(spec, TrainingDataSpec):
        return frozenset([spec.language])
    return frozenset(language for member in spec.parents_of(MEMBER) for language in _languages(plan, member))


def nested(mixtures: Mapping[str, Members]) -> dict[str, list[str]]:
    """Return for each mixture that is in no other one those that have some of its tasks and no other, itself last.

    Mixtures without any such part are left out.

    Args:
        mixtures: their members.
    """
    found = {}
    for whole, tasks in mixtures.items():
        parts = [name for name, others in mixtures.items() if others < tasks]
        if parts and not any(tasks < others for others in mixtures.values()):
            found[whole] = [*sorted(parts, key=lambda name: len(mixtures[name])), whole]
    return found


def without_one(mixtures: Mapping[str, Members]) -> list[Part]:
    """Return the pairs of mixtures of which one has a task more than the other.

    Args:
        mixtures: their members.
    """
    return [
        Part(whole, part, left_out.task)
        for whole, tasks in mixtures.items()
        for part, others in mixtures.items()
        if others < tasks and len(tasks) == len(others) + 1
        for left_out in tasks - others
    ]


def controls(mixtures: Mapping[str, Members]) -> list[Control]:
    """Return the mixtures that are controls of one with labelled tasks as they are.

    Args:
        mixtures: their members.
    """
    plain = {name: tasks for name, tasks in mixtures.items() if all(task.is_plain for task in tasks)}
    return [
        Control(kind, name, controlled)
        for name, tasks in mixtures.items()
        for controlled, others in plain.items()
        if (kind := _kind(tasks, others)) is not None
    ]


def _kind(tasks: Members, plain: Members) -> str | None:
    """Return of which kind a mixture is a control of a plain one; None for none."""
    if any(task.merging is not None for task in tasks):
        return None
    labelled = frozenset(task for task in tasks if not task.is_text)
    if not labelled:
        return TEXT_ONLY
    if labelled == plain:
        return TEXT_BESIDE if labelled < tasks else None
    if labelled < tasks or {task.name for task in tasks} != {task.name for task in plain}:
        return None
    in_source = frozenset(task for task in tasks if task.languages == {SOURCE_LANGUAGE})
    if in_source == tasks:
        return SHUFFLED if any(task.shuffled for task in tasks) else None
    if any(task.shuffled for task in tasks):
        return None
    has_source = [any(SOURCE_LANGUAGE in task.languages for task in tasks if task.name == one.name) for one in plain]
    if any(has_source):
        return TRANSLATED_BESIDE if all(has_source) else None
    return TRANSLATED
