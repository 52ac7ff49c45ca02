"""The world: who likes to do what, with what, where and when; and what follows from what.

Preferences are peaked: a row of a table is drawn from a Dirichlet distribution with a small concentration, with a
little of a distribution by Zipf's law mixed in. Without that, words would be exchangeable, and nothing in text that is
never parallel could tell which word of one language is which of another.

Everything that is told belongs to one part by its event (who does what to whom or what): text and training, dev, or
test. So no example of one part, in whatever language, is one of another part or a translation of it.
"""

import random
from bisect import bisect
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, NamedTuple

from xstilts.data.sources.miniature import concepts
from xstilts.data.sources.miniature.concepts import (
    CITIES,
    COLOURS,
    COMPANIES,
    DOERS,
    HOURS,
    HOUSES,
    MANNERS,
    MOTION,
    OBJECTS,
    PERSONS,
    PLACES,
    PROFESSIONS,
    QUALITIES,
    REST,
    SHORT,
    SOCIAL,
    STATES,
    SURNAMES,
    TEXT_DOERS,
    TEXT_MANNERS,
    TIMES,
    TRANSFER,
    TRANSITIVE,
    VERBS,
)

TRAIN, DEV, TEST = range(12), range(12, 14), range(14, 16)
_PARTS = 16
_ZIPF = 0.1
_SCRIPTS, _STEPS = 7, 4
_BEARERS = {short: company for company, short in SHORT.items()}
_VARIED = ("verb", "patient", "place", "time", "adjective", "mood")


class Event(NamedTuple):
    """What someone does, once; what is None is not stated.

    ``agent``, ``patient`` (a thing or a person) and ``recipient`` are concepts, or names of several words; ``mood`` is
    the agent's, ``adjective`` the patient's. ``quantity`` is the agent's determiner, ``article`` the patient's.
    """

    agent: str
    verb: str
    patient: str | None = None
    recipient: str | None = None
    place: str | None = None
    time: str | None = None
    hour: str | None = None
    manner: str | None = None
    adjective: str | None = None
    mood: str | None = None
    negated: bool = False
    quantity: str = "the"
    article: str = "the"

    def words(self) -> list[str]:
        """Return the concepts and names of it."""
        return [value for value in self[: self._fields.index("negated")] if isinstance(value, str)]

    def changed(self, field: str, value: Any) -> "Event":
        """Return the event with another value of a field."""
        return self._replace(**{field: value})


class Row(NamedTuple):
    """A distribution: what can be drawn, and the cumulative probabilities."""

    items: tuple[str, ...]
    sums: tuple[float, ...]

    def draw(self, rng: random.Random) -> str:
        """Return one of the items."""
        return self.items[bisect(self.sums, rng.random())]


@dataclass(frozen=True, eq=False)
class World:
    """Preferences, facts and rules; ``codes`` decide to which part an event belongs.

    Attributes:
        rows: distributions by what is drawn and what it depends on.
        surname: of each person. ``job``, ``city``: of each person.
        home: the place where each object usually is.
        feeling: by verb, the state of who undergoes it: the agent of a transitive verb, the patient of a social one,
            the recipient of a gift.
        reaction: what someone in a state does then: a verb and a place.
        scripts: what follows upon what: steps of a verb, and an object or a place.
        words: those that can be drawn.
    """

    rows: Mapping[tuple[str, str], Row]
    surname: Mapping[str, str]
    job: Mapping[str, str]
    city: Mapping[str, str]
    home: Mapping[str, str]
    feeling: Mapping[str, str]
    reaction: Mapping[str, tuple[str, str]]
    scripts: tuple[tuple[tuple[str, str], ...], ...]
    codes: Mapping[str, int]

    def draw(self, what: str, given: str, rng: random.Random) -> str:
        """Return what is drawn for something given, such as a place for a verb."""
        return self.rows[what, given].draw(rng)

    def part(self, agent: str, verb: str, patient: str | None) -> int:
        """Return the part of an event."""
        codes = self.codes
        return codes[agent.split(" ")[0]] ^ codes[verb] ^ (codes[patient.split(" ")[0]] if patient else 0)

    def only(self, words: Collection[str]) -> "World":
        """Return this world with no other words than these; what has none of them left is drawn as before."""
        return replace(self, rows={key: _only(row, words) for key, row in self.rows.items()})


