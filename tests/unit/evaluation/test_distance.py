"""Rank correlations of scores with the languages' distance, by hand."""

import pandas as pd
import pytest
from xstilts.evaluation.distance import distances


def scores_of(values):
    """Return scores without an intermediate phase, and with one that changes the order."""
    axes = {"model": "m", "recipe": "r", "method": "full", "seed": 1, "target": "xnli", "metric": "accuracy"}
    rows = []
    for language, score in values.items():
        for mixture, more in {"none": 0, "nine": 50 if language == "qab" else 0}.items():
            rows.append({**axes, "mixture": mixture, "language": language, "headline": True, "score": score + more})
    return pd.DataFrame(rows)


def test_scores_that_fall_with_the_distance():
    distance = {"en": 0, "qab": 1, "qag": 2, "qad": 3, "qae": 4, "qaz": 5}
    values = {"en": 10, "qab": 60, "qag": 50, "qad": 40, "qae": 30, "qaz": 20}
    (row,) = distances(scores_of(values), distance).to_dict("records")
    assert row["correlation"] == pytest.approx(-1) and row["languages"] == 5
    # one of the 120 orders of five languages falls as steeply
    assert row["p"] == pytest.approx(1 / 120)
    (row,) = distances(scores_of({**values, "qab": 20, "qaz": 60}), distance).to_dict("records")
    # ranks of the scores 1 4 3 2 5 against 1 2 3 4 5: 1 - 6 * 8 / (5 * 24)
    assert row["correlation"] == pytest.approx(1 - 6 * 8 / 120)
    assert distances(scores_of({"en": 1, "qab": 2, "qag": 3, "qad": 4}), distance).empty
