"""Scores of a form from the statistics of its examples."""

import math
from collections.abc import Sequence

import numpy as np

from xstilts.forms.declaration import Columns, Form, Metric
from xstilts.forms.interface import AnyForm

TEXTS = ("prediction", "gold")


def columns_of(
    form: AnyForm, predictions: Sequence[str], gold: Sequence[str], rules: str | None, languages: Sequence[str]
) -> Columns:
    """Return the statistics of examples by name, with their predictions and gold answers.

    Args:
        form: the module of the form.
        predictions: of each example.
        gold: the gold answer of each example.
        rules: by which answers are compared, where the task names some.
        languages: of each example.
    """
    rows = [
        form.statistics(prediction, answer, {"rules": rules, "language": language})
        for prediction, answer, language in zip(predictions, gold, languages, strict=True)
    ]
    names = rows[0] if rows else ()
    statistics = {name: np.array([row[name] for row in rows], dtype=np.float64) for name in names}
    return {**statistics, "prediction": np.array(predictions, object), "gold": np.array(gold, object)}


def scores(form: Form, columns: Columns) -> dict[str, float]:
    """Return the score of some examples by every metric of a form.

    Sums of statistics are exact, so that a score is the same to the last digit in whatever order the examples are.
    """
    sums = {name: math.fsum(values) for name, values in columns.items() if name not in TEXTS}
    return {name: _score(metric, sums, columns) for name, metric in form.metrics.items()}


def _score(metric: Metric, sums: dict[str, float], columns: Columns) -> float:
    examples = len(columns["gold"])
    if metric.of_examples is not None:
        return float(metric.of_examples(columns, np.ones((1, examples)))[0])
    assert metric.of_sums is not None
    return float(metric.of_sums(sums, examples))
