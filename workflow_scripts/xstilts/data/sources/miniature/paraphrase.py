"""Pairs of sentences that have nearly all words in common and mean the same, or not.

A block has two meanings, which differ in who is who, what is where, what comes first, or in one word; and two ways to
word each. Its four pairs are of different wordings, and half of them of the same meaning, so that every sentence stands
once with each label: neither one sentence alone nor the words of both give the label away.
"""

from collections.abc import Callable, Iterator
from typing import NamedTuple

from xstilts.data.sources.miniature.concepts import (
    COLOURS,
    OPPOSITE,
    PLACES,
    QUALITIES,
    REST,
    SOCIAL,
    TIMES,
    TRANSITIVE,
)
from xstilts.data.sources.miniature.rules import PEOPLE
from xstilts.data.sources.miniature.wording import Clause, Joined, Led, Sentence
from xstilts.data.sources.miniature.world import Event, Teller

Wordings = tuple[Sentence, Sentence]
Meanings = tuple[Wordings, Wordings]


class Pair(NamedTuple):
    """Two sentences, and whether they mean the same."""

    one: Sentence
    other: Sentence
    same: bool


def examples(teller: Teller, rows: int, questions: bool = False) -> Iterator[Pair]:
    """Yield this many pairs; no sentence of two blocks is the same."""
    seen: set[Sentence] = set()
    left = rows
    while left > 0:
        found = block(teller, questions)
        sentences = {sentence for pair in found for sentence in pair[:2]}
        if len(sentences) == 4 and seen.isdisjoint(sentences):
            seen |= sentences
            yield from found[:left]
            left -= len(found)


def block(teller: Teller, questions: bool = False) -> list[Pair]:
    """Return the four pairs of a block."""
    meanings = two_meanings(teller, questions)
    pairs = [Pair(meanings[one][0], meanings[other][1], one == other) for one in range(2) for other in range(2)]
    if teller.rng.random() < 0.5:
        pairs = [Pair(other, one, same) for one, other, same in pairs]
    teller.rng.shuffle(pairs)
    return pairs


def two_meanings(teller: Teller, questions: bool = False) -> Meanings:
    """Return the four sentences of a block: two meanings, each in two wordings."""
    if not questions:
        return teller.rng.choice(_OF_SENTENCES)(teller)
    (one, other), (third, fourth) = teller.rng.choice(_OF_QUESTIONS)(teller)
    return (_asked(one), _asked(other)), (_asked(third), _asked(fourth))


def plain_meanings(teller: Teller) -> Meanings:
    """Return four sentences of the kinds that text has: those in which one word differs."""
    return teller.rng.choice((_short, _detail))(teller)


def _asked(sentence: Sentence) -> Sentence:
    asks = isinstance(sentence, Clause) and sentence.asked
    return sentence if asks else Led("whether", sentence)


def _roles(teller: Teller) -> Meanings:
    """Who does something to whom, in the active and in the passive."""
    while True:
        event = teller.event(SOCIAL, PEOPLE)
        if (patient := event.patient) in PEOPLE:
            break
    event = _placed(teller, event)
    front = teller.rng.choice(("", "place"))
    turned = event._replace(agent=patient, patient=event.agent)
    return (
        (Clause(event, front=front), Clause(event, passive=True)),
        (Clause(turned, front=front), Clause(turned, passive=True)),
    )


def _order(teller: Teller) -> Meanings:
    """What comes first: one before the other, or the other after the one."""
    one, other = map(Clause, _two(teller))
    return (
        (Joined(one, "before", other), Joined(other, "after", one)),
        (Joined(other, "before", one), Joined(one, "after", other)),
    )


def _binding(teller: Teller) -> Meanings:
    """What is of which quality, or where: two events in one order and in the other."""
    one, other = _two(teller)
    field, values = "place", teller.rng.sample(PLACES, 2)
    if one.patient and other.patient and teller.rng.random() < 0.5:
        field, values = "adjective", teller.rng.sample(COLOURS, 2)

    def wordings(value: str, other_value: str) -> Wordings:
        first, second = Clause(one.changed(field, value)), Clause(other.changed(field, other_value))
        return Joined(first, "and", second), Joined(second, "and", first)

    return wordings(*values), wordings(*values[::-1])


def _short(teller: Teller) -> Meanings:
    """Where or when someone does something: that comes last, or first."""
    event, field = teller.event(REST, PEOPLE), teller.rng.choice(("place", "time"))
    values = teller.rng.sample(PLACES if field == "place" else TIMES, 2)
    one, other = (Clause(event.changed(field, value)) for value in values)
    return (one, one._replace(front=field)), (other, other._replace(front=field))


def _detail(teller: Teller) -> Meanings:
    """One word that is another, in the active and in the passive, with synonyms and the place first."""
    event = _placed(teller, teller.event(TRANSITIVE))
    field = teller.rng.choice(("adjective", "place", "time"))
    if field == "adjective":
        assert event.patient is not None  # what a transitive verb has
        one = teller.adjective(event.patient)
        other = OPPOSITE[one] if one in QUALITIES else teller.rng.choice([word for word in COLOURS if word != one])
        values = [one, other]
    else:
        values = teller.rng.sample(PLACES if field == "place" else TIMES, 2)

    def wordings(value: str) -> Wordings:
        changed = event.changed(field, value)
        return Clause(changed, front="place"), Clause(teller.varied(changed, 0.1), passive=True)

    return wordings(values[0]), wordings(values[1])


def _detail_asked(teller: Teller) -> Meanings:
    """A question about an event in which one word is another, with synonyms and another order."""
    event = _placed(teller, teller.event(TRANSITIVE))
    asked = teller.rng.choice(("agent", "patient"))
    values = teller.rng.sample(TIMES, 2)

    def wordings(value: str) -> Wordings:
        changed = event._replace(time=value)
        return Clause(changed, front="time", asked=asked), Clause(teller.varied(changed), asked=asked)

    return wordings(values[0]), wordings(values[1])


def _placed(teller: Teller, event: Event) -> Event:
    return event._replace(place=teller.world.draw("place", event.verb, teller.rng))


def _two(teller: Teller) -> tuple[Event, Event]:
    """Return two events with different people and things."""
    while True:
        one, other = (teller.event(TRANSITIVE + REST, PEOPLE) for _ in range(2))
        if one.agent != other.agent and one.patient != other.patient and one.verb != other.verb:
            return one, other


# the harder kinds are the rarer ones
_OF_SENTENCES: tuple[Callable[[Teller], Meanings], ...] = (
    *(_short,) * 4,
    *(_detail,) * 3,
    _roles,
    _order,
    _binding,
)
_OF_QUESTIONS = (*(_short,) * 3, *(_detail,) * 2, *(_detail_asked,) * 2, _roles, _binding)
