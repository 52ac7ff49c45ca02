"""JSON formats: a row a line, an object of rows, and SQuAD's nesting.

Stricter than Python's own parser: NaN and infinities are refused, as JSON has none, and so is an object with the same
key twice, of which one value would be lost. Half a surrogate pair (an escape from U+D800 to U+DFFF without its other
half) is refused, as no text can hold it.
"""

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from xstilts.data.readers.text import numbered_lines, short, whole
from xstilts.errors import UserError

_BLANK = " \t\r"
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


def read_jsonl(paths: Sequence[Path], header: Sequence[str] | None) -> Iterator[dict[str, Any]]:
    """Yield the objects of files with one JSON object a line; empty lines hold none."""
    for path in paths:
        for number, line in numbered_lines(path):
            if not line.strip(_BLANK):
                continue
            row = _parse(line, f"{path}:{number}")
            if not isinstance(row, dict):
                raise UserError(f"{path}:{number}: not a JSON object")
            yield row


def read_json_rows(paths: Sequence[Path], header: Sequence[str] | None) -> Iterator[dict[str, Any]]:
    """Yield the rows of files that hold one object, row number -> row, or a list of rows, alone or under one key."""
    for path in paths:
        content = _parse(whole(path), str(path))
        rows: list[Any] = list(content.values()) if isinstance(content, dict) else [content]
        if len(rows) == 1 and isinstance(rows[0], list) and rows[0]:
            rows = rows[0]
        if not all(isinstance(row, dict) for row in rows):
            raise UserError(f"{path}: not an object of rows")
        yield from rows


def read_squad(paths: Sequence[Path], header: Sequence[str] | None) -> Iterator[dict[str, Any]]:
    """Yield the questions of SQuAD files in the flat layout of the hub: id, title, context, question, answers.

    ``answers`` is ``{"text": [...], "answer_start": [...]}``, empty for a question without an answer. ``article`` and
    ``paragraph`` are numbers from 0, both counted through the file, so that questions on one paragraph can be grouped.
    Where the file has them (XQuAD-R, github.com/google-research-datasets/lareqa), ``sentences`` are the texts of the
    paragraph's sentences and ``sentence_breaks`` their [start, end) in characters of the context; they must agree.
    """
    for path in paths:
        content = _parse(whole(path), str(path))
        number = -1
        for article_number, (article_place, article) in enumerate(_objects(content, "data", str(path))):
            title = _field(article, "title", (str,), article_place) if "title" in article else ""
            for paragraph_place, paragraph in _objects(article, "paragraphs", article_place):
                number += 1
                context = _field(paragraph, "context", (str,), paragraph_place)
                sentences = _sentences(paragraph, context, paragraph_place)
                for place, question in _objects(paragraph, "qas", paragraph_place):
                    yield {
                        "id": _field(question, "id", (str, int), place),
                        "title": title,
                        "context": context,
                        "question": _field(question, "question", (str,), place),
                        "answers": _answers(question, place),
                        "article": article_number,
                        "paragraph": number,
                        **sentences,
                    }


def _answers(question: Mapping[str, Any], place: str) -> dict[str, list[Any]]:
    """Return the answers by column."""
    if "is_impossible" in question and _field(question, "is_impossible", (bool,), place):
        return {"text": [], "answer_start": []}
    answers = list(_objects(question, "answers", place))
    return {
        "text": [_field(answer, "text", (str,), place) for place, answer in answers],
        "answer_start": [_field(answer, "answer_start", (int,), place) for place, answer in answers],
    }


def _sentences(paragraph: Mapping[str, Any], context: str, place: str) -> dict[str, list[Any]]:
    """Return the sentences of a paragraph and their breaks, if it has them.

    Raises:
        UserError: if a break does not cut its sentence from the context.
    """
    if "sentences" not in paragraph and "sentence_breaks" not in paragraph:
        return {}
    sentences = _field(paragraph, "sentences", (list,), place)
    breaks = _field(paragraph, "sentence_breaks", (list,), place)
    if len(sentences) != len(breaks):
        raise UserError(f"{place}: {len(sentences)} sentences, but {len(breaks)} sentence_breaks")
    for number, (sentence, pair) in enumerate(zip(sentences, breaks, strict=True), 1):
        if not _is_span(pair) or context[slice(*pair)] != sentence:
            raise UserError(f"{place}: sentence {number} is not what its sentence_breaks cut from the context")
    return {"sentences": sentences, "sentence_breaks": breaks}


def _is_span(pair: Any) -> bool:
    return isinstance(pair, list) and [type(at) for at in pair] == [int, int] and 0 <= pair[0] <= pair[1]


def _objects(holder: Any, key: str, place: str) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the objects of a list, each with its place."""
    items = _field(holder, key, (list,), place)
    for number, item in enumerate(items, 1):
        if not isinstance(item, dict):
            raise UserError(f"{place}: not in SQuAD's format: {key} {number} is not an object")
        yield f"{place}, {key} {number}", item


def _field(holder: Any, key: str, kinds: tuple[type, ...], place: str) -> Any:
    """Return a value that must be there and of one of the kinds (a bool is no int)."""
    if not isinstance(holder, dict) or type(holder.get(key)) not in kinds:
        names = " or ".join(kind.__name__ for kind in kinds)
        raise UserError(f"{place}: not in SQuAD's format: {key} is missing or not of the type {names}")
    return holder[key]


def _parse(text: str, place: str) -> Any:
    """Return the value of a JSON text.

    Raises:
        UserError: if it is none, or is nested too deeply for the parser.
    """
    try:
        content = _DECODER.decode(text)
        if _SURROGATE.search(text):
            json.dumps(content, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise UserError(f"{place}: half a surrogate pair (U+D800 to U+DFFF) in a text; fetch the file anew") from None
    except ValueError as error:
        raise UserError(f"{place}: not JSON ({error}); is the file truncated?") from None
    except RecursionError:
        raise UserError(f"{place}: not a data file: its JSON is nested too deeply to be read") from None
    return content


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    if len(content) != len(pairs):
        ((name, _),) = Counter(name for name, _ in pairs).most_common(1)
        raise ValueError(f"the key {short(name)} stands twice in an object")
    return content


def _no_number(name: str) -> None:
    raise ValueError(f"{name} is not a number of JSON")


_DECODER = json.JSONDecoder(object_pairs_hook=_object, parse_constant=_no_number)
