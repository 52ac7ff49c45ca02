"""Nearest neighbours and average precision: by hand, on any input, and beside other implementations."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as draw
from xstilts.errors import UserError
from xstilts.metrics import retrieval
from xstilts.metrics.retrieval import average_precision, nearest, top, unit

from tests.builders.metrics import check


def test_nearest_is_by_cosine():
    queries = np.array([[1, 0], [0, 1]], np.float32)
    candidates = np.array([[10, 9], [0.1, 0], [0, 0.1]], np.float32)
    assert nearest(queries, candidates).tolist() == [1, 2]


def test_top_takes_the_first_of_equals():
    queries = np.array([[1, 0], [0, 1]], np.float32)
    candidates = np.array([[0, 1], [1, 0], [0, 1], [1, 0], [-1, 0]], np.float32)
    for block in (1, 2, 3, 2048):
        assert top(queries, candidates, 3, block).tolist() == [[1, 3, 0], [0, 2, 1]]
        assert top(queries, candidates, 9, block).tolist() == [[1, 3, 0, 2, 4], [0, 2, 1, 3, 4]]


def test_unit_vectors_are_made_in_blocks(tmp_path):
    """The same bit for bit as at once, and beside the result little more than a block is in memory."""
    vectors = np.random.default_rng(0).normal(size=(30_001, 64)).astype(np.float32)
    vectors[7] = 0
    np.save(tmp_path / "vectors.npy", vectors)
    mapped = np.load(tmp_path / "vectors.npy", mmap_mode="r")
    at_once = vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), np.finfo(np.float32).tiny)
    chosen = np.random.default_rng(1).permutation(len(vectors))[:20_000]
    assert np.array_equal(unit(mapped), at_once) and np.array_equal(unit(mapped[1::2]), at_once[1::2])
    tracemalloc.start()
    found = unit(mapped, chosen)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert type(found) is np.ndarray and np.array_equal(found, at_once[chosen])
    assert found.nbytes < peak < 1.5 * found.nbytes


def test_vector_that_is_not_finite():
    broken = np.array([[1, 0], [0, np.nan]], np.float32)
    with pytest.raises(UserError, match="vector 1 of 2 is not finite: the model that made it has diverged"):
        top(np.eye(2, dtype=np.float32), broken, 1)
    many = np.ones((retrieval.BLOCK + 2, 2), np.float32)
    many[-1] = np.inf
    with pytest.raises(UserError, match="vector 2049 of 2050 is not finite"):
        top(np.eye(2, dtype=np.float32), many, 1)


@pytest.mark.parametrize(
    ("relevant", "total", "expected"),
    [
        ([1, 0, 1], 2, (1 / 1 + 2 / 3) / 2),
        ([0, 1], 1, 1 / 2),  # one right answer: the reciprocal rank
        ([0] * 19 + [1], 1, 1 / 20),
        ([0] * 20 + [1], 1, 0),  # beyond the cutoff
        ([1] * 20, 30, 1),  # no more than 20 can be found
        ([1, 1], 4, (1 + 1) / 4),
        ([], 3, 0),
    ],
)
def test_average_precision_by_hand(relevant, total, expected):
    assert average_precision(relevant, total) == pytest.approx(expected)


def test_average_precision_of_impossible_rankings():
    with pytest.raises(ValueError, match="without a right answer"):
        average_precision([0, 0], 0)
    with pytest.raises(ValueError, match="2 right answers in a ranking, but only 1 exist"):
        average_precision([1, 1], 1)


def test_nearest_in_blocks():
    rng = np.random.default_rng(0)
    queries, candidates = (rng.normal(size=(50, 8)).astype(np.float32) for _ in range(2))
    assert nearest(queries, candidates, block=7).tolist() == nearest(queries, candidates).tolist()


SEEDS = draw.integers(0, 2**32 - 1)
BLOCKS = draw.integers(1, 7)


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
# candidates are compared in groups of several where a block has more than 16 for each that is asked for
@given(SEEDS, draw.integers(1, 9), draw.integers(1, 60), draw.integers(1, 10), BLOCKS | draw.just(64))
def test_top_is_a_stable_sort(seed, queries, candidates, count, block):
    one, other = vectors(seed, queries, 3), vectors(seed + 1, candidates, 3)
    found = retrieval.top(one, other, count, block)
    forward, backward = retrieval.top_both_ways(one, other, count, block)
    cosines = one @ other.T
    assert found.tolist() == np.argsort(-cosines, axis=1, kind="stable")[:, :count].tolist()
    assert forward[1].tolist() == found.tolist()
    assert forward[0].tolist() == np.take_along_axis(cosines, found, axis=1).tolist()
    assert backward[1].tolist() == np.argsort(-cosines.T, axis=1, kind="stable")[:, :count].tolist()
    assert backward[0].tolist() == np.take_along_axis(cosines.T, backward[1], axis=1).tolist()


def test_average_precision_and_scikit_learn(record_property):
    """Where both are defined: a ranking of all candidates, no longer than the cutoff."""
    sklearn = pytest.importorskip("sklearn.metrics", reason="scikit-learn is not installed")
    rng, differences = np.random.default_rng(0), []
    for _ in range(200):
        relevant = rng.random(rng.integers(1, 21)) < 0.3
        relevant[rng.integers(len(relevant))] = True
        expected = sklearn.average_precision_score(relevant, -np.arange(len(relevant)))
        differences.append(abs(retrieval.average_precision(relevant.tolist(), int(relevant.sum())) - expected))
    record_property("largest_difference", float(max(differences)))
    assert max(differences) < 1e-12


def test_reciprocal_rank_and_torchmetrics(record_property):
    torchmetrics = pytest.importorskip("torchmetrics.functional.retrieval", reason="torchmetrics is not installed")
    torch = pytest.importorskip("torch", reason="torchmetrics counts tensors")
    differences = []
    for place in range(40):
        relevant = torch.arange(40) == place
        expected = torchmetrics.retrieval_reciprocal_rank(torch.arange(40.0, 0, -1), relevant, top_k=20).item()
        differences.append(abs(retrieval.average_precision(relevant.tolist(), 1) - expected))
    record_property("largest_difference", float(max(differences)))
    assert max(differences) < 1e-7  # float32 there


def test_nearest_and_faiss(neighbourhoods):
    one, other, search = neighbourhoods
    assert retrieval.nearest(3 * one, 5 * other).tolist() == search(one, other, 1)[1][:, 0].tolist()
    assert retrieval.top(one, other, 20).tolist() == search(one, other, 20)[1].tolist()


def test_neighbours_and_faiss(neighbourhoods, record_property):
    one, other, search = neighbourhoods
    differences = []
    for found, pair in zip(
        retrieval.top_both_ways(one, other, 4, block=128), ((one, other), (other, one)), strict=True
    ):
        cosines, places = search(*pair, 4)
        assert found[1].tolist() == places.tolist()
        differences.append(float(np.abs(found[0] - cosines).max()))
    record_property("largest_difference", float(max(differences)))
    assert max(differences) < 1e-6
