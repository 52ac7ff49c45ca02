"""What follows from what: causes and effects, scripts, and facts."""

from typing import NamedTuple

from xstilts.data.sources.miniature.concepts import (
    CATEGORY_OF,
    OBJECTS,
    PERSONS,
    PROFESSIONS,
    SOCIAL,
    TRANSFER,
    TRANSITIVE,
)
from xstilts.data.sources.miniature.wording import Being, Clause, Sentence
from xstilts.data.sources.miniature.world import Event, Teller, World

PEOPLE = (*PROFESSIONS, *PERSONS)
CAUSING = (*TRANSITIVE, *SOCIAL, *TRANSFER)


class Rule(NamedTuple):
    """A cause and its effect; ``name`` is what the rule depends on: a verb or a state."""

    name: str
    cause: Sentence
    effect: Sentence


def felt_by(event: Event) -> str:
    """Return whom an event moves: who does something to a thing, to whom it is done, or who is given a thing."""
    if event.verb not in (*SOCIAL, *TRANSFER):
        return event.agent
    name = event.patient if event.verb in SOCIAL else event.recipient
    assert name is not None  # such verbs have one
    return name


def feeling(teller: Teller, event: Event) -> Rule:
    """Return that an event moves someone."""
    return Rule(event.verb, Clause(event), Being(felt_by(event), teller.world.feeling[event.verb]))


def reaction(world: World, who: str, state: str) -> Rule:
    """Return what someone in a state does."""
    verb, place = world.reaction[state]
    return Rule(state, Being(who, state), Clause(Event(who, verb, place=place)))


def moving_event(teller: Teller, who: str | None = None) -> Event:
    """Return an event that moves a person, or this person."""
    if who is not None and teller.rng.random() < 0.5:
        return teller.event(TRANSITIVE, (who,))
    while True:
        event = teller.event(CAUSING)
        if felt_by(event) in (PEOPLE if who is None else (who,)):
            return event


def steps(world: World, number: int, who: str) -> list[Event]:
    """Return the steps of a script, done by someone."""
    return [
        Event(who, verb, patient=what) if what in OBJECTS else Event(who, verb, place=what)
        for verb, what in world.scripts[number]
    ]


def fact(teller: Teller) -> Being:
    """Return something that is always so."""
    world, rng = teller.world, teller.rng
    if rng.random() < 0.3:
        person = rng.choice(PERSONS)
        name = teller.full(person)
        return Being(name, kind=world.job[person]) if rng.random() < 0.5 else Being(name, place=world.city[person])
    thing = rng.choice(OBJECTS)
    return Being(thing, kind=CATEGORY_OF[thing]) if rng.random() < 0.5 else Being(thing, place=world.home[thing])
