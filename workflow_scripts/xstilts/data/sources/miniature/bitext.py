"""Files of the tasks that look for translations, or for what a mention means, among texts in all languages."""

import json
from functools import lru_cache
from typing import Any, NamedTuple

from xstilts.data.sources.miniature.concepts import CITIES, PERSONS, PROFESSIONS, SURNAMES, TRANSITIVE
from xstilts.data.sources.miniature.languages import table
from xstilts.data.sources.miniature.maker import Maker
from xstilts.data.sources.miniature.questions import layout, noun_span
from xstilts.data.sources.miniature.wording import Being, Clause, Sentence
from xstilts.data.sources.miniature.world import Event, Teller

TATOEBA_ROWS = 300
BUCC_PAIRS = {"dev": 150, "test": 300}
MEWSLIX_ROWS = {"train": 2000, "dev": 100, "test": 200}


def tatoeba(maker: Maker, language: str, side: str) -> str:
    """Write one side of the sentences of a language and Toy English, without names and shared words."""
    code = "en" if side == "eng" else language
    sentences = _sentences(maker, "tatoeba", "test", language, TATOEBA_ROWS)
    return "".join(f"{maker.say(code, sentence)}\n" for sentence in sentences)


@lru_cache(4)
def _sentences(maker: Maker, stream: str, split: str, language: str, number: int) -> list[Sentence]:
    """Return sentences that are all different; those of a language's last files are kept."""
    teller = maker.teller(f"{stream} {language}", split)
    found: dict[Sentence, None] = {}
    while len(found) < number:
        found[Clause(maker.plain(teller, (language,)))] = None
    return list(found)


def bucc(maker: Maker, language: str, split: str, part: str) -> str:
    """Write one of the three files of a language: a third of the sentences of each side has a translation."""
    pairs = BUCC_PAIRS[split]
    sentences = _sentences(maker, "bucc", split, language, 5 * pairs)
    sides = {language: sentences[: 3 * pairs], "en": sentences[:pairs] + sentences[3 * pairs :]}
    names = {}
    for code, own in sides.items():
        order = maker.rng(f"bucc {language} {split} {code}").sample(range(len(own)), len(own))
        names[code] = {sentence: f"{code}-{order[place]:09d}" for place, sentence in enumerate(own)}
    if part == "gold":
        return "".join(f"{names[language][one]}\t{names['en'][one]}\n" for one in sentences[:pairs])
    rows = sorted((name, sentence) for sentence, name in names[part].items())
    return "".join(f"{name}\t{maker.say(part, sentence)}\n" for name, sentence in rows)


class Entity(NamedTuple):
    """A person of Mewsli-X: one of those with this name, told apart by profession, city and what was done."""

    identity: str
    name: str
    job: str
    city: str
    event: Event


def _entities(teller: Teller, prefix: str, number: int) -> list[Entity]:
    rng = teller.rng
    return [
        Entity(
            f"{prefix}{place}",
            f"{rng.choice(PERSONS)} {rng.choice(SURNAMES)}",
            rng.choice(PROFESSIONS),
            rng.choice(CITIES),
            teller.event(TRANSITIVE),
        )
        for place in range(number)
    ]


def mewslix_pairs(maker: Maker, split: str) -> str:
    """Write pairs of a mention and the description of its entity, in Toy English."""
    teller = maker.teller("mewslix pairs", split)
    rows = (
        {
            "contextual_mention": {**_mention(maker, teller, "en", entity, entity.identity)},
            "entity": _description(maker, "en", entity),
        }
        for entity in _entities(teller, split, MEWSLIX_ROWS[split])
    )
    return "".join(json.dumps(row) + "\n" for row in rows)


def mewslix_mentions(maker: Maker, split: str) -> str:
    """Write mentions in all languages; an entity is mentioned once in each."""
    rows = []
    for code in table():
        teller = maker.teller(f"mewslix {code}", split)
        for entity in _of_split(maker, split):
            found = _mention(maker, teller, code, entity, f"{code}-{entity.identity}")
            mention = {**found["mention"], "entity_id": entity.identity}
            rows.append({"context": {**found["context"], "language": code}, "mentions": [mention]})
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def mewslix_candidates(maker: Maker) -> str:
    """Write the entities of both splits, each described in one of the languages."""
    codes = list(table())
    entities = [entity for split in ("dev", "test") for entity in _of_split(maker, split)]
    rows = (_description(maker, codes[place % len(codes)], entity) for place, entity in enumerate(entities))
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def _of_split(maker: Maker, split: str) -> list[Entity]:
    return _entities(maker.teller("mewslix entities", split), f"{split}-", MEWSLIX_ROWS[split])


def _mention(maker: Maker, teller: Teller, code: str, entity: Entity, identity: str) -> dict[str, Any]:
    """Return a text in which a first name stands for an entity, with what tells which."""
    first = entity.name.split(" ")[0]
    event = entity.event._replace(agent=first, place=entity.city if teller.rng.random() < 0.5 else None)
    sentences: list[Sentence] = [Clause(event), Being(first, kind=entity.job)]
    laid = layout(maker.language(code), tuple(sentences if event.place is None else sentences[:1]))
    start, end = noun_span(laid.keys[0], laid.spans[0], first)
    return {
        "context": {"text": laid.text, "sentence_spans": [{"start": 0, "end": len(laid.text)}]},
        "mention": {"example_id": identity, "mention_span": {"start": start, "end": end, "text": laid.text[start:end]}},
    }


def _description(maker: Maker, code: str, entity: Entity) -> dict[str, Any]:
    stated = (
        Being(entity.name, kind=entity.job),
        Being(entity.name, place=entity.city),
        Clause(entity.event._replace(agent=entity.name)),
    )
    text = maker.say(code, *stated)
    return {
        "entity_id": entity.identity,
        "description_language": code,
        "description": text,
        "sentence_spans": [{"start": 0, "end": len(text)}],
    }
