"""What holds for metrics on any input: bounds, symmetry, order, perfect predictions, equality with slow versions."""

from unittest import mock

import numpy as np
import pytest
from conftest import pair_f1, score_of_sums

pytest.importorskip("hypothesis", reason="hypothesis is not installed: no property tests")
from hypothesis import given, settings
from hypothesis import strategies as draw
from xstilts.forms import tagging
from xstilts.metrics import mining, mlqa, retrieval, squad
from xstilts.metrics.spans import spans

check = settings(derandomize=True, deadline=None, max_examples=200)

LANGUAGES = draw.sampled_from(["ar", "de", "en", "es", "hi", "vi", "zh"])
WORDS = draw.sampled_from(
    ["the", "der", "el", "của", "ال", "cat", "Katze", "猫", "北京", "म", "«x»", "$", "-", "10,5", ""]
)
TEXTS = draw.lists(WORDS, max_size=6).map(" ".join) | draw.text(max_size=12)
ANSWERS = draw.lists(TEXTS, min_size=1, max_size=3)
TAGS = draw.sampled_from(["O", *(f"{letter}-{name}" for letter in "BI" for name in ("PER", "LOC"))])
PARTS = draw.sampled_from(["NOUN", "VERB", "CCONJ", "SCONJ", "INTJ", "SYM", "ADJ", "X", "PUNCT"])
SENTENCES = draw.lists(draw.tuples(TAGS, TAGS), min_size=1, max_size=12)
SEEDS = draw.integers(0, 2**32 - 1)
BLOCKS = draw.integers(1, 7)


@check
@given(TEXTS, ANSWERS, LANGUAGES)
def test_answers(prediction, answers, language):
    scores = {
        "squad": (squad.exact_match(prediction, answers), squad.f1(prediction, answers)),
        "mlqa": (mlqa.exact_match(prediction, answers, language), mlqa.f1(prediction, answers, language)),
    }
    for exact, f1 in scores.values():
        assert exact in (0, 1)
        assert 0 <= f1 <= 1
    turned = answers[::-1]
    assert scores["squad"] == (squad.exact_match(prediction, turned), squad.f1(prediction, turned))
    assert scores["mlqa"] == (
        mlqa.exact_match(prediction, turned, language),
        mlqa.f1(prediction, turned, language),
    )


@check
@given(TEXTS, TEXTS, LANGUAGES)
def test_answers_are_symmetric(one, other, language):
    assert squad.exact_match(one, [other]) == squad.exact_match(other, [one])
    assert squad.f1(one, [other]) == pytest.approx(squad.f1(other, [one]), rel=1e-14)
    assert mlqa.exact_match(one, [other], language) == mlqa.exact_match(other, [one], language)
    assert mlqa.f1(one, [other], language) == pytest.approx(mlqa.f1(other, [one], language), rel=1e-14)


@check
@given(TEXTS, LANGUAGES)
def test_the_answer_itself_is_right(answer, language):
    assert squad.exact_match(answer, [answer]) == 1
    assert squad.f1(answer, [answer]) == bool(squad.normalise(answer))
    assert mlqa.exact_match(answer, [answer], language) == 1
    assert mlqa.f1(answer, [answer], language) == bool(mlqa.normalise(answer, language))


@check
@given(TEXTS, draw.lists(TEXTS, max_size=3))
def test_squad_v2_where_nothing_is_left(prediction, answers):
    """Either side without words: exact match and F1 are one and the same, 1 if both are."""
    compared = squad.answers_of_v2(answers)
    if not compared or not squad.normalise(prediction):
        expected = not compared and not squad.normalise(prediction)
        assert squad.exact_match(prediction, compared) == squad.f1(prediction, compared) == expected


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


@check
@given(draw.lists(draw.booleans(), max_size=25), draw.integers(1, 40))
def test_average_precision(relevant, missed):
    total = sum(relevant) + missed
    value = retrieval.average_precision(relevant, total)
    ranks = [rank for rank in range(1, 21) if relevant[rank - 1 : rank] == [True]]
    assert value == pytest.approx(sum(sum(relevant[:rank]) / rank for rank in ranks) / min(total, 20))
    assert 0 <= value <= 1
    assert retrieval.average_precision(sorted(relevant, reverse=True), total) >= value
    assert retrieval.average_precision([True] * total, total) == 1


def vectors(seed, *shape):
    """Return vectors of small whole numbers, whose products are exact and often equal."""
    return np.random.default_rng(seed).integers(-2, 3, shape).astype(np.float32)


