"""Files of the tasks that choose among texts: causes and effects, scripts, facts."""

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import NamedTuple

from xstilts.data.sources.miniature import rules
from xstilts.data.sources.miniature.concepts import (
    CATEGORIES,
    CATEGORY_OF,
    CITIES,
    OBJECTS,
    PERSONS,
    PLACES,
    PROFESSIONS,
)
from xstilts.data.sources.miniature.maker import Maker
from xstilts.data.sources.miniature.wording import Being, Clause, Fragment, Joined, Led, Sentence
from xstilts.data.sources.miniature.world import Event, Teller, bearer

COPA_ROWS = {"train": 1500, "dev": 100}
XCOPA_ROWS = {"dev": 100, "test": 400}
ROWS = {"train": 3000, "dev": 300}
_LETTERS = "ABCDE"


class Choice(NamedTuple):
    """What is stated, a question, texts to choose from, and the index of the right one.

    ``question`` is a sentence, or none; ``asked`` is COPA's name for it: ``cause`` or ``effect``.
    """

    stated: tuple[Sentence, ...]
    question: tuple[Sentence, ...]
    choices: tuple[Sentence, ...]
    label: int
    asked: str = ""


def copa(maker: Maker, split: str) -> str:
    """Write a file of COPA, of the rules that its training data have."""
    split = "train" if split == "train" else "dev"
    found = _causal(maker, "copa", split, COPA_ROWS[split], maker.known_rules)
    return _copa(maker, "en", found)


def xcopa(maker: Maker, split: str, language: str) -> str:
    """Write a file of XCOPA, of all rules: a quarter of them is in no training data but in text."""
    split = "dev" if split == "val" else "test"
    return _copa(maker, language, _causal(maker, "xcopa", split, XCOPA_ROWS[split], None))


def _copa(maker: Maker, code: str, found: Iterable[Choice]) -> str:
    rows = (
        {
            "premise": maker.say(code, *choice.stated),
            "choice1": maker.say(code, choice.choices[0]),
            "choice2": maker.say(code, choice.choices[1]),
            "question": choice.asked,
            "label": choice.label,
            "idx": number,
            "changed": False,
        }
        for number, choice in enumerate(found)
    )
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def _causal(maker: Maker, stream: str, split: str, rows: int, known: frozenset[str] | None) -> Iterator[Choice]:
    """Yield causes and effects in blocks of two, in which each text to choose is right once and wrong once."""
    teller = maker.teller(stream, split)

    def pair() -> list[Choice]:
        one, other = _moving_two(teller, known)
        who = rules.felt_by(one)
        states = [teller.world.feeling[event.verb] for event in (one, other)]
        causes: list[Sentence] = [Clause(teller.stated(event, 0.2)) for event in (one, other)]
        effects: list[Sentence] = [Being(who, state) for state in states]
        if teller.rng.random() < 0.35:
            if known is not None and not known.issuperset(states):
                return []
            causes = [Joined(cause, "so", effect) for cause, effect in zip(causes, effects, strict=True)]
            effects = [rules.reaction(teller.world, who, state).effect for state in states]
        stated, choices, asked = causes, effects, "effect"
        if teller.rng.random() < 0.5:
            stated, choices, asked = effects, causes, "cause"
        block = [Choice((sentence,), (), tuple(choices), index, asked) for index, sentence in enumerate(stated)]
        return block if teller.rng.random() < 0.5 else block[::-1]

    return _distinct(pair, rows)


def _moving_two(teller: Teller, known: frozenset[str] | None) -> tuple[Event, Event]:
    """Return two events that move the same person in different ways."""
    feeling = teller.world.feeling
    while True:
        one = rules.moving_event(teller)
        other = rules.moving_event(teller, rules.felt_by(one))
        known_both = known is None or known.issuperset((one.verb, other.verb))
        if known_both and feeling[one.verb] != feeling[other.verb]:
            return one, other


def _shuffled(
    teller: Teller, stated: tuple[Sentence, ...], question: tuple[Sentence, ...], choices: Sequence[Sentence]
) -> Choice:
    """Return a choice in a random order; the first of the choices is the right one."""
    order = teller.rng.sample(range(len(choices)), len(choices))
    return Choice(stated, question, tuple(choices[index] for index in order), order.index(0))


def _distinct(block: Callable[[], list[Choice]], rows: int) -> Iterator[Choice]:
    """Yield this many choices of blocks, none of which tells and asks the same as one before."""
    seen: set[tuple] = set()
    while len(seen) < rows:
        found = block()
        new = {(choice.stated, choice.question, choice.asked, frozenset(choice.choices)) for choice in found}
        if len(new) == len(found) and seen.isdisjoint(new):
            yield from found[: rows - len(seen)]
            seen |= new


