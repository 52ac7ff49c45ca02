"""SQuAD files as retrieval: sentences of the contexts are the candidates, questions the queries.

After XTREME-R's LAReQA baseline (``processors/lareqa.py``, ``utils_lareqa.py`` of google-research/xtreme): a candidate
is a sentence with its context, and the right one holds the character at which the answer starts.
"""

import re
from collections.abc import Iterator, Sequence
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import Any

from xstilts.data.readers.json_files import read_squad
from xstilts.data.readers.text import short
from xstilts.errors import UserError

# a sentence ends with one of these and whatever closes it, before white space and something that is not lower case
_END = re.compile(r"[.!?][\"')\]\u201d\u2019]*\s+(?=[^\sa-z])")


def read_xquad_r(paths: Sequence[Path], header: Sequence[str] | None) -> Iterator[dict[str, Any]]:
    """Yield the questions and the sentences of XQuAD-R files, whose paragraphs state their sentences.

    A question has ``id``, ``query`` and ``keys`` (its own id); a sentence ``id``, ``text``, ``context`` and ``keys``,
    the ids of the questions that it answers. Both have ``cluster``, the number of the paragraph. A paragraph without
    questions gives no sentences.
    """
    for path in paths:
        for paragraph, rows in groupby(read_squad([path], header), key=itemgetter("paragraph")):
            questions = list(rows)
            for row in questions:
                if "sentence_breaks" not in row:
                    raise UserError(
                        f"{path}: question {short(str(row['id']))}: its paragraph states no sentence_breaks"
                    )
                yield {
                    "id": row["id"],
                    "query": row["question"],
                    "text": None,
                    "context": None,
                    "keys": [row["id"]],
                    "cluster": f"paragraph {paragraph}",
                }
            starts = [(row["id"], _start(row, path)) for row in questions]
            context = questions[0]["context"]
            for number, (first, last) in enumerate(questions[0]["sentence_breaks"]):
                yield {
                    "id": f"sentence.{paragraph}.{number}",
                    "query": None,
                    "text": context[first:last],
                    "context": context,
                    "cluster": f"paragraph {paragraph}",
                    "keys": [identity for identity, start in starts if first <= start < last],
                }


def read_squad_sentences(paths: Sequence[Path], header: Sequence[str] | None) -> Iterator[dict[str, Any]]:
    """Yield the answerable questions of English SQuAD files: id, query, text (the sentence with the answer), context.

    Sentences are told apart by their punctuation, for English; a question without an answer is left out.
    """
    for path in paths:
        for row in read_squad([path], header):
            if row["answers"]["answer_start"]:
                start, context = _start(row, path), row["context"]
                text = next(context[first:last] for first, last in breaks_of(context) if start < last)
                yield {"id": row["id"], "query": row["question"], "text": text.strip(), "context": context}


def _start(row: dict[str, Any], path: Path) -> int:
    """Return where the first answer of a question starts in its context."""
    start = next(iter(row["answers"]["answer_start"]), None)
    if start is None or not 0 <= start < len(row["context"]):
        found = "no answer" if start is None else "an answer that starts outside its context"
        raise UserError(f"{path}: question {short(str(row['id']))} has {found}, so no sentence answers it")
    return start


def breaks_of(context: str) -> list[tuple[int, int]]:
    """Return where the sentences of an English text start and end, in characters; together they are the whole text."""
    borders = [0, *(match.end() for match in _END.finditer(context)), len(context)]
    return [(first, last) for first, last in zip(borders, borders[1:], strict=False) if first < last]
