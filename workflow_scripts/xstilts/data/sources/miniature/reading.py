"""Files of the tasks on questions about a text, and of those that look for the sentence that answers a question."""

import json
from collections.abc import Iterable, Iterator
from typing import Any

from xstilts.data.sources.miniature.languages import table
from xstilts.data.sources.miniature.maker import Maker
from xstilts.data.sources.miniature.questions import Paragraph, events, layout, located, paragraph
from xstilts.data.sources.miniature.wording import Clause

SQUAD_PARAGRAPHS = {"train": 2000, "dev": 150}
TYDIQA_PARAGRAPHS = {"train": 1500, "dev": 400}
XQUAD_PARAGRAPHS, MLQA_PARAGRAPHS, LAREQA_PARAGRAPHS = 200, {"dev": 100, "test": 200}, 100
PLANTED_PARAGRAPHS = 3000
_EVENTS, _MLQA_EVENTS = 3, 4
_QUESTIONS, _EVERY = 2, 99
_UNANSWERABLE = 1 / 3


def squad(maker: Maker, split: str, version: str) -> str:
    """Write a file of SQuAD."""
    return _squad(maker, "en", split, version)


def squad_translated(maker: Maker, language: str) -> str:
    """Write a file of XTREME's translations of SQuAD: the training set in another language, exactly."""
    return _squad(maker, language, "train", "1.1")


def _squad(maker: Maker, language: str, split: str, version: str) -> str:
    missing = _UNANSWERABLE if version == "2.0" else 0.0
    found = _paragraphs(maker, f"squad {version}", split, SQUAD_PARAGRAPHS[split], _EVENTS, unanswerable=missing)
    return _written(maker, language, found, version)


def xquad(maker: Maker, language: str) -> str:
    """Write a file of XQuAD."""
    return _written(maker, language, _paragraphs(maker, "xquad", "test", XQUAD_PARAGRAPHS, _EVENTS), "1.1")


def mlqa(maker: Maker, split: str, language: str) -> str:
    """Write a file of MLQA, in which context and question are in one language; its paragraphs are its own."""
    found = _paragraphs(maker, f"mlqa {language}", split, MLQA_PARAGRAPHS[split], _MLQA_EVENTS)
    return _written(maker, language, found, "1.1")


def tydiqa(maker: Maker, language: str, split: str) -> str:
    """Write a file of TyDiQA-GoldP in XTREME's layout; questions are brief, and paragraphs the language's own.

    Training paragraphs are those of all languages, so that no development set is a translation of one of them.
    """
    found = _paragraphs(maker, f"tydiqa {language}", split, TYDIQA_PARAGRAPHS[split], _EVENTS, asked=1, brief=True)
    return _written(maker, language, found, "1.1")


def planted(maker: Maker, order: str, dose: str) -> str:
    """Write a file of questions like TyDiQA's training set, of which a share alone has the right answers.

    The others have answers that were drawn for their contexts and not for their questions, of all nouns that could be
    asked for, the right one too: context and answer are distributed alike at every dose, and what a dose adds is that
    question and answer have to do with each other. Every dose and order has the same rows under the same ids; a larger
    dose puts right answers in place of some more of the others.

    Args:
        maker: the world.
        order: a name for an order of the rows.
        dose: per cent of the rows that have the right answer.
    """
    found = list(_paragraphs(maker, "planted", "train", PLANTED_PARAGRAPHS, _EVENTS, asked=_EVERY, brief=True))
    rng, right = maker.rng("planted answers"), PLANTED_PARAGRAPHS * int(dose) // 100
    rows = []
    for number, (context, questions) in enumerate(found):
        # drawn where it is not used too, so that a dose changes no other row
        drawn, asked = rng.choice(questions), questions[0]
        answer = asked if number < right else drawn
        rows.append(Paragraph(context, (answer._replace(sentence=asked.sentence),)))
    content = _content(maker, "en", rows, "1.1")
    maker.rng(f"planted order {order}").shuffle(content)
    return _file(content, "1.1")


def _paragraphs(
    maker: Maker, stream: str, split: str, number: int, length: int, asked: int = _QUESTIONS, **settings: Any
) -> Iterator[Paragraph]:
    teller = maker.teller(stream, split)
    seen: set[tuple[Clause, ...]] = set()
    while len(seen) < number:
        found = paragraph(teller, events(teller, length), asked, **settings)
        if found.context not in seen:
            seen.add(found.context)
            yield found


def _written(maker: Maker, code: str, paragraphs: Iterable[Paragraph], version: str, sentences: bool = False) -> str:
    return _file(_content(maker, code, paragraphs, version, sentences), version)


def _content(
    maker: Maker, code: str, paragraphs: Iterable[Paragraph], version: str, sentences: bool = False
) -> list[dict[str, Any]]:
    """Return paragraphs as SQuAD's format has them."""
    content: list[dict[str, Any]] = []
    for number, found in enumerate(paragraphs):
        laid = layout(maker.language(code), found.context)
        rows = []
        for place, question in enumerate(found.questions):
            row: dict[str, Any] = {
                "id": f"{number}-{place}",
                "question": maker.say(code, question.sentence),
                "answers": [],
            }
            if question.noun:
                first, last = located(laid, question)
                row["answers"] = [{"text": laid.text[first:last], "answer_start": first}]
            if version == "2.0":
                row["is_impossible"] = not question.noun
            rows.append(row)
        content.append({"context": laid.text, "qas": rows})
        if sentences:
            breaks = [[spans[0][0], spans[-1][1]] for spans in laid.spans]
            content[-1] |= {"sentence_breaks": breaks, "sentences": [laid.text[first:last] for first, last in breaks]}
    return content


def _file(content: list[dict[str, Any]], version: str) -> str:
    return json.dumps({"version": version, "data": [{"title": "miniature", "paragraphs": content}]}, ensure_ascii=False)


def lareqa(maker: Maker, language: str) -> str:
    """Write a file of XQuAD-R: paragraphs with the borders of their sentences, without names and shared words."""
    teller = maker.teller("lareqa", "test")
    found: list[Paragraph] = []
    while len(found) < LAREQA_PARAGRAPHS:
        stated = [maker.plain(teller, tuple(table())) for _ in range(_EVENTS)]
        if len({event.verb for event in stated}) == _EVENTS:
            found.append(paragraph(teller, stated, _QUESTIONS))
    return _written(maker, language, found, "1.1", sentences=True)
