"""XTREME's layout of predictions and labels, file by file."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from xstilts.errors import UserError
from xstilts.evaluation import xtreme_format
from xstilts.planning import registry

from tests.builders.xtreme import FILES, TARGETS


def test_a_windows_file_and_one_without_a_last_line_feed_read_alike(tmp_path):
    task = registry.load().tasks["xnli"]
    for name, content in {"a": b"entailment\r\nneutral\r\n", "b": b"entailment\nneutral"}.items():
        (tmp_path / name).write_bytes(content)
    assert xtreme_format.read_pairs(task, tmp_path / "a", tmp_path / "b") == [("entailment",) * 2, ("neutral",) * 2]


def test_several_pairs_of_one_sentence_count_each(tmp_path):
    # BUCC's F1 is over the set of pairs: predicted 3, right 2, both 1
    (tmp_path / "predictions").write_text("de-1\ten-1\nde-1\ten-2\nde-3\ten-3\nde-3\ten-3\n")
    (tmp_path / "labels").write_text("de-1\ten-2\nde-2\ten-4\n")
    task = registry.load().tasks["bucc"]
    pairs = xtreme_format.read_pairs(task, tmp_path / "predictions", tmp_path / "labels")
    assert xtreme_format.score(task, pairs, "de") == {"f1": pytest.approx(40)}


def test_no_pair_found_is_a_score_of_zero(tmp_path):
    (tmp_path / "predictions").write_text("")
    (tmp_path / "labels").write_text("de-1\ten-2\n")
    task = registry.load().tasks["bucc"]
    assert xtreme_format.score(
        task, xtreme_format.read_pairs(task, tmp_path / "predictions", tmp_path / "labels"), "de"
    ) == {"f1": 0}


@pytest.mark.parametrize("identity", [["q1"], {"q": 1}, 7, None])
def test_ids_of_questions_that_are_no_text_are_refused_in_a_line(tmp_path, identity):
    questions = [{"id": identity, "answers": [{"text": "cat"}]}]
    (tmp_path / "labels").write_text(json.dumps({"data": [{"paragraphs": [{"qas": questions}]}]}))
    (tmp_path / "predictions").write_text("{}")
    with pytest.raises(UserError, match=r"labels: question .*: its id is not text; give it one of the predictions"):
        xtreme_format.read_pairs(registry.load().tasks["xquad"], tmp_path / "predictions", tmp_path / "labels")


WORDS = st.lists(st.sampled_from(["cat", "dog", "the", "big", "of", "1980", "猫"]), min_size=1, max_size=5).map(
    " ".join
)


@given(st.lists(st.tuples(WORDS, st.lists(WORDS, min_size=1, max_size=3)), min_size=1, max_size=12), st.randoms())
def test_the_order_of_question_ids_does_not_matter(tmp_path_factory, questions, order):
    task = registry.load().tasks["xquad"]
    folder = tmp_path_factory.mktemp("order")
    rows = [(f"q{number}", prediction, json.dumps(answers)) for number, (prediction, answers) in enumerate(questions)]
    found = []
    for _ in range(2):
        for side in ("prediction", "gold"):
            order.shuffle(rows)
            chosen = [(row[0], row[1 if side == "prediction" else 2]) for row in rows]
            (folder / side).write_text(xtreme_format.text_of(task, chosen, side), encoding="utf-8")
        found.append(
            xtreme_format.score(task, xtreme_format.read_pairs(task, folder / "prediction", folder / "gold"), "en")
        )
    assert found[0] == found[1]


TEXTS = st.text(st.sampled_from('abc01\t\n\r {}[]":,é\0\ud7ff猫'), max_size=40)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["data", "id", "q", "label"]), inner),
    max_leaves=6,
).map(json.dumps)


@given(st.sampled_from(TARGETS), TEXTS.map(str.encode) | JSON.map(str.encode) | st.binary(max_size=30), st.booleans())
def test_any_content_gives_scores_or_one_line(tmp_path_factory, target, content, is_prediction):
    task = registry.load().tasks[target]
    texts = FILES["bucc2018" if target == "bucc" else target]
    folder = tmp_path_factory.mktemp("any")
    for side, text in zip(("predictions", "labels"), texts, strict=True):
        (folder / side).write_text(text, encoding="utf-8")
    (folder / ("predictions" if is_prediction else "labels")).write_bytes(content)
    try:
        found = xtreme_format.score(
            task, xtreme_format.read_pairs(task, folder / "predictions", folder / "labels"), "en"
        )
    except UserError as error:
        assert "\n" not in str(error)
        return
    assert all(0 <= value <= 100 for value in found.values())
