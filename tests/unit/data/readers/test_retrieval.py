"""Readers of questions with sentences."""

import json

import pytest
from xstilts.errors import UserError

from tests.builders.files import RETRIEVED, squad


def test_xquad_r_gives_questions_and_sentences(read):
    content = squad(**RETRIEVED)
    del content["data"][1], content["data"][0]["paragraphs"][0]["qas"][1]
    content["data"][0]["paragraphs"] *= 2  # two paragraphs that happen to have the same text
    rows = read("xquad_r", json.dumps(content))
    assert [row["id"] for row in rows] == ["q1", "sentence.0.0", "sentence.0.1", "q1", "sentence.1.0", "sentence.1.1"]
    assert [row["keys"] for row in rows[:3]] == [["q1"], [], ["q1"]]
    assert [row["cluster"] for row in rows] == ["paragraph 0"] * 3 + ["paragraph 1"] * 3
    assert rows[0]["query"] == "Where?" and rows[2]["text"] == "It is in Italy."


def test_squad_sentences_give_the_sentence_of_the_answer(read):
    content = json.dumps(squad("Mr. S. left. Rome is (old!) Is 3.5 it? in Italy"))
    (row,) = read("squad_sentences", content)
    assert row["text"] == "Rome is (old!)"


@pytest.mark.parametrize(
    ("reader", "change", "message"),
    [
        ("xquad_r", {}, "question 'q1': its paragraph states no sentence_breaks"),
        ("xquad_r", RETRIEVED, "question 'q2' has no answer, so no sentence"),
        ("squad_sentences", {"context": "Rome."}, "question 'q1' has an answer that starts outside its context"),
    ],
)
def test_retrieval_errors(read, reader, change, message):
    with pytest.raises(UserError, match=f"/a: {message}"):
        read(reader, json.dumps(squad(**change)))