def _only(row: Row, words: Collection[str]) -> Row:
    kept = [place for place, item in enumerate(row.items) if all(word in words for word in item.split(" "))]
    if not kept:
        return row
    shares = [row.sums[place] - (row.sums[place - 1] if place else 0) for place in kept]
    return _row([row.items[place] for place in kept], shares)


def _row(items: Sequence[str], weights: Sequence[float]) -> Row:
    total, sums, reached = sum(weights), [], 0.0
    for weight in weights:
        reached += weight / total
        sums.append(reached)
    # what is drawn is below 1, and so always below the last
    return Row(tuple(items), (*sums[:-1], 1.0))


def _peaked(items: Sequence[str], concentration: float, rng: random.Random) -> Row:
    """Return a distribution from a Dirichlet, with some of Zipf's law over an order of its own."""
    weights = [rng.gammavariate(concentration, 1) for _ in items]
    total = sum(weights)
    ranks = rng.sample(range(1, len(items) + 1), len(items))
    zipf = sum(1 / rank for rank in ranks)
    shares = [(1 - _ZIPF) * weight / total + _ZIPF / (rank * zipf) for weight, rank in zip(weights, ranks, strict=True)]
    return _row(items, shares)


@cache
def world(seed: int) -> World:
    """Return the world of a seed."""
    rng = random.Random(f"world {seed}")
    people = [*PROFESSIONS, *PERSONS]
    agents = [*people, *COMPANIES]
    rows = {("agent", ""): _peaked(agents, 2, rng)}
    rows |= _table("verb", people, VERBS, 0.3, rng)
    rows |= _table("verb", COMPANIES, TRANSITIVE + TRANSFER, 0.3, rng)
    rows |= _table("patient", TRANSITIVE + TRANSFER, OBJECTS, 0.2, rng)
    rows |= _table("patient", SOCIAL, [*people, *TEXT_DOERS], 0.3, rng)
    rows |= _table("recipient", TRANSFER, agents, 0.3, rng)
    rows |= _table("place", VERBS, PLACES, 0.3, rng)
    rows |= _table("city", agents, CITIES, 0.15, rng)
    rows |= _table("time", VERBS, TIMES, 0.3, rng)
    rows |= _table("hour", TIMES, HOURS, 0.3, rng)
    rows |= _table("manner", VERBS, TEXT_MANNERS, 0.3, rng)
    rows |= _table("colour", OBJECTS, COLOURS, 0.4, rng)
    rows |= _table("quality", OBJECTS, QUALITIES, 0.25, rng)
    rows |= _table("mood", people, STATES, 0.3, rng)
    # what is in no text is not peaked either: nothing has to be learnt of it
    rows |= _table("manner", ["unseen"], MANNERS[len(TEXT_MANNERS) :], 5, rng)
    rows |= _table("doer", ["unseen"], DOERS[len(TEXT_DOERS) :], 5, rng)
    reactions = zip(rng.sample((MOTION + REST) * 2, len(STATES)), rng.sample(PLACES, len(STATES)), strict=True)
    names = (*concepts.CONTENT, *concepts.NAMES, *HOUSES, *DOERS)
    return World(
        rows=rows,
        surname=_spread(PERSONS, SURNAMES, rng),
        job=_spread(PERSONS, PROFESSIONS, rng),
        city=_spread(PERSONS, CITIES, rng),
        home=_spread(OBJECTS, PLACES, rng),
        feeling=_spread(TRANSITIVE + SOCIAL + TRANSFER, STATES, rng),
        reaction=dict(zip(STATES, reactions, strict=True)),
        scripts=tuple(_script(rows, rng) for _ in range(_SCRIPTS)),
        codes={name: rng.randrange(_PARTS) for name in names},
    )


def _table(
    what: str, given: Iterable[str], items: Sequence[str], concentration: float, rng: random.Random
) -> dict[tuple[str, str], Row]:
    return {(what, one): _peaked(items, concentration, rng) for one in given}


