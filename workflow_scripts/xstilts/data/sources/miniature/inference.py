"""Entailment: premises of one or more events, and hypotheses about one thing that they tell or do not tell.

Examples come in blocks, so that nothing gives a label away but the comparison of both texts. A block has two topics,
each with two values of which only one can be: A (the box is red) and A' (blue), B (the farmer is happy) and B' (sad).
Four premises tell one of the four each:

    =========  ===========  ===============  =======
    premise    entailed     contradicted     neutral
    =========  ===========  ===============  =======
    A          A            A'               B
    A'         A'           A                B'
    B          B            B'               A'
    B'         B'           B                A
    =========  ===========  ===============  =======

Every premise and every hypothesis stands once with each label, word for word. So negation, antonyms and quantifiers,
which both texts may have, are as frequent in all three labels, and a classifier of either text alone is at chance.
"""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from xstilts.data.sources.miniature.concepts import (
    CATEGORY_OF,
    COLOURS,
    OPPOSITE,
    PLACES,
    PROFESSIONS,
    REST,
    SYNONYMS,
    TRANSITIVE,
)
from xstilts.data.sources.miniature.rules import PEOPLE
from xstilts.data.sources.miniature.wording import Being, Clause, Sentence
from xstilts.data.sources.miniature.world import Event, Teller

ENTAILMENT, NEUTRAL, CONTRADICTION = "entailment", "neutral", "contradiction"
# by premise: the hypotheses that are entailed, contradicted and neutral, of A, A', B, B'
_SQUARE = ((0, 1, 2), (1, 0, 3), (2, 3, 1), (3, 2, 0))
_LABELS = (ENTAILMENT, CONTRADICTION, NEUTRAL)
# how often both topics have the same values, so that only who or what has them tells entailed from neutral
_SAME_VALUES = 0.2


class Example(NamedTuple):
    """A premise, a hypothesis and their label."""

    premise: tuple[Sentence, ...]
    hypothesis: Sentence
    label: str


class Wording(NamedTuple):
    """How often a hypothesis says what is not, names a thing by its category, uses a synonym, or the passive."""

    negated: float
    by_category: float
    synonym: float
    passive: float


# text is plainer than the tasks, else small models learn nothing of them from it
IN_TEXT, IN_TASKS = Wording(0.1, 0.1, 0.1, 0.2), Wording(0.25, 0.2, 0.2, 0.3)


class Topic(NamedTuple):
    """What a field of one of the events tells: one of two values, texts or booleans, which exclude each other."""

    event: int
    field: str
    values: tuple[Any, Any]


def examples(teller: Teller, rows: int, events: Sequence[int]) -> Iterator[Example]:
    """Yield this many examples of blocks with one of these numbers of events; no premise comes twice in a block.

    Three neighbours have the same premise.
    """
    seen: set[tuple[Sentence, ...]] = set()
    left = rows
    while left > 0:
        found = block(teller, teller.rng.choice(events))
        premises = {example.premise for example in found}
        if len(premises) == len(_SQUARE) and seen.isdisjoint(premises):
            seen |= premises
            yield from found[:left]
            left -= len(found)


def block(teller: Teller, events: int, wording: Wording = IN_TASKS) -> list[Example]:
    """Return the twelve examples of a block."""
    stated, topics = _topics(teller, events)
    statements = [(topic, number) for topic in topics for number in range(2)]
    fillers = [_filler(teller, stated, topics, number) for number in range(events)]
    premises = [_premise(teller, stated, fillers, topic, number, wording) for topic, number in statements]
    hypotheses = [_hypothesis(teller, stated[topic.event], topic, number, wording) for topic, number in statements]
    found = []
    for premise, columns in zip(premises, _SQUARE, strict=True):
        row = [Example(premise, hypotheses[column], label) for column, label in zip(columns, _LABELS, strict=True)]
        teller.rng.shuffle(row)
        found += row
    return found


