"""Metrics beside independent implementations.

``pytest -o junit_family=xunit1 --junitxml=FILE`` writes the largest difference that each test saw as its property
``largest_difference``.
"""

import json
import warnings

import numpy as np
import pytest
from conftest import pair_f1, score_of_sums
from xstilts.forms import classification, span, tagging
from xstilts.metrics import mining, retrieval

WORDS = ["the", "a", "cat", "Cat!", "dog", "10", "(x)", "猫", "gato", "el"]


def summed(form, predictions, gold):
    """Return a form's score of all rows, in percent."""
    rows = [form.statistics(*pair, {"rules": "squad"}) for pair in zip(predictions, gold, strict=True)]
    return score_of_sums(form, {key: sum(row[key] for row in rows) for key in rows[0]}, len(rows))


def text_of(rng):
    """Return words of which normalisation leaves some: where nothing is left, torchmetrics goes by SQuAD v2.0."""
    return " ".join([*rng.choice(WORDS, rng.integers(5)), rng.choice(WORDS[2:])])


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
    record_property("largest_difference", max(differences))


def test_seqeval_takes_parts_of_speech_for_spans_of_no_letter():
    """Why its release 1.2.2 is not used: it strips the first letter of a bare tag."""
    seqeval = pytest.importorskip("seqeval.metrics", reason="seqeval is not installed")
    with pytest.warns(UserWarning, match="not to be NE tag"):
        assert seqeval.f1_score([["CCONJ"]], [["SCONJ"]]) == 1
    assert summed(tagging, ["SCONJ"], ["CCONJ"])["f1"] == 0


def test_accuracy_and_scikit_learn(record_property):
    sklearn = pytest.importorskip("sklearn.metrics", reason="scikit-learn is not installed")
    rng, differences = np.random.default_rng(0), []
    for _ in range(100):
        predicted, right = (rng.choice(["a", "b", "c"], size).tolist() for size in [rng.integers(1, 40)] * 2)
        expected = 100 * sklearn.accuracy_score(right, predicted)
        differences.append(abs(summed(classification, predicted, right)["accuracy"] - expected))
        words = summed(tagging, [" ".join(predicted)], [" ".join(right)])
        differences.append(abs(words["accuracy"] - expected))
    record_property("largest_difference", max(differences))
    assert max(differences) < 1e-10


def test_mining_f1_and_scikit_learn(record_property):
    sklearn = pytest.importorskip("sklearn.metrics", reason="scikit-learn is not installed")
    rng, differences = np.random.default_rng(0), []
    for _ in range(100):
        found, gold = rng.random((2, 50)) < 0.3
        expected = sklearn.f1_score(gold, found)
        differences.append(abs(pair_f1(np.flatnonzero(found).tolist(), np.flatnonzero(gold).tolist()) - expected))
    record_property("largest_difference", max(differences))
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
    record_property("largest_difference", max(differences))
    assert max(differences) < 1e-12


def test_average_precision_and_scikit_learn(record_property):
    """Where both are defined: a ranking of all candidates, no longer than the cutoff."""
    sklearn = pytest.importorskip("sklearn.metrics", reason="scikit-learn is not installed")
    rng, differences = np.random.default_rng(0), []
    for _ in range(200):
        relevant = rng.random(rng.integers(1, 21)) < 0.3
        relevant[rng.integers(len(relevant))] = True
        expected = sklearn.average_precision_score(relevant, -np.arange(len(relevant)))
        differences.append(abs(retrieval.average_precision(relevant.tolist(), int(relevant.sum())) - expected))
    record_property("largest_difference", max(differences))
    assert max(differences) < 1e-12


def test_reciprocal_rank_and_torchmetrics(record_property):
    torchmetrics = pytest.importorskip("torchmetrics.functional.retrieval", reason="torchmetrics is not installed")
    torch = pytest.importorskip("torch", reason="torchmetrics counts tensors")
    differences = []
    for place in range(40):
        relevant = torch.arange(40) == place
        expected = torchmetrics.retrieval_reciprocal_rank(torch.arange(40.0, 0, -1), relevant, top_k=20).item()
        differences.append(abs(retrieval.average_precision(relevant.tolist(), 1) - expected))
    record_property("largest_difference", max(differences))
    assert max(differences) < 1e-7  # float32 there


def test_answers_and_torchmetrics(record_property):
    torchmetrics = pytest.importorskip("torchmetrics.functional.text", reason="torchmetrics is not installed")
    rng, differences = np.random.default_rng(0), []
    for _ in range(100):
        rows = range(rng.integers(1, 8))
        predictions = [text_of(rng) for _ in rows]
        answers = [[text_of(rng) for _ in range(rng.integers(1, 4))] for _ in rows]
        expected = torchmetrics.squad(
            [{"id": str(row), "prediction_text": predictions[row]} for row in rows],
            [
                {"id": str(row), "answers": {"text": answers[row], "answer_start": [0] * len(answers[row])}}
                for row in rows
            ],
        )
        scores = summed(span, predictions, [json.dumps(texts) for texts in answers])
        differences += [abs(scores[name] - expected[name].item()) for name in ("f1", "exact_match")]
    record_property("largest_difference", max(differences))
    assert max(differences) < 1e-4  # float32 there, in percent


@pytest.fixture
def neighbourhoods():
    """Unit vectors of two languages, and a function that gives faiss's neighbours."""
    faiss = pytest.importorskip("faiss", reason="faiss is not installed")
    rng = np.random.default_rng(0)
    one, other = (retrieval.unit(rng.normal(size=(rows, 64)).astype(np.float32) + 0.5) for rows in (300, 500))

    def search(queries, candidates, count):
        index = faiss.IndexFlatIP(queries.shape[1])
        index.add(candidates)
        return index.search(queries, count)

    return one, other, search


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
    record_property("largest_difference", max(differences))
    assert max(differences) < 1e-6


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
