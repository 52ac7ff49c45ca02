"""Which predictors of a regression say the same of the few languages that there are, in words."""

from collections.abc import Iterator

import numpy as np
import pandas as pd

# a correlation from which on coefficients are distorted (Dormann et al. 2013, Collinearity, Ecography 36, abstract)
CORRELATED = 0.7


def with_others(predictor: str, values: pd.DataFrame) -> str:
    """Return with what a predictor is confounded, in words; empty for nothing.

    Args:
        predictor: its name.
        values: all predictors by column, a row a language; a value may be missing.
    """
    return "; ".join([*_lonely(values[predictor].dropna()), *_alike(predictor, values)])


def _lonely(own: pd.Series) -> Iterator[str]:
    """Yield the language that alone has one of two values."""
    counts = own.value_counts()
    if len(counts) == 2:
        for value, count in counts.items():
            if count == 1:
                yield f"only {own.index[own == value][0]} has another value"
                return


def _alike(predictor: str, values: pd.DataFrame) -> Iterator[str]:
    for other in values.columns.drop(predictor):
        both = values[[predictor, other]].dropna()
        if both[predictor].nunique() < 2 or both[other].nunique() < 2:
            continue
        correlation = float(np.corrcoef(both[predictor], both[other])[0, 1])
        separated = _is_separated(both[predictor], both[other]) or _is_separated(both[other], both[predictor])
        if abs(correlation) > 1 - 1e-9:
            yield f"the same as {other} in these languages"
        elif abs(correlation) >= CORRELATED or separated:
            yield f"goes with {other} (r = {correlation:+.2f}{'; the two levels do not overlap' * separated})"


def _is_separated(levels: pd.Series, other: pd.Series) -> bool:
    """Tell whether there are two levels, and the ranges of another predictor at these do not overlap."""
    if levels.nunique() != 2:
        return False
    low, high = (values for _, values in other.groupby(levels))
    return bool(low.max() < high.min() or high.max() < low.min())


def variance_inflation(values: pd.DataFrame) -> pd.Series:
    """Return the variance inflation factor of each predictor beside the others: 1 / (1 - R2); infinite if redundant.

    Args:
        values: predictors by column, a row a language, none missing, none constant.
    """
    centred = values - values.mean()
    factors = {}
    for name in values.columns:
        others = centred[values.columns.drop(name)].to_numpy()
        residual = centred[name] - others @ np.linalg.lstsq(others, centred[name], rcond=None)[0]
        unexplained = float(np.sum(residual**2) / np.sum(centred[name] ** 2))
        factors[name] = 1 / unexplained if unexplained > 1e-12 else np.inf
    return pd.Series(factors)
