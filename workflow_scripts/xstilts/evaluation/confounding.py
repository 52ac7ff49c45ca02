"""Which predictors of a regression say the same of the few languages that there are, in words."""

from collections.abc import Iterator, Mapping

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
    own = values[predictor].to_numpy(float)
    others = {str(name): values[name].to_numpy(float) for name in values.columns if name != predictor}
    return "; ".join([*_lonely(own, values.index), *_alike(own, others)])


def _lonely(own: np.ndarray, languages: pd.Index) -> Iterator[str]:
    """Yield the language that alone has one of two values."""
    present, counts = np.unique(own[~np.isnan(own)], return_counts=True)
    if len(present) == 2 and 1 in counts:
        yield f"only {languages[own == present[counts == 1][0]][0]} has another value"


def _alike(own: np.ndarray, others: Mapping[str, np.ndarray]) -> Iterator[str]:
    for name, other in others.items():
        known = ~np.isnan(own) & ~np.isnan(other)
        pair = own[known], other[known]
        if not known.any() or any(np.ptp(one) == 0 for one in pair):
            continue
        correlation = float(np.corrcoef(*pair)[0, 1])
        separated = _is_separated(*pair) or _is_separated(*pair[::-1])
        if abs(correlation) > 1 - 1e-9:
            yield f"the same as {name} in these languages"
        elif abs(correlation) >= CORRELATED or separated:
            yield f"goes with {name} (r = {correlation:+.2f}{'; the two levels do not overlap' * separated})"


def _is_separated(levels: np.ndarray, other: np.ndarray) -> bool:
    """Tell whether there are two levels, and the ranges of another predictor at these do not overlap."""
    present = np.unique(levels)
    if len(present) != 2:
        return False
    low, high = (other[levels == level] for level in present)
    return bool(low.max() < high.min() or high.max() < low.min())


def variance_inflation(values: np.ndarray) -> list[float]:
    """Return the variance inflation factor of each predictor beside the others: 1 / (1 - R2); infinite if redundant.

    Args:
        values: of shape (languages, predictors), none missing, none constant.
    """
    centred = values - values.mean(axis=0)
    factors = []
    for number, own in enumerate(centred.T):
        others = np.delete(centred, number, axis=1)
        residual = own - others @ np.linalg.lstsq(others, own, rcond=None)[0]
        unexplained = float(np.sum(residual**2) / np.sum(own**2))
        factors.append(1 / unexplained if unexplained > 1e-12 else np.inf)
    return factors