def _topics(teller: Teller, events: int) -> tuple[list[Event], list[Topic]]:
    """Return events, and two topics that say nothing of each other."""
    rng = teller.rng
    while True:
        stated = [teller.event(TRANSITIVE + REST, PEOPLE) for _ in range(events)]
        # of two events with the same person, or things of one kind, nobody could tell which is meant
        names = [event.agent.split(" ")[0] for event in stated]
        kinds = [CATEGORY_OF[event.patient] for event in stated if event.patient]
        if len(set(names)) < len(names) or len(set(kinds)) < len(kinds):
            continue
        places = [(number, field) for number, event in enumerate(stated) for field in _fields(event)]
        if len(places) < 2:
            continue
        one, other = rng.sample(places, 2)
        # whether something happens at all is told by all else that is told of it
        if one[0] == other[0] and {"negated", "quantity"} & {one[1], other[1]}:
            continue
        values = _values(teller, stated[one[0]], one[1])
        same = one[1] == other[1] and rng.random() < _SAME_VALUES
        others = values if same else _values(teller, stated[other[0]], other[1])
        return stated, [Topic(*one, values), Topic(*other, others)]


def _fields(event: Event) -> list[str]:
    fields = ["place", "negated"]
    if event.agent in PROFESSIONS:
        fields += ["mood", "quantity"]
    if event.patient:
        fields += ["colour", "quality"]
    return fields


def _values(teller: Teller, event: Event, field: str) -> tuple[Any, Any]:
    """Return two values that exclude each other; which comes first is left to chance."""
    rng, world = teller.rng, teller.world
    if field == "negated":
        values: tuple[Any, Any] = (False, True)
    elif field == "quantity":
        values = ("every", "no")
    elif field in ("colour", "place"):
        given = event.patient if field == "colour" else event.verb
        assert given is not None  # colours are of patients
        one = world.draw(field, given, rng)
        values = (one, rng.choice([value for value in (COLOURS if field == "colour" else PLACES) if value != one]))
    else:
        given = event.patient if field == "quality" else event.agent
        assert given is not None  # qualities are of patients
        one = world.draw(field, given, rng)
        values = (one, OPPOSITE[one])
    return values if rng.random() < 0.5 else values[::-1]


def _filler(teller: Teller, stated: Sequence[Event], topics: Sequence[Topic], number: int) -> Event:
    """Return what stands in place of an event where a premise may not say whether it happens."""
    if not any(topic.event == number and topic.field in ("negated", "quantity") for topic in topics):
        return stated[number]
    while True:
        event = teller.event(REST + TRANSITIVE, [stated[number].agent.split(" ")[0]])
        kinds = [CATEGORY_OF[other.patient] for other in stated if other.patient]
        if event.verb != stated[number].verb and (event.patient is None or CATEGORY_OF[event.patient] not in kinds):
            return event


def _premise(
    teller: Teller, stated: Sequence[Event], fillers: Sequence[Event], topic: Topic, number: int, wording: Wording
) -> tuple[Sentence, ...]:
    """Return the events, with one value stated."""
    field = "adjective" if topic.field in ("colour", "quality") else topic.field
    events = list(fillers)
    value = _synonym(teller, topic.values[number], wording.synonym)
    events[topic.event] = stated[topic.event].changed(field, value)
    return tuple(Clause(event) for event in events)


def _hypothesis(teller: Teller, event: Event, topic: Topic, number: int, wording: Wording) -> Sentence:
    """Return that the topic has a value, or has not the other one."""
    rng = teller.rng
    negated = rng.random() < wording.negated
    value = _synonym(teller, topic.values[1 - number if negated else number], wording.synonym)
    patient = event.patient
    if patient and rng.random() < wording.by_category:
        patient = CATEGORY_OF[patient]
    if patient and topic.field in ("colour", "quality"):
        return Being(patient, value, negated=negated)
    if topic.field == "mood":
        return Being(event.agent, value, negated=negated)
    bare = Event(event.agent, event.verb, patient)
    passive = patient is not None and rng.random() < wording.passive
    if topic.field == "place":
        return Clause(bare._replace(place=value, negated=negated), passive)
    if topic.field == "negated":
        return Clause(bare._replace(negated=topic.values[number]), passive)
    quantity = topic.values[number]
    return Clause(bare._replace(quantity="some" if quantity == "every" and rng.random() < 0.5 else quantity))


def _synonym(teller: Teller, value: Any, how: float) -> Any:
    return SYNONYMS[value] if value in SYNONYMS and teller.rng.random() < how else value
