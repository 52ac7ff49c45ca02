"""The layouts of XTREME's files: how each is read into a table, and written.

=========  =====================================================================================================
layout     content
=========  =====================================================================================================
labels     a label a line; further columns do not matter
indices    for each English sentence, in the order of their texts, the index of the retrieved sentence of the other
           language, from 0, a line; further columns do not matter
tags       a tag a line, an empty line after a sentence
pairs      a pair a line: foreign id, English id
choices    ``{"label": 0}`` a line: the index of the choice; other keys do not matter
answers    predictions: ``{question id: answer}``; labels: SQuAD's format
rankings   ``{query id: [candidate id, ...]}``: predictions best first, 20 count; labels in any order
=========  =====================================================================================================

Sources, all in google-research/xtreme: ``evaluate.py`` and ``mock_test_data`` (commit da430dd), ``third_party/
run_xcopa.py`` for XCOPA, whose labels are its own test files, and ``third_party/utils_mewslix.py``. For LAReQA there is
no such file; ours are of Mewsli-X's form, in the language of the question.

A table goes from keys (numbers of rows, ids, pairs) to the notation in which a form states predictions and gold
answers. Errors name the file and the row.
"""

import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from xstilts.errors import UserError

Table = dict[Any, str]
Rows = Iterable[tuple[str, str]]
_BYTE_ORDER_MARK = "\ufeff"


@dataclass(frozen=True)
class Layout:
    """How files of predictions and labels are read and written.

    Attributes:
        read_predictions: a file as a table.
        read_labels: a file as a table.
        write_predictions: rows (id, prediction) as the text of a file.
        write_labels: rows (id, gold answer) as the text of a file.
        by_number: whether what corresponds does so by its number in the file.
        by_word: whether a value has a label for each word, separated by spaces.
        sparse: whether a file may lack an item: a pair that only one side has is none for the other.
    """

    read_predictions: Callable[[Path], Table]
    read_labels: Callable[[Path], Table]
    write_predictions: Callable[[Rows], str]
    write_labels: Callable[[Rows], str]
    by_number: bool = False
    by_word: bool = False
    sparse: bool = False


# Reading


def _text(path: Path) -> str:
    try:
        text = path.read_bytes().decode("utf-8")
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: not UTF-8 at byte {error.start}") from None
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror})") from None
    if text.startswith(_BYTE_ORDER_MARK):
        raise UserError(f"{path}: begins with a byte-order mark, which would belong to its first row; write it without")
    return text