def commonsenseqa(maker: Maker, split: str) -> str:
    """Write a file of CommonsenseQA: facts about what an event tells of."""
    teller = maker.teller("commonsenseqa", split)
    rows = []
    for number, choice in enumerate(_distinct(lambda: _fact(teller), ROWS[split])):
        choices = [
            {"label": label, "text": maker.say("en", text).removesuffix(" .").lower()}
            for label, text in zip(_LETTERS, choice.choices, strict=True)
        ]
        stem = maker.say("en", *choice.stated, *choice.question)
        rows.append(
            {
                "id": f"{split}{number}",
                "question": {"stem": stem, "choices": choices},
                "answerKey": _LETTERS[choice.label],
            }
        )
    return "".join(json.dumps(row) + "\n" for row in rows)


def _fact(teller: Teller) -> list[Choice]:
    """Return a question about a person or a thing of an event, with five answers; nothing where it has none."""
    world, rng = teller.world, teller.rng
    event = teller.event()
    facts = []
    if event.patient in OBJECTS:
        facts += [
            (event.patient, "what", CATEGORY_OF[event.patient], tuple(CATEGORIES)),
            (event.patient, "where", world.home[event.patient], PLACES),
        ]
    person = bearer(event.agent)
    if person in PERSONS:
        facts += [(person, "what", world.job[person], PROFESSIONS), (person, "where", world.city[person], CITIES)]
    if not facts:
        return []
    noun, word, answer, answers = rng.choice(facts)
    others = rng.sample([other for other in answers if other != answer], 4)
    texts = [Fragment(noun=text, preposition="in" if word == "where" else "") for text in (answer, *others)]
    question = (Being(noun, asked=word),)
    return [_shuffled(teller, (Clause(teller.stated(event, 0.3)),), question, texts)]


def hellaswag(maker: Maker, split: str) -> str:
    """Write a file of HellaSwag: what comes next in a script."""
    split = "train" if split == "train" else "dev"
    teller = maker.teller("hellaswag", split)
    rows = (
        {
            "ind": number,
            "activity_label": "Script",
            "ctx": maker.say("en", *choice.stated),
            "endings": [maker.say("en", ending) for ending in choice.choices],
            "label": choice.label,
        }
        for number, choice in enumerate(_distinct(lambda: _next(teller), ROWS[split]))
    )
    return "".join(json.dumps(row) + "\n" for row in rows)


def _next(teller: Teller) -> list[Choice]:
    """Return the beginning of a script and four steps, of which one comes next."""
    rng, scripts = teller.rng, teller.world.scripts
    who, number = teller.full(rng.choice(rules.PEOPLE)), rng.randrange(len(scripts))
    steps = rules.steps(teller.world, number, who)
    length = rng.randrange(1, len(steps))
    steps[0] = teller.stated(steps[0], 0.9)
    if teller.world.part(who, steps[0].verb, steps[0].time) not in teller.parts:
        return []
    others = [
        rules.steps(teller.world, other, who)[rng.randrange(1, len(steps))]
        for other in rng.sample([other for other in range(len(scripts)) if other != number], 3)
    ]
    endings = [Led("then", Clause(step)) for step in (steps[length], *others)]
    if len(set(endings)) < len(endings):
        return []
    stated = (Led("first", Clause(steps[0])), *(Led("then", Clause(step)) for step in steps[1:length]))
    return [_shuffled(teller, stated, (), endings)]


def cosmosqa(maker: Maker, split: str) -> str:
    """Write a file of CosmosQA: why someone is as he is, or what he does then."""
    split = "train" if split == "train" else "dev"
    teller = maker.teller("cosmosqa", split)
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(["id", "context", "question", *(f"answer{number}" for number in range(4)), "label"])
    for number, choice in enumerate(_distinct(lambda: _reason(teller), ROWS[split])):
        texts = [
            maker.say("en", *choice.stated),
            *(maker.say("en", text) for text in (*choice.question, *choice.choices)),
        ]
        writer.writerow([f"{split}{number}", *texts, choice.label])
    return file.getvalue()


def _reason(teller: Teller) -> list[Choice]:
    """Return a story of two events, a question why or what then, and four answers."""
    world, rng = teller.world, teller.rng
    event, aside = rules.moving_event(teller), teller.stated(teller.event(), 0.3)
    who, state = rules.felt_by(event), world.feeling[event.verb]
    stated: list[Sentence] = [Clause(teller.stated(event, 0.3)), Clause(aside)]
    # wrong answers are as likely of this person as the right one
    others = [rules.moving_event(teller, who) for _ in range(3)]
    states = [world.feeling[other.verb] for other in others]
    if state in states:
        return []
    if rng.random() < 0.5:
        stated[0] = Being(who, state)
        question: Sentence = Being(who, state, asked="why")
        answers: list[Sentence] = [Clause(cause) for cause in (event, *others)]
    else:
        question = Fragment("effect?")
        answers = [rules.reaction(world, who, each).effect for each in (state, *states)]
    if len(set(answers)) < len(answers):
        return []
    rng.shuffle(stated)
    return [_shuffled(teller, tuple(stated), (question,), answers)]
