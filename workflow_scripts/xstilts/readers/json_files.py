"""JSON formats: a row a line, an object of rows, and SQuAD's nesting."""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from xstilts.errors import UserError


def read_jsonl(paths: Sequence[Path], header: Sequence[str] | None) -> Iterator[dict[str, Any]]:
    """Yield the objects of files with one JSON object a line."""
    for path in paths:
        with open(path, encoding="utf-8", newline="\n") as file:
            for number, line in enumerate(file, 1):
                if not line.strip():
                    continue
                try:
                    row = json.loads(line)
                except ValueError as error:
                    raise UserError(f"{path}:{number}: not JSON ({error}); is the file truncated?") from None
                if not isinstance(row, dict):
                    raise UserError(f"{path}:{number}: not a JSON object")
                yield row


def read_json_rows(paths: Sequence[Path], header: Sequence[str] | None) -> Iterator[dict[str, Any]]:
    """Yield the values of files that hold one object, row number -> row."""
    for path in paths:
        content = _load(path)
        if not isinstance(content, dict) or not all(isinstance(row, dict) for row in content.values()):
            raise UserError(f"{path}: not an object of rows")
        yield from content.values()


def read_squad(paths: Sequence[Path], header: Sequence[str] | None) -> Iterator[dict[str, Any]]:
    """Yield the questions of SQuAD files in the flat layout of the hub: id, context, question, answers.

    ``answers`` is ``{"text": [...], "answer_start": [...]}``, empty for a question without an answer.
    """
    for path in paths:
        content = _load(path)
        try:
            for article in content["data"]:
                for paragraph in article["paragraphs"]:
                    for question in paragraph["qas"]:
                        answers = [] if question.get("is_impossible") else question["answers"]
                        yield {
                            "id": question["id"],
                            "title": article.get("title", ""),
                            "context": paragraph["context"],
                            "question": question["question"],
                            "answers": {
                                "text": [answer["text"] for answer in answers],
                                "answer_start": [answer["answer_start"] for answer in answers],
                            },
                        }
        except (KeyError, TypeError, AttributeError) as error:
            raise UserError(f"{path}: not in SQuAD's format (missing or misplaced: {error})") from None


def _load(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except UnicodeDecodeError:
        raise
    except ValueError as error:
        raise UserError(f"{path}: not JSON ({error}); is the file truncated?") from None