def _lines(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the lines with their numbers; only a line feed ends a line."""
    lines = _text(path).split("\n")
    if not lines[-1]:
        lines.pop()
    return enumerate((line.removesuffix("\r") for line in lines), 1)


def _read_labels(path: Path) -> Table:
    return {number: line.split("\t")[0].strip() for number, line in _lines(path)}


def _read_indices(path: Path) -> Table:
    table = _read_labels(path)
    for number, value in table.items():
        if not re.fullmatch("[0-9]{1,9}", value):
            raise UserError(f"{path}: row {number}: {value[:60]!r} is not the number of a sentence")
    return {number: str(int(value)) for number, value in table.items()}


def _read_tags(path: Path) -> Table:
    """Return the tags of each sentence, separated by spaces; further empty lines make no sentence."""
    sentences: list[list[str]] = [[]]
    for number, line in _lines(path):
        tag = line.strip()
        if not tag and sentences[-1]:
            sentences.append([])
        elif tag:
            if len(tag.split()) > 1:
                raise UserError(f"{path}: row {number}: {tag[:60]!r} is not one tag")
            sentences[-1].append(tag)
    return {number: " ".join(tags) for number, tags in enumerate(sentences, 1) if tags}


def _read_mined(path: Path) -> Table:
    """Return the pairs of ids, each with its English id."""
    table = {}
    for number, line in _lines(path):
        ids = line.strip().split("\t")
        if len(ids) != 2 or not all(ids):
            raise UserError(f"{path}: row {number}: not a foreign id, a tab and an English id: {line[:60]!r}")
        for identity in ids:
            if identity.split() != [identity]:
                raise UserError(f"{path}: row {number}: white space in the id {identity[:60]!r}")
        table[tuple(ids)] = ids[1]
    return table


def _read_choices(path: Path) -> Table:
    table = {}
    for number, line in _lines(path):
        row = _json(path, line, f"row {number}: ")
        label = row.get("label") if isinstance(row, dict) else None
        if not isinstance(label, int) or isinstance(label, bool):
            raise UserError(f'{path}: row {number}: needs {{"label": the number of the choice}}, found {line[:60]!r}')
        table[number] = str(label)
    return table


def _json(path: Path, text: str, where: str = "") -> Any:
    try:
        return json.loads(text, object_pairs_hook=lambda pairs: _unique(pairs, f"{path}: {where}"))
    except (ValueError, RecursionError) as error:
        raise UserError(f"{path}: {where}not JSON ({error})") from None


def _unique(pairs: Sequence[tuple[str, Any]], where: str) -> dict[str, Any]:
    table = dict(pairs)
    if len(table) < len(pairs):
        key, _ = Counter(key for key, _ in pairs).most_common(1)[0]
        raise UserError(f"{where}the key {key!r} stands twice")
    return table


def _read_answers(path: Path) -> Table:
    content = _json(path, _text(path))
    if not isinstance(content, dict):
        raise UserError(f"{path}: not an object {{question id: answer}}")
    for identity, answer in content.items():
        if not isinstance(answer, str):
            raise UserError(f"{path}: question {identity!r}: the answer is not text but {answer!r:.60}")
    return content


def _read_squad(path: Path) -> Table:
    """Return the gold answers of each question, as a JSON list."""
    content = _json(path, _text(path))
    table: Table = {}
    try:
        articles = content["data"] if isinstance(content, dict) else content
        paragraphs = [paragraph for article in articles for paragraph in article["paragraphs"]]
        questions = [
            (question["id"], [answer["text"] for answer in question["answers"]])
            for paragraph in paragraphs
            for question in paragraph["qas"]
        ]
    except (KeyError, TypeError) as error:
        raise UserError(f"{path}: not in SQuAD's format (missing or misplaced: {error})") from None
    for identity, answers in questions:
        if not isinstance(identity, str):
            raise UserError(
                f"{path}: question {identity!r:.60}: its id is not text; give it one of the predictions' ids"
            )
        if not answers or not all(isinstance(answer, str) and answer for answer in answers):
            raise UserError(
                f"{path}: question {identity!r}: no right answer but {answers!r:.60}: a placeholder, not gold"
            )
        if identity in table:
            raise UserError(f"{path}: question {identity!r} stands twice; give each its own id")
        table[identity] = json.dumps(answers, ensure_ascii=False)
    return table


def _read_rankings(path: Path) -> Table:
    content = _json(path, _text(path))
    if not isinstance(content, dict):
        raise UserError(f"{path}: not an object {{query id: [candidate id, ...]}}")
    for identity, candidates in content.items():
        if not isinstance(candidates, list) or not all(isinstance(candidate, str) for candidate in candidates):
            raise UserError(f"{path}: query {identity!r}: not a list of candidate ids: {candidates!r:.60}")
        if len(set(candidates)) < len(candidates):
            raise UserError(f"{path}: query {identity!r}: a candidate stands twice")
    return {identity: json.dumps(candidates) for identity, candidates in content.items()}


def _read_relevant(path: Path) -> Table:
    table = _read_rankings(path)
    for identity, candidates in table.items():
        if not all(json.loads(candidates)) or candidates == "[]":
            raise UserError(f"{path}: query {identity!r}: no right candidate but {candidates}: a placeholder, not gold")
    return table


# Writing


def _write_values(rows: Rows) -> str:
    return "".join(f"{value}\n" for _, value in rows)


def _write_tags(rows: Rows) -> str:
    return "".join(value.replace(" ", "\n") + "\n\n" for _, value in rows)


def _write_mined(rows: Rows) -> str:
    return "".join(f"{identity}\t{value}\n" for identity, value in rows if value)


def _write_choices(rows: Rows) -> str:
    return "".join(json.dumps({"label": int(value)}) + "\n" for _, value in rows)


def _write_answers(rows: Rows) -> str:
    return json.dumps(dict(rows), ensure_ascii=False, indent=1) + "\n"


def _write_squad(rows: Rows) -> str:
    """Return SQuAD's format with ids and answers alone; scoring reads nothing else."""
    questions = [{"id": identity, "answers": [{"text": text} for text in json.loads(gold)]} for identity, gold in rows]
    content = {"version": "1.1", "data": [{"paragraphs": [{"qas": questions}]}]}
    return json.dumps(content, ensure_ascii=False, indent=1) + "\n"


def _write_rankings(rows: Rows) -> str:
    return json.dumps({identity: json.loads(value) for identity, value in rows}, ensure_ascii=False, indent=1) + "\n"


LAYOUTS = {
    "labels": Layout(_read_labels, _read_labels, _write_values, _write_values, by_number=True),
    "indices": Layout(_read_indices, _read_indices, _write_values, _write_values, by_number=True),
    "tags": Layout(_read_tags, _read_tags, _write_tags, _write_tags, by_number=True, by_word=True),
    "pairs": Layout(_read_mined, _read_mined, _write_mined, _write_mined, sparse=True),
    "choices": Layout(_read_choices, _read_choices, _write_choices, _write_choices, by_number=True),
    "answers": Layout(_read_answers, _read_squad, _write_answers, _write_squad),
    "rankings": Layout(_read_rankings, _read_relevant, _write_rankings, _write_rankings),
}
