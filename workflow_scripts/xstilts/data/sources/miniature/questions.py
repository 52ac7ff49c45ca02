"""Questions about contexts of several events, with the nouns that answer them."""

from typing import NamedTuple

from xstilts.data.sources.miniature.concepts import MOTION, REST, SOCIAL, TRANSFER, TRANSITIVE
from xstilts.data.sources.miniature.languages import Language
from xstilts.data.sources.miniature.wording import Clause, Keys, Sentence, keys_of, mark_of, words
from xstilts.data.sources.miniature.world import Event, Teller

_ASKED = ("agent", "patient", "recipient", "place", "time")
_GROUPS = (TRANSITIVE, SOCIAL, TRANSFER, MOTION, REST)
_PASSIVE = 0.25


class Question(NamedTuple):
    """A question, and the noun that answers it, in one of the sentences of the context; none where there is none."""

    sentence: Clause
    number: int
    noun: str


class Paragraph(NamedTuple):
    """A context and questions about it."""

    context: tuple[Clause, ...]
    questions: tuple[Question, ...]


class Layout(NamedTuple):
    """A context as text; the keys of each sentence, and where each word starts and ends in the text."""

    text: str
    keys: list[tuple[str, ...]]
    spans: list[list[tuple[int, int]]]


def events(teller: Teller, number: int) -> list[Event]:
    """Return events with much told of each, each with a verb of its own."""
    while True:
        found = [teller.stated(teller.event(), 0.7) for _ in range(number)]
        if len({event.verb for event in found}) == number:
            return found


def paragraph(
    teller: Teller, plain: list[Event], questions: int, brief: bool = False, unanswerable: float = 0.0
) -> Paragraph:
    """Return a context with questions; synonyms may tell both apart.

    Args:
        teller: draws what is asked.
        plain: the events of the context, each with a verb of its own.
        questions: number of questions at most.
        brief: whether a question leaves out where, when and of which quality.
        unanswerable: part of the questions that ask for what the context does not tell.
    """
    stated = [teller.varied(event) for event in plain]
    context = tuple(Clause(event, passive=_turned(teller, event)) for event in stated)
    places = [(number, asked) for number, event in enumerate(plain) for asked in _askable(event)]
    found = []
    for number, asked in teller.rng.sample(places, min(questions, len(places))):
        event, noun = _asking(plain[number], brief), getattr(stated[number], asked)
        others = _unstated(plain, event.verb)
        if others and teller.rng.random() < unanswerable:
            event, noun = event._replace(verb=teller.rng.choice(others)), ""
        found.append(Question(Clause(event, asked=asked), number, noun))
    return Paragraph(context, tuple(found))


def _askable(event: Event) -> list[str]:
    """Return what can be asked about an event."""
    fields = [field for field in _ASKED if getattr(event, field)]
    return fields if event.patient else [field for field in fields if field in ("agent", "place")]


def _turned(teller: Teller, event: Event) -> bool:
    """Return whether an event is told in the passive."""
    return event.patient is not None and event.mood is None and teller.rng.random() < _PASSIVE


def _asking(event: Event, brief: bool) -> Event:
    """Return what a question says of an event."""
    bare = event._replace(mood=None, manner=None, hour=None, article="the")
    if not brief:
        return bare
    return bare._replace(time=None, place=bare.place if bare.verb in MOTION else None, adjective=None)


def _unstated(stated: list[Event], verb: str) -> list[str]:
    """Return verbs that take what a verb takes, and that the context has not; none for a synonym."""
    group = next((group for group in _GROUPS if verb in group), ())
    return [other for other in group if other not in {event.verb for event in stated}]


def layout(language: Language, context: tuple[Sentence, ...]) -> Layout:
    """Return a context as text, in a language."""
    parts: list[str] = []
    keys: list[Keys] = []
    spans: list[list[tuple[int, int]]] = []
    reached = 0
    for sentence in context:
        keys.append((*keys_of(language, sentence), mark_of(sentence)))
        spans.append([])
        for word in words(language, keys[-1]):
            spans[-1].append((reached, reached + len(word)))
            reached += len(word) + 1
            parts.append(word)
    return Layout(" ".join(parts), keys, spans)


def located(laid: Layout, question: Question) -> tuple[int, int]:
    """Return where the answer starts and ends in the text of the context.

    A noun is found by its key, so that another word of the same form is not taken for it.
    """
    return noun_span(laid.keys[question.number], laid.spans[question.number], question.noun)


def noun_span(keys: tuple[str, ...], spans: list[tuple[int, int]], noun: str) -> tuple[int, int]:
    """Return where a noun or a name of several words starts and ends."""
    expected = noun.split(" ")
    expected = [expected[0], *(f"+{word}" for word in expected[1:])]
    bare = [key.partition("|")[0] for key in keys] + [""]
    for first in range(len(keys)):
        last = first + len(expected)
        # a city is not found in the name of a company
        if bare[first:last] == expected and not bare[last].startswith("+"):
            return spans[first][0], spans[last - 1][1]
    raise ValueError(f"{noun} is not in {' '.join(keys)}")
