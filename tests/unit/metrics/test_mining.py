"""Mining of pairs and its threshold: by hand, on any input, and beside other implementations."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as draw
from xstilts.metrics import mining, retrieval
from xstilts.metrics.retrieval import unit

from tests.builders.metrics import check, pair_f1

# cosines: 1 and 0.6 of the first source, 0 and 0.8 of the second
SOURCE = np.array([[1, 0], [0, 1]], np.float32)
TARGET = np.array([[2, 0], [3, 4]], np.float32)


def test_ratio_margin():
    pairs, scores = mining.mine(SOURCE, TARGET, ["a", "b"], ["c", "d"])
    assert pairs.tolist() == [[0, 0], [1, 1]]
    # means to both neighbours: 0.8 and 0.4 of the sources, 0.5 and 0.7 of the targets
    assert scores == pytest.approx([1 / ((0.8 + 0.5) / 2), 0.8 / ((0.4 + 0.7) / 2)])


def test_margin_is_to_the_nearest_neighbours_only():
    pairs, scores = mining.mine(SOURCE, TARGET, ["a", "b"], ["c", "d"], neighbours=1)
    assert pairs.tolist() == [[0, 0], [1, 1]]
    assert scores == pytest.approx([1, 1])


def test_pairs_are_one_to_one():
    source = unit(np.array([[1, 0], [1, 0.1], [0, 1]], np.float32))
    pairs, _ = mining.mine(source, source[:2], ["a", "b", "c"], ["d", "e"])
    assert sorted(pairs.tolist()) == [[0, 0], [1, 1]]


def test_repeated_sentences_are_mined_once_and_dropped():
    source = np.array([[0, 1], [1, 0], [4, 4], [7, 1]], np.float32)
    pairs, scores = mining.mine(source, TARGET, ["b", "a", " b ", "b"], ["c", "d"])
    assert pairs.tolist() == [[1, 0]]
    assert scores == pytest.approx([1 / 0.65])  # as without the later ones
    assert mining.mine(TARGET, source, ["c", "d"], ["b", "a", " b ", "b"])[0].tolist() == [[0, 1]]


def test_texts_and_vectors_of_different_number():
    with pytest.raises(ValueError, match="3 texts, but 2 vectors"):
        mining.mine(SOURCE, TARGET, ["a", "b"], ["c", "d", "e"])


@pytest.mark.parametrize(
    ("scores", "right", "gold_total", "expected"),
    [
        ([0.5, 1.0, 0.75], [0, 1, 1], 2, 0.625),  # F1 2/3, 1, 4/5
        ([1.0, 0.75, 0.5], [1, 0, 1], 2, 0.5),  # 2/3, 2/4, 4/5: the best cut is the last candidate
        ([1.0], [1], 5, 1.0),
        ([1.0, 1.0, 0.5], [1, 0, 0], 1, 0.75),  # the first two are not parted
        ([1.0, 0.75, 0.5], [1, 0, 0], 3, 0.875),  # 2/4, 2/5, 2/6
        ([1.0, 0.5], [0, 0], 2, 0.0),
        ([], [], 2, 0.0),
    ],
)
def test_mining_threshold(scores, right, gold_total, expected):
    assert mining.best_threshold(np.array(scores), np.array(right, bool), gold_total) == expected


def test_mining_threshold_between_neighbouring_numbers():
    low = 1.0
    high = np.nextafter(low, 2)
    threshold = mining.best_threshold(np.array([high, low]), np.array([True, False]), 1)
    assert low < threshold <= high


def test_mining_f1_by_hand():
    gold = {("a", "1"), ("b", "2"), ("c", "3")}
    assert pair_f1([("a", "1"), ("a", "1"), ("b", "9")], gold) == pytest.approx(2 * 1 / (2 + 3))
    assert pair_f1([], gold) == pair_f1(gold, []) == pair_f1([], []) == 0


SEEDS = draw.integers(0, 2**32 - 1)
BLOCKS = draw.integers(1, 7)


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


def test_mining_f1_and_scikit_learn(record_property):
    sklearn = pytest.importorskip("sklearn.metrics", reason="scikit-learn is not installed")
    rng, differences = np.random.default_rng(0), []
    for _ in range(100):
        found, gold = rng.random((2, 50)) < 0.3
        expected = sklearn.f1_score(gold, found)
        differences.append(abs(pair_f1(np.flatnonzero(found).tolist(), np.flatnonzero(gold).tolist()) - expected))
    record_property("largest_difference", float(max(differences)))
    assert max(differences) < 1e-12


def test_mining_threshold_and_scikit_learn(record_property):
    sklearn = pytest.importorskip("sklearn.metrics", reason="scikit-learn is not installed")
    rng, differences = np.random.default_rng(0), []
    for _ in range(100):
        scores, right = rng.integers(0, 30, 40) / 8, rng.random(40) < 0.4
        precision, recall, _ = sklearn.precision_recall_curve(right, scores)
        sums = precision + recall
        expected = np.max(2 * precision * recall / np.where(sums > 0, sums, 1))
        threshold = mining.best_threshold(scores, right, int(right.sum()))
        kept = np.flatnonzero(scores >= threshold).tolist()
        differences.append(abs(pair_f1(kept, np.flatnonzero(right).tolist()) - expected))
    record_property("largest_difference", float(max(differences)))
    assert max(differences) < 1e-12


def test_mining_and_faiss(neighbourhoods, record_property):
    """Pairs and scores of one direction, from faiss's neighbours."""
    one, other, search = neighbourhoods
    (cosines, places), (back, _) = search(one, other, 4), search(other, one, 4)
    margins = 2 * cosines / (cosines.mean(1)[:, None] + back.mean(1)[places])
    best = dict(enumerate(zip(places[np.arange(300), margins.argmax(1)], margins.max(1), strict=True)))
    pairs, scores = mining.mine(one, other, [*map(str, range(300))], [*map(str, range(500))])
    forward = [
        (score, best[source][1])
        for (source, target), score in zip(pairs.tolist(), scores, strict=True)
        if best[source][0] == target
    ]
    assert len(forward) > 100
    largest = max(abs(ours - theirs) for ours, theirs in forward)
    record_property("largest_difference", float(largest))
    assert largest < 1e-5
