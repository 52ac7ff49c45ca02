"""Scores from the statistics of examples, by sums or by the examples themselves."""

import numpy as np
import pandas as pd
import pytest
from xstilts import forms
from xstilts.evaluation import resampling
from xstilts.evaluation.scores import columns_of
from xstilts.forms import FORMS, scoring
from xstilts.forms.declaration import Form, Metric
from xstilts.metrics.classes import macro_f1


def table(gold, predictions):
    return scoring.columns_of(forms.get("classification"), predictions, gold, None, ["en"] * len(gold))


def test_macro_f1_by_hand():
    """Classes a, b, c: F1 of 2/3, 1/2 and 0; d is neither predicted nor gold."""
    scores = scoring.scores(FORMS["classification"], table(["a", "a", "b", "b", "c"], ["a", "b", "b", "c", "a"]))
    # a: 1 of 2 gold, 1 of 2 predicted; b: 1 of 2, 1 of 2; c: 0 of 1, 0 of 1
    assert scores["macro_f1"] == pytest.approx(100 * (0.5 + 0.5 + 0) / 3)
    assert scores["accuracy"] == 40


def test_macro_f1_is_that_of_scikit_learn():
    metrics = pytest.importorskip("sklearn.metrics", reason="scikit-learn is not installed")
    rng = np.random.default_rng(0)
    gold, predictions = rng.choice(list("abcde"), (2, 50), p=[0.5, 0.3, 0.1, 0.07, 0.03]).astype(object)
    counts = rng.multinomial(50, np.full(50, 1 / 50), size=20)
    expected = [
        metrics.f1_score(np.repeat(gold, row), np.repeat(predictions, row), average="macro", zero_division=0)
        for row in counts
    ]
    assert macro_f1(gold, predictions, counts.astype(float)) == pytest.approx(expected, abs=1e-12)


def side(gold, predictions):
    rows = [str(row) for row in range(len(gold))]
    frame = pd.DataFrame({"example_id": rows, "cluster_id": rows, "language": "de", "gold": gold})
    return frame.assign(
        prediction=predictions, stat_correct=[float(a == b) for a, b in zip(gold, predictions, strict=True)]
    )


def test_draws_of_a_metric_from_examples_are_those_of_the_same_metric_from_sums(monkeypatch):
    """Accuracy computed from the texts of all examples, in small blocks of draws."""
    rng = np.random.default_rng(3)
    gold = rng.choice(["a", "b"], 60)
    frame = side(gold, rng.choice(["a", "b"], 60))
    from_sums = FORMS["classification"].metrics["accuracy"]
    from_examples = Metric(
        of_examples=lambda columns, counts: (
            100 * counts @ (columns["gold"] == columns["prediction"]) / counts.sum(axis=1)
        )
    )
    for block in ("BLOCK", "LARGE_BLOCK"):
        monkeypatch.setattr(resampling, block, 1000)
    split = resampling.split_examples(frame, "xnli", parallel=False)["de"]
    metrics = {"sums": from_sums, "examples": from_examples}
    found = resampling.scores_of_draws(metrics, columns_of(frame), split, resampling.draws(split))
    assert found["examples"] == pytest.approx(found["sums"]) and len(set(found["sums"])) > 10


def test_scores_are_exact_sums():
    values = [1e16, 1.0, -1e16] * 3
    form = Form(fields={}, metrics={"mean": Metric(of_sums=lambda sums, examples: sums["value"] / examples)})
    columns = {"value": np.array(values), "prediction": np.array([""] * 9), "gold": np.array([""] * 9)}
    assert scoring.scores(form, columns) == {"mean": 3 / 9}
