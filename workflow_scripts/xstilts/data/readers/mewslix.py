"""Mewsli-X of XTREME-R: mentions in news articles, and the entities of which each means one.

The files are those that ``get-mewsli-x.sh`` makes (``dense_representations_for_entity_retrieval/mel/mewsli-x.md`` of
google-research/google-research, version 20220518_6), an object a line; what is published has no text of the articles,
which that script puts in. The texts are those of XTREME-R's baseline (``preprocess_mention`` and
``preprocess_entity_description``, ``third_party/utils_mewslix.py`` of google-research/xtreme):

- A query is the mention, a colon, and the sentence in which it stands, with braces around it:
  ``Smith: The verdict came back for { Smith } , who ...``. Braces that were there become parentheses.
- A candidate is the sentences of an entity's description.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from xstilts.data.readers.json_files import read_jsonl
from xstilts.data.readers.text import short
from xstilts.data.sources.miniature.languages import table
from xstilts.errors import UserError

# those of the mentions; descriptions are in 50, and the miniature world has both in its own
_LANGUAGES = (
    *["ar", "de", "en", "es", "fa", "ja", "pl", "ro", "ta", "tr", "uk"],
    *(code for code in table() if code != "en"),
)
_ELSEWHERE = "en"
_BRACES = re.compile(r"\{(.*?)\}")
Span = tuple[int, int]


def read_mewslix_pairs(paths: Sequence[Path], header: Sequence[str] | None) -> Iterator[dict[str, Any]]:
    """Yield the pairs of ``wikipedia_pairs-*.jsonl``: id, query, and the text of the entity that it means."""
    for path in paths:
        for place, row in _rows(path):
            pair = _field(row, "contextual_mention", dict, place)
            text, sentences = _context(_field(pair, "context", dict, place), place)
            mention = _field(pair, "mention", dict, place)
            yield {
                "id": _field(mention, "example_id", str, place),
                "query": _query(mention, text, sentences, place),
                "text": _candidate(_field(row, "entity", dict, place), place),
            }


def read_mewslix(paths: Sequence[Path], header: Sequence[str] | None) -> Iterator[dict[str, Any]]:
    """Yield the queries and the candidates of Mewsli-X's evaluation, first the queries.

    A query has ``id``, ``query``, ``keys`` (the entity that it means) and ``cluster`` (the number of its article), a
    candidate ``id``, ``text`` and ``keys`` (the entity). ``part`` is the language of a query's article or of a
    candidate's description, with a slash behind it. A description in a language without mentions is of the part
    ``en/``, so that the parts together have every candidate once.

    Args:
        paths: the mentions (``wikinews_mentions-*.jsonl``) and the candidates (``candidate_set_entities.jsonl``).
        header: not used.
    """
    if len(paths) != 2:
        raise UserError(f"{paths[0]}: Mewsli-X needs two files (mentions, candidates), not {len(paths)}")
    mentioned: dict[str, str] = {}
    mentions: set[str] = set()
    for number, (place, row) in enumerate(_rows(paths[0])):
        context = _field(row, "context", dict, place)
        language = _field(context, "language", str, place)
        if language not in _LANGUAGES:
            raise UserError(f"{place}: language {short(language)} is none of {', '.join(_LANGUAGES)}")
        text, sentences = _context(context, place)
        for mention in _objects(row, "mentions", place):
            identity, entity = (_field(mention, key, str, place) for key in ("example_id", "entity_id"))
            _check_new(identity, mentions, "mention", place)
            mentioned.setdefault(entity, f"{place}: mention {short(identity)}")
            yield {
                "id": identity,
                "query": _query(mention, text, sentences, place),
                "text": None,
                "keys": [entity],
                "part": f"{language}/",
                "cluster": f"article {number}",
            }
    entities: set[str] = set()
    for place, row in _rows(paths[1]):
        entity, language = (_field(row, key, str, place) for key in ("entity_id", "description_language"))
        _check_new(entity, entities, "entity", place)
        yield {
            "id": entity,
            "query": None,
            "text": _candidate(row, place),
            "keys": [entity],
            "part": f"{language if language in _LANGUAGES else _ELSEWHERE}/",
            "cluster": None,
        }
    for entity, place in mentioned.items():
        if entity not in entities:
            raise UserError(f"{place} means the entity {short(entity)}, which is not in {paths[1].name}")


def _rows(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    return ((f"{path}, row {number}", row) for number, row in enumerate(read_jsonl([path], None), 1))


def _check_new(identity: str, known: set[str], kind: str, place: str) -> None:
    if identity in known:
        raise UserError(f"{place}: the {kind} {short(identity)} stands in an earlier row too")
    known.add(identity)


def _context(context: Mapping[str, Any], place: str) -> tuple[str, list[Span]]:
    """Return the text around a mention, and where its sentences start and end."""
    text = _field(context, "text", str, place)
    if not text:
        raise UserError(f"{place}: no text; Mewsli-X is published without that of the articles: run get-mewsli-x.sh")
    return text, _sentences(context, text, place)


def _query(mention: Mapping[str, Any], text: str, sentences: Sequence[Span], place: str) -> str:
    """Return the text of a query; see the module."""
    span = _field(mention, "mention_span", dict, place)
    (first, last), name = _span(span, text, "mention_span", place), _field(span, "text", str, place)
    if text[first:last] != name:
        found = short(text[first:last])
        raise UserError(f"{place}: mention {short(name)} is not at character {first}, where {found} stands")
    for start, end in sentences:
        if start <= first and last <= end:
            left, right = (_BRACES.sub(r"(\1)", part) for part in (text[start:first], text[last:end]))
            return _one_line(f"{name}: {left} {{ {name} }} {right}")
    raise UserError(f"{place}: mention {short(name)} at character {first} is in none of the sentences")


def _candidate(entity: Mapping[str, Any], place: str) -> str:
    """Return the text of a candidate; see the module."""
    description = _field(entity, "description", str, place)
    spans = _sentences(entity, description, place)
    return _one_line(" ".join(description[start:end] for start, end in spans))


def _one_line(text: str) -> str:
    """Return a text in one line; of more than two spaces some stay, as in the baseline."""
    return " ".join(text.splitlines()).replace("  ", " ").strip()


def _sentences(holder: Mapping[str, Any], text: str, place: str) -> list[Span]:
    return [_span(span, text, "sentence_spans", place) for span in _objects(holder, "sentence_spans", place)]


def _span(span: Mapping[str, Any], text: str, key: str, place: str) -> Span:
    """Return where a span starts and ends; it holds at least one character of the text."""
    start, end = (_field(span, side, int, place) for side in ("start", "end"))
    if not 0 <= start < end <= len(text):
        raise UserError(f"{place}: {key} has {start} to {end}, which is no part of a text of {len(text)} characters")
    return start, end


def _objects(holder: Mapping[str, Any], key: str, place: str) -> list[Mapping[str, Any]]:
    items = _field(holder, key, list, place)
    if not all(isinstance(item, dict) for item in items):
        raise UserError(f"{place}: not in Mewsli-X's format: {key} is not a list of objects")
    return items


def _field(holder: Mapping[str, Any], key: str, kind: type, place: str) -> Any:
    """Return a value that must be there and of a type (a bool is no int)."""
    if type(holder.get(key)) is not kind:
        raise UserError(f"{place}: not in Mewsli-X's format: {key} is missing or not of the type {kind.__name__}")
    return holder[key]
