"""Scores of forms from their own statistics, and vectors, for tests of metrics."""

import math
from collections.abc import Iterable, Mapping, Sequence
from types import ModuleType

import numpy as np
from hypothesis import settings
from xstilts.metrics import counts

# of properties of metrics: the same examples at every run
check = settings(derandomize=True, deadline=None, max_examples=200)


def pair_f1(predicted: Iterable, gold: Iterable) -> float:
    """Return the F1 of a set of pairs, from the counts that the forms add up."""
    predicted, gold = set(predicted), set(gold)
    sums = {
        "true_positives": len(predicted & gold),
        "false_positives": len(predicted - gold),
        "false_negatives": len(gold - predicted),
    }
    return counts.f1(sums)


def summed(form: ModuleType, predictions: Sequence[str], gold: Sequence[str]) -> dict[str, float]:
    """Return a form's score of all rows, in percent."""
    rows = [form.statistics(*pair, {"rules": "squad"}) for pair in zip(predictions, gold, strict=True)]
    return score_of_sums(form, {key: sum(row[key] for row in rows) for key in rows[0]}, len(rows))


def directions(*degrees: float) -> np.ndarray:
    """Return unit vectors of two dimensions, float32 of shape (degrees, 2)."""
    return np.array([[math.cos(math.radians(at)), math.sin(math.radians(at))] for at in degrees], np.float32)


def score_of_sums(form: ModuleType, sums: Mapping[str, float], examples: int) -> dict[str, float]:
    """Return the scores of a form's module by those of its metrics that are functions of sums."""
    metrics = {name: metric.of_sums for name, metric in form.FORM.metrics.items() if metric.of_sums is not None}
    return {name: function(sums, examples) for name, function in metrics.items()}