def _spread(given: Sequence[str], values: Sequence[str], rng: random.Random) -> dict[str, str]:
    """Return one of the values for each of the given, every value about as often."""
    values = rng.sample(values, len(values))
    return {one: values[place % len(values)] for place, one in enumerate(rng.sample(given, len(given)))}


def _script(rows: Mapping[tuple[str, str], Row], rng: random.Random) -> tuple[tuple[str, str], ...]:
    """Return the steps of a script: a way to a place, what is done there with things, and a rest."""
    steps = [(rng.choice(MOTION), rng.choice(PLACES))]
    for verb in rng.sample(TRANSITIVE, _STEPS - 2):
        steps.append((verb, rows["patient", verb].draw(rng)))
    return (*steps, (rng.choice(REST), rng.choice(PLACES)))


@dataclass(frozen=True)
class Teller:
    """Draws events of a world, all of the same parts."""

    world: World
    parts: range
    rng: random.Random

    def event(self, verbs: Collection[str] = VERBS, agents: Sequence[str] | None = None) -> Event:
        """Return an event, with one of these verbs and of one of these agents: who does what, and nothing else."""
        world, rng = self.world, self.rng
        only = agents[0] if agents is not None and len(agents) == 1 else None
        while True:
            agent = world.draw("agent", "", rng) if only is None else only
            if agents is not None and agent not in agents:
                continue
            verb = world.draw("verb", agent, rng)
            if verb not in verbs:
                continue
            patient = world.draw("patient", verb, rng) if ("patient", verb) in world.rows else None
            if patient == agent or world.part(agent, verb, patient) not in self.parts:
                continue
            recipient = world.draw("recipient", verb, rng) if verb in TRANSFER else None
            if recipient == agent:
                continue
            place = self._place(agent, verb) if verb in MOTION else None
            patient, recipient = (name and self.full(name) for name in (patient, recipient))
            return Event(self.full(agent), verb, patient, recipient, place)

    def _place(self, agent: str, verb: str) -> str:
        """Return where something happens, or where a way leads."""
        if self.rng.random() < 0.25:
            return self.world.draw("city", agent, self.rng)
        return self.world.draw("place", verb, self.rng)

    def full(self, name: str) -> str:
        """Return a name as it is stated: now and then a person's with the surname, a company's without what it is."""
        if self.rng.random() < 0.3:
            return f"{name} {self.world.surname[name]}" if name in self.world.surname else SHORT.get(name, name)
        return name

    def stated(self, event: Event, how: float = 0.4) -> Event:
        """Return an event with more that is told of it: each thing with this probability or a part of it."""
        world, rng = self.world, self.rng
        changed: dict[str, Any] = {}
        if event.patient in OBJECTS and rng.random() < how:
            changed["adjective"] = self.adjective(event.patient)
        if event.place is None and rng.random() < how:
            changed["place"] = self._place(bearer(event.agent), event.verb)
        if rng.random() < how / 2:
            changed["time"] = world.draw("time", event.verb, rng)
            if rng.random() < how / 2:
                changed["hour"] = world.draw("hour", changed["time"], rng)
        if rng.random() < how / 4:
            changed["manner"] = world.draw("manner", event.verb, rng)
        if rng.random() < how / 4 and event.agent in PROFESSIONS:
            changed["mood"] = world.draw("mood", event.agent, rng)
        if event.patient in OBJECTS and rng.random() < how / 2:
            changed["article"] = "a"
        return event._replace(**changed)

    def varied(self, event: Event, how: float = 0.3) -> Event:
        """Return an event with synonyms in place of some words."""
        changed: dict[str, Any] = {
            field: concepts.SYNONYMS[value]
            for field, value in zip(_VARIED, (getattr(event, field) for field in _VARIED), strict=True)
            if value in concepts.SYNONYMS and self.rng.random() < how
        }
        return event._replace(**changed) if changed else event

    def adjective(self, thing: str) -> str:
        """Return a colour or a quality of an object."""
        return self.world.draw("colour" if self.rng.random() < 0.5 else "quality", thing, self.rng)


def bearer(name: str) -> str:
    """Return the person or company of a name as it is told; what is no name is as it is."""
    first = name.split(" ")[0]
    return first if first in PERSONS else _BEARERS.get(name, name)