@check
@given(SEEDS, draw.integers(1, 9), draw.integers(1, 9), draw.integers(1, 10), BLOCKS)
def test_top_is_a_stable_sort(seed, queries, candidates, count, block):
    one, other = vectors(seed, queries, 3), vectors(seed + 1, candidates, 3)
    # groups of several candidates, as blocks of thousands have
    with mock.patch.object(retrieval, "_GROUPS", 1):
        found = retrieval.top(one, other, count, block)
        forward, backward = retrieval.top_both_ways(one, other, count, block)
    cosines = one @ other.T
    assert found.tolist() == np.argsort(-cosines, axis=1, kind="stable")[:, :count].tolist()
    assert forward[1].tolist() == found.tolist()
    assert forward[0].tolist() == np.take_along_axis(cosines, found, axis=1).tolist()
    assert backward[1].tolist() == np.argsort(-cosines.T, axis=1, kind="stable")[:, :count].tolist()
    assert backward[0].tolist() == np.take_along_axis(cosines.T, backward[1], axis=1).tolist()


def mined_slowly(source, target, count):
    """Mine without blocks, from whole matrices of cosines and margins."""
    cosines = retrieval.unit(source).astype(float) @ retrieval.unit(target).astype(float).T
    means = [-np.sort(-table, axis=1)[:, :count].mean(axis=1) for table in (cosines, cosines.T)]
    margins = cosines / ((means[0][:, None] + means[1][None, :]) / 2)
    candidates = set()
    for table, turn in ((cosines, 1), (cosines.T, -1)):
        for row, near in enumerate(np.argsort(-table, axis=1)[:, :count]):
            options = [(row, int(place))[::turn] for place in near]
            candidates.add(max(options, key=lambda pair: margins[pair]))
    pairs = []
    for pair in sorted(candidates, key=lambda pair: -margins[pair]):
        if margins[pair] > 0 and all(pair[side] != taken[side] for taken in pairs for side in (0, 1)):
            pairs.append(pair)
    return pairs, [margins[pair] for pair in pairs]


@check
@given(SEEDS, draw.integers(1, 12), draw.integers(1, 12), draw.integers(1, 5), BLOCKS)
def test_mining(seed, sources, targets, count, block):
    rng = np.random.default_rng(seed)
    # a common part, so that cosines are positive as those of sentences are
    source, target = (rng.normal(size=(rows, 8)).astype(np.float32) + 1 for rows in (sources, targets))
    texts = [str(row) for row in range(sources)], [str(row) for row in range(targets)]
    pairs, scores = mining.mine(source, target, *texts, neighbours=count, block=block)
    turned, turned_scores = mining.mine(target, source, *texts[::-1], neighbours=count, block=block)
    slow_pairs, slow_scores = mined_slowly(source, target, count)
    assert sorted(pairs.tolist()) == sorted(map(list, slow_pairs))
    assert scores == pytest.approx(slow_scores, rel=1e-4)
    assert sorted(pairs.tolist()) == sorted(turned[:, ::-1].tolist())
    assert scores == pytest.approx(turned_scores, rel=1e-4)
    assert all(len(set(pairs[:, side].tolist())) == len(pairs) for side in (0, 1))
    order = rng.permutation(sources)
    moved, _ = mining.mine(source[order], target, *texts, neighbours=count)
    assert sorted([int(order[one]), other] for one, other in moved.tolist()) == sorted(pairs.tolist())


@check
@given(draw.lists(draw.tuples(draw.integers(1, 8), draw.booleans()), max_size=20), draw.integers(0, 5))
def test_mining_threshold_is_best(candidates, missed):
    scores = np.array([score for score, _ in candidates], float)
    right = np.array([is_right for _, is_right in candidates], bool)
    gold = set(np.flatnonzero(right)) | {-1 - number for number in range(missed)}

    def f1(threshold):
        return pair_f1(np.flatnonzero(scores >= threshold).tolist(), gold)

    assert f1(mining.best_threshold(scores, right, len(gold))) == max(map(f1, [*scores, 9]))


@check
@given(draw.sets(draw.integers(0, 9)), draw.sets(draw.integers(0, 9)))
def test_mining_f1(found, gold):
    value = pair_f1(found, gold)
    assert value == pair_f1(gold, found)
    assert 0 <= value <= 1
    assert (value == 1) == (found == gold and bool(gold))
