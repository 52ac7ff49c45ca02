"""Scores of forms from summed statistics, beside scikit-learn's."""

import numpy as np
import pytest
from xstilts.forms import classification, span, tagging

from tests.builders.metrics import score_of_sums, summed

SCORING = {"rules": "squad", "language": "es"}


def test_tagging_scores():
    one = tagging.statistics("NOUN NOUN VERB", "NOUN VERB VERB", SCORING)
    # predicted NOUN 0-1, VERB 2; right NOUN 0, VERB 1-2: no span is right, two words of three are
    assert one == {"words": 3, "correct": 2, "true_positives": 0, "false_positives": 2, "false_negatives": 2}
    two = tagging.statistics("DET NOUN", "DET NOUN", SCORING)
    sums = {key: one[key] + two[key] for key in one}
    assert score_of_sums(tagging, sums, 2) == {"f1": pytest.approx(100 * 4 / 8), "accuracy": pytest.approx(80)}
    nothing = dict.fromkeys(one, 0.0) | {"words": 1.0}
    assert score_of_sums(tagging, nothing, 1)["f1"] == 0


def test_span_score():
    assert span.statistics("cat", '["the cat", "dog"]', SCORING) == {"exact_match": 1, "f1": 1}
    assert span.statistics("el gato", '["gato"]', SCORING)["exact_match"] == 0
    assert span.statistics("el gato", '["gato"]', {**SCORING, "rules": "mlqa"}) == {"exact_match": 1, "f1": 1}
    assert score_of_sums(span, {"exact_match": 1, "f1": 1.5}, 4) == {"f1": 37.5, "exact_match": 25}


def test_accuracy():
    assert classification.statistics("neutral", "neutral", SCORING) == {"correct": 1}
    assert score_of_sums(classification, {"correct": 3}, 4)["accuracy"] == 75


def test_collapse():
    assert classification.collapsed(["a", "a"], ["a", "b"])
    assert not classification.collapsed(["a", "a"], ["a", "a"])
    assert not classification.collapsed(["a", "b"], ["a", "b"])
    # sentences of different lengths, and yet one tag for every word
    assert tagging.collapsed(["NOUN NOUN", "NOUN"], ["NOUN VERB", "NOUN"])
    assert not tagging.collapsed(["NOUN VERB", "NOUN"], ["NOUN VERB", "NOUN"])


def test_accuracy_and_scikit_learn(record_property):
    sklearn = pytest.importorskip("sklearn.metrics", reason="scikit-learn is not installed")
    rng, differences = np.random.default_rng(0), []
    for _ in range(100):
        predicted, right = (rng.choice(["a", "b", "c"], size).tolist() for size in [rng.integers(1, 40)] * 2)
        expected = 100 * sklearn.accuracy_score(right, predicted)
        differences.append(abs(summed(classification, predicted, right)["accuracy"] - expected))
        words = summed(tagging, [" ".join(predicted)], [" ".join(right)])
        differences.append(abs(words["accuracy"] - expected))
    record_property("largest_difference", float(max(differences)))
    assert max(differences) < 1e-10
