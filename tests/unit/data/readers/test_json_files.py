"""Readers of JSON and Parquet."""

import json

import pyarrow
import pyarrow.parquet
import pytest
from xstilts.data import readers

from tests.builders.files import RETRIEVED, squad


def test_jsonl_keeps_what_is_nested(read):
    (row,) = read("jsonl", '{"question": {"stem": "s", "choices": [{"text": "a"}, {"text": "b"}]}}\r\n\n')
    assert readers.value(row, "question.stem") == "s"
    assert readers.value(row, "question.choices[].text") == ["a", "b"]
    for column, error in {"answer": KeyError, "question.choices.text": TypeError, "question[].x": TypeError}.items():
        with pytest.raises(error):
            readers.value(row, column)


def test_json_rows(read):
    assert read("json_rows", '{"0": {"a": "x"}, "1": {"a": "y"}}') == [{"a": "x"}, {"a": "y"}]
    for text in ('[{"a": "x"}, {"a": "y"}]', '{"test": [{"a": "x"}, {"a": "y"}]}'):
        assert read("json_rows", text) == [{"a": "x"}, {"a": "y"}]


def test_squad_is_flat_and_numbers_articles_and_paragraphs(read):
    rows = read("squad", json.dumps(squad()))
    assert rows[0] == {
        "id": "q1", "title": "Rome", "context": "Rome is old. It is in Italy.", "question": "Where?",
        "answers": {"text": ["Italy", "Italy"], "answer_start": [22, 22]}, "article": 0, "paragraph": 0,
    }  # fmt: skip
    assert rows[1]["answers"] == {"text": [], "answer_start": []}
    assert [(row["id"], row["article"], row["paragraph"]) for row in rows] == [
        ("q1", 0, 0), ("q2", 0, 0), (3, 1, 1), (3, 1, 2),
    ]  # fmt: skip


def test_squad_with_sentences(read):
    rows = read("squad", json.dumps(squad(**RETRIEVED)))
    assert {key: rows[1][key] for key in RETRIEVED} == RETRIEVED
    assert "sentences" not in rows[2]


def test_parquet(read, tmp_path):
    rows = [{"text": "a", "answers": {"text": ["x"]}}, {"text": "b", "answers": {"text": []}}]
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), tmp_path / "rows")
    assert read("parquet", (tmp_path / "rows").read_bytes()) == rows
