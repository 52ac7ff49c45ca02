"""Metrics on cases worked out by hand."""

import numpy as np
import pytest
from xstilts.forms import classification, span, tagging
from xstilts.metrics import squad
from xstilts.metrics.retrieval import nearest
from xstilts.metrics.spans import spans


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        ("B-PER I-PER O B-LOC", {("PER", 0, 1), ("LOC", 3, 3)}),
        ("I-PER I-PER O", {("PER", 0, 1)}),  # lenient: I- opens a span
        ("B-PER I-LOC", {("PER", 0, 0), ("LOC", 1, 1)}),
        ("B-PER B-PER", {("PER", 0, 0), ("PER", 1, 1)}),
        ("O O", set()),
        ("NOUN NOUN VERB", {("NOUN", 0, 1), ("VERB", 2, 2)}),  # equal neighbours merge
        ("CCONJ SCONJ", {("CCONJ", 0, 0), ("SCONJ", 1, 1)}),  # two types, as in seqeval 0.0.12
        ("SCONJ SCONJ", {("SCONJ", 0, 0), ("SCONJ", 1, 1)}),  # S is a chunk letter there
        ("INTJ INTJ", {("INTJ", 0, 1)}),
    ],
)
def test_spans(tags, expected):
    assert spans(tags.split()) == expected


def test_tagging_scores():
    one = tagging.statistics("NOUN NOUN VERB", "NOUN VERB VERB")
    # predicted NOUN 0-1, VERB 2; right NOUN 0, VERB 1-2: no span is right, two words of three are
    assert one == {"words": 3, "correct": 2, "true_positives": 0, "false_positives": 2, "false_negatives": 2}
    two = tagging.statistics("DET NOUN", "DET NOUN")
    sums = {key: one[key] + two[key] for key in one}
    assert tagging.score(sums, 2) == {"f1": pytest.approx(100 * 4 / 8), "accuracy": pytest.approx(80)}
    nothing = dict.fromkeys(one, 0.0) | {"words": 1.0}
    assert tagging.score(nothing, 1)["f1"] == 0


@pytest.mark.parametrize(
    ("prediction", "answers", "exact", "f1"),
    [
        ("The Cat!", ["cat"], 1, 1),
        ("a big cat", ["the cat"], 0, 2 / 3),
        ("dog", ["cat", "dog"], 1, 1),
        ("", ["cat"], 0, 0),
        ("308", ["308,"], 1, 1),
        ("猫", ["猫"], 1, 1),
        ("cat cat", ["cat"], 0, 2 / 3),
    ],
)
def test_squad(prediction, answers, exact, f1):
    assert squad.exact_match(prediction, answers) == exact
    assert squad.f1(prediction, answers) == pytest.approx(f1)


def test_span_score():
    assert span.statistics("cat", '["the cat", "dog"]') == {"exact_match": 1, "f1": 1}
    assert span.score({"exact_match": 1, "f1": 1.5}, 4) == {"f1": 37.5, "exact_match": 25}


def test_accuracy():
    assert classification.statistics("neutral", "neutral") == {"correct": 1}
    assert classification.score({"correct": 3}, 4) == {"accuracy": 75}


def test_nearest_is_by_cosine():
    queries = np.array([[1, 0], [0, 1]], np.float32)
    candidates = np.array([[10, 9], [0.1, 0], [0, 0.1]], np.float32)
    assert nearest(queries, candidates).tolist() == [1, 2]


def test_nearest_in_blocks(monkeypatch):
    chance = np.random.default_rng(0)
    queries, candidates = (chance.normal(size=(50, 8)).astype(np.float32) for _ in range(2))
    whole = nearest(queries, candidates)
    monkeypatch.setattr("xstilts.metrics.retrieval._BLOCK", 7)
    assert nearest(queries, candidates).tolist() == whole.tolist()


def test_collapse():
    assert classification.collapsed(["a", "a"], ["a", "b"])
    assert not classification.collapsed(["a", "a"], ["a", "a"])
    assert not classification.collapsed(["a", "b"], ["a", "b"])
    # sentences of different lengths, and yet one tag for every word
    assert tagging.collapsed(["NOUN NOUN", "NOUN"], ["NOUN VERB", "NOUN"])
    assert not tagging.collapsed(["NOUN VERB", "NOUN"], ["NOUN VERB", "NOUN"])
