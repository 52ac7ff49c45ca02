"""Spans of tags: by hand, on any input, and beside seqeval."""

import warnings

import pytest
from hypothesis import given
from hypothesis import strategies as draw
from xstilts.forms import tagging
from xstilts.metrics.spans import spans

from tests.builders.metrics import check, score_of_sums, summed


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
        ("SYM SYM NOUN NOUN", {("SYM", 0, 0), ("SYM", 1, 1), ("NOUN", 2, 3)}),
        ("I-PER B-PER I-PER", {("PER", 0, 0), ("PER", 1, 2)}),
        ("B-PER I-PER I-LOC O I-LOC", {("PER", 0, 1), ("LOC", 2, 2), ("LOC", 4, 4)}),
        ("", set()),
    ],
)
def test_spans(tags, expected):
    assert spans(tags.split()) == expected


TAGS = draw.sampled_from(["O", *(f"{letter}-{name}" for letter in "BI" for name in ("PER", "LOC"))])
PARTS = draw.sampled_from(["NOUN", "VERB", "CCONJ", "SCONJ", "INTJ", "SYM", "ADJ", "X", "PUNCT"])
SENTENCES = draw.lists(draw.tuples(TAGS, TAGS), min_size=1, max_size=12)


@check
@given(draw.lists(TAGS | PARTS, max_size=12))
def test_spans_lie_one_after_the_other(tags):
    found = sorted(spans(tags), key=lambda span: span[1:])
    covered = [word for _, first, last in found for word in range(first, last + 1)]
    assert covered == [word for word, tag in enumerate(tags) if tag != "O"]
    assert all(tags[word].endswith(name) for name, first, last in found for word in range(first, last + 1))


@check
@given(SENTENCES)
def test_tags(sentence):
    one, other = (" ".join(tags) for tags in zip(*sentence, strict=True))
    sums, turned = tagging.statistics(one, other, {}), tagging.statistics(other, one, {})
    assert score_of_sums(tagging, sums, 1) == score_of_sums(tagging, turned, 1)
    assert all(0 <= value <= 100 for value in score_of_sums(tagging, sums, 1).values())
    perfect = score_of_sums(tagging, tagging.statistics(one, one, {}), 1)
    assert perfect == {"f1": 100 if spans(one.split(" ")) else 0, "accuracy": 100}


def test_tags_and_seqeval(record_property):
    seqeval = pytest.importorskip("seqeval.metrics", reason="seqeval is not installed")
    hypothesis = pytest.importorskip("hypothesis", reason="hypothesis is not installed")
    draw = hypothesis.strategies
    # IOB2 in which I- may follow anything
    tags = draw.sampled_from(["O", *(f"{letter}-{name}" for letter in "BI" for name in ("PER", "ORG", "LOC"))])
    sentence = draw.lists(draw.tuples(tags, tags), min_size=1, max_size=15)
    differences = []

    @hypothesis.settings(derandomize=True, deadline=None, max_examples=300)
    @hypothesis.given(draw.lists(sentence, min_size=1, max_size=5))
    def compare(sentences):
        predicted, right = ([[word[side] for word in row] for row in sentences] for side in (0, 1))
        scores = summed(tagging, *([" ".join(row) for row in rows] for rows in (predicted, right)))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of scores without any span
            expected = seqeval.f1_score(right, predicted), seqeval.accuracy_score(right, predicted)
        differences.append(abs(scores["f1"] / 100 - expected[0]))
        differences.append(abs(scores["accuracy"] / 100 - expected[1]))
        assert max(differences[-2:]) < 1e-12

    compare()
    record_property("largest_difference", float(max(differences)))


def test_seqeval_takes_parts_of_speech_for_spans_of_no_letter():
    """Why its release 1.2.2 is not used: it strips the first letter of a bare tag."""
    seqeval = pytest.importorskip("seqeval.metrics", reason="seqeval is not installed")
    with pytest.warns(UserWarning, match="not to be NE tag"):
        assert seqeval.f1_score([["CCONJ"]], [["SCONJ"]]) == 1
    assert summed(tagging, ["SCONJ"], ["CCONJ"])["f1"] == 0
