"""Predictors that say the same of a few languages, by hand."""

import numpy as np
import pandas as pd
import pytest
from xstilts.evaluation import confounding

LANGUAGES = ["bg", "de", "el", "sw", "tr", "zh"]


def values(**columns):
    return pd.DataFrame(columns, index=LANGUAGES, dtype=float)


def test_correlation():
    known = values(fertility=[1, 2, 3, 4, 5, 6], size=[6, 5, 4, 3, 1, 2], other=[1, 5, 2, 4, 0, 3])
    # 1 - 6 * 2 / (6 * 35) between the ranks, turned around
    assert confounding.with_others("fertility", known) == "goes with size (r = -0.94)"
    assert confounding.with_others("other", known) == ""
    known = values(fertility=[1, 2, 3, 4, 5, 6], size=[12, 10, 8, 6, 4, 2])
    assert confounding.with_others("size", known) == "the same as fertility in these languages"


def test_levels():
    known = values(script=[1, 1, 1, 1, 0, 0], order=[1, 1, 1, 1, 1, 0], shared=[9, 5.1, 5.1, 5.1, 5, 5])
    assert confounding.with_others("order", known) == "only zh has another value"
    # a low correlation, yet no language of the one script has as much as one of the other
    said = "goes with {} (r = +0.34; the two levels do not overlap)"
    assert said.format("shared") in confounding.with_others("script", known)
    assert said.format("script") in confounding.with_others("shared", known)


def test_missing_and_constant_values_say_nothing():
    known = values(fertility=[1, 2, 3, np.nan, np.nan, np.nan], size=[1, 2, 3, 1, 9, 2], order=[1] * 6)
    assert confounding.with_others("order", known) == ""
    assert confounding.with_others("size", known) == "the same as fertility in these languages"


def test_variance_inflation():
    one, two = np.array([1.0, 2, 3, 4, 5, 6]), np.array([1.0, 2, 3, 4, 6, 5])
    r = 1 - 6 * 2 / (6 * 35)
    found = confounding.variance_inflation(np.column_stack([one, two]))
    assert found == pytest.approx([1 / (1 - r**2)] * 2)
    assert np.isinf(confounding.variance_inflation(np.column_stack([one, two, one + two]))).all()
