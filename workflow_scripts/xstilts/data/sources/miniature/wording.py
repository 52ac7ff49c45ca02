"""Sentences, and how they are worded: keys (see ``languages.Language.forms``) in the order of a language's grammar.

A sentence is of no language. Worded in one or another it means the same: only order, articles, and suffixes in place of
prepositions differ. Keys are concepts, so that they also say what part of speech a word is.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache
from typing import Any, NamedTuple, TypeGuard

from xstilts.data.sources.miniature.concepts import MOTION, NAMES, OBJECTS, SYNONYMS
from xstilts.data.sources.miniature.languages import Language
from xstilts.data.sources.miniature.world import Event

Keys = tuple[str, ...]
_NAMES = frozenset(NAMES)
_CASE_OF = {"in": "place", "to": "goal", "by": "agent"}
_QUESTION_WORDS = {"recipient": "whom", "place": "where", "time": "when"}
_ASKING = ("cause?", "effect?")
_THINGS = frozenset((*OBJECTS, *(SYNONYMS[thing] for thing in OBJECTS if thing in SYNONYMS)))


class Clause(NamedTuple):
    """That something happens, or a question about it.

    ``passive``: the patient is the subject. ``front``: ``place`` or ``time``, where that comes first. ``asked``: the
    part that a question word stands for: ``agent``, ``patient``, ``recipient``, ``place`` or ``time``.
    """

    event: Event
    passive: bool = False
    front: str = ""
    asked: str = ""


class Being(NamedTuple):
    """That a noun is something: of a quality, of a kind, or in a place; or a question with this word about it."""

    noun: str
    quality: str = ""
    kind: str = ""
    place: str = ""
    negated: bool = False
    asked: str = ""


class Joined(NamedTuple):
    """Two sentences with a conjunction between them."""

    one: "Sentence"
    conjunction: str
    other: "Sentence"


class Led(NamedTuple):
    """A sentence with a word or a set phrase before it."""

    word: str
    sentence: "Sentence"


class Fragment(NamedTuple):
    """A word, or a noun with its article or preposition: a short answer."""

    word: str = ""
    noun: str = ""
    preposition: str = ""


Sentence = Clause | Being | Joined | Led | Fragment


def is_thing(word: str | None) -> TypeGuard[str]:
    """Tell whether a patient is an object, by whatever synonym, and not a person."""
    return word in _THINGS


@cache
def noun_phrase(
    language: Language, noun: str, case: str = "", adjective: str | None = None, determiner: str = "the"
) -> Keys:
    """Return a noun with its determiner and adjective, or a name, which has neither."""
    words = noun.split(" ")
    ending = f"|{case}" if case and language.facts.cases else ""
    if words[0] in _NAMES:
        words[1:] = [f"+{word}" for word in words[1:]]
        words[-1] += ending
        return tuple(words)
    articles = () if determiner in ("the", "a") and not language.facts.articles else (determiner,)
    adjectives = (adjective,) if adjective else ()
    if language.facts.adjective == "before":
        return (*articles, *adjectives, noun + ending)
    return (*articles, noun + ending, *adjectives)


@cache
def adjunct(language: Language, preposition: str, noun: str) -> Keys:
    """Return a noun with a preposition, or with the suffix that stands for it."""
    phrase = noun_phrase(language, noun, _CASE_OF[preposition])
    return phrase if language.facts.cases else (preposition, *phrase)


def keys_of(language: Language, sentence: Sentence) -> Keys:
    """Return the keys of a sentence in a language, without the mark at its end."""
    return _WORDERS[type(sentence)](language, sentence)


def _clause(language: Language, clause: Clause) -> Keys:
    event, asked = clause.event, clause.asked
    asks_first = asked in ("recipient", "place", "time")
    passive = clause.passive or asked == "patient" or (asks_first and event.patient is not None)
    goal = adjunct(language, "to", event.recipient) if event.recipient and asked != "recipient" else ()
    where = _place(language, event.verb, event.place) if asked != "place" else ()
    when = _time(language, event.time, event.hour) if asked != "time" else ()
    first: Keys = (_QUESTION_WORDS[asked],) if asks_first else ()
    if clause.front == "place":
        first, where = (*first, *where), ()
    elif clause.front == "time":
        first, when = (*first, *when), ()
    other: Keys = ()
    if asked == "agent":
        subject: Keys = ("who",)
    elif asked == "patient":
        subject = ("what" if is_thing(event.patient) else "who",)
    elif passive:
        subject = noun_phrase(language, event.patient, "", event.adjective, event.article)
    else:
        subject = noun_phrase(language, event.agent, "", event.mood, event.quantity)
    if passive:
        goal = (*goal, *adjunct(language, "by", event.agent))
    elif event.patient:
        other = noun_phrase(language, event.patient, "", event.adjective, event.article)
    manner = (event.manner,) if event.manner else ()
    verb = ("never", event.verb) if event.negated else (event.verb,)
    was = ("was",) if passive else ()
    order = language.facts.word_order
    if order == "SOV":
        return (*first, *subject, *other, *goal, *manner, *where, *when, *verb, *was)
    if order == "VSO":
        return (*first, *was, *verb, *subject, *other, *goal, *manner, *where, *when)
    if asks_first and passive:
        return (*first, *was, *subject, *verb, *goal, *manner, *where, *when)
    return (*first, *subject, *was, *verb, *other, *goal, *manner, *where, *when)


@cache
def _place(language: Language, verb: str, place: str | None) -> Keys:
    return adjunct(language, "to" if verb in MOTION else "in", place) if place else ()


@cache
def _time(language: Language, time: str | None, hour: str | None) -> Keys:
    return (*adjunct(language, "in", time), *(("at", hour) if hour else ())) if time else ()


def _being(language: Language, being: Being) -> Keys:
    subject = noun_phrase(language, being.noun)
    complement = (
        (being.quality,)
        if being.quality
        else noun_phrase(language, being.kind, "", None, "a")
        if being.kind
        else adjunct(language, "in", being.place)
        if being.place
        else ()
    )
    no: Keys = ("not",) if being.negated else ()
    first: Keys = (being.asked,) if being.asked else ()
    order = language.facts.word_order
    if order == "SOV":
        return (*first, *subject, *complement, *no, "is")
    if order == "VSO" or being.asked:
        return (*first, "is", *no, *subject, *complement)
    return (*subject, "is", *no, *complement)


def _joined(language: Language, joined: Joined) -> Keys:
    return (*keys_of(language, joined.one), joined.conjunction, *keys_of(language, joined.other))


def _led(language: Language, led: Led) -> Keys:
    return (led.word, *keys_of(language, led.sentence))


def _fragment(language: Language, fragment: Fragment) -> Keys:
    if fragment.word:
        return (fragment.word,)
    if fragment.preposition:
        return adjunct(language, fragment.preposition, fragment.noun)
    return noun_phrase(language, fragment.noun)


_WORDERS: Mapping[type, Callable[[Language, Any], Keys]] = {
    Clause: _clause,
    Being: _being,
    Joined: _joined,
    Led: _led,
    Fragment: _fragment,
}


def mark_of(sentence: Sentence) -> str:
    """Return the mark at the end of a sentence."""
    if isinstance(sentence, Led):
        return "?" if sentence.word == "whether" else mark_of(sentence.sentence)
    asks = isinstance(sentence, Clause | Being) and sentence.asked
    return "?" if asks or (isinstance(sentence, Fragment) and sentence.word in _ASKING) else "."


def words(language: Language, keys: Iterable[str]) -> list[str]:
    """Return the words of a sentence."""
    return [language.forms[key] for key in keys]


def say(language: Language, sentences: Sequence[Sentence]) -> str:
    """Return sentences as text."""
    return " ".join(
        " ".join(words(language, (*keys_of(language, sentence), mark_of(sentence)))) for sentence in sentences
    )
