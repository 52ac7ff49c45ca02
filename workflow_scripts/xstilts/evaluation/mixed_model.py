"""A linear model with a random intercept for each group, by restricted maximum likelihood (REML).

    y = X b + u[group] + e,    u ~ N(0, s2_u),    e ~ N(0, s2_e)

It is that of statsmodels' ``MixedLM`` and lme4's ``lmer`` (Pinheiro and Bates 2000, Mixed-Effects Models in S and
S-PLUS, section 2.2), of which a test has the same values. It is written out because with one random intercept it is
short, and sound where these warn: with a variance of groups of 0, which few languages often give. With the ratio of
variances r = s2_u / s2_e the model is ordinary least squares on y and X, each minus 1 - 1 / sqrt(1 + r m) times its
mean over the group's m rows (Fuller and Battese 1973, Transformations for Estimation of Linear Models with Nested-Error
Structure), so that one number is looked for.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy import optimize, special

from xstilts.evaluation.intervals import LEVEL

# shares of the variance between groups among which the best is refined
_SHARES = np.linspace(0, 0.999, 20)


@dataclass(frozen=True)
class Fit:
    """A fitted model.

    Attributes:
        coefficients: b, of shape (columns,).
        covariance: of these, of shape (columns, columns).
        group_variance: s2_u; 0 where no group has two rows, for then it cannot be told from s2_e.
        residual_variance: s2_e.
        degrees: of freedom of coefficients of columns that are the same in all rows of a group.
    """

    coefficients: np.ndarray
    covariance: np.ndarray
    group_variance: float
    residual_variance: float
    degrees: int

    def interval(self, column: int) -> tuple[float, float, float, float]:
        """Return the standard error of a coefficient, the ends of its 95 % interval, and its two-sided p."""
        value, error = float(self.coefficients[column]), float(np.sqrt(self.covariance[column, column]))
        half = float(special.stdtrit(self.degrees, 1 - LEVEL / 2)) * error
        p = 2 * float(special.stdtr(self.degrees, -abs(value) / error)) if error else float(value == 0)
        return error, value - half, value + half, p


def degrees_between(x: np.ndarray, groups: np.ndarray) -> int:
    """Return the degrees of freedom between groups: their number less the columns that are constant in each, and 1.

    It is the rule of Pinheiro and Bates 2000, section 2.4.2, for what varies between groups only. It is exact where
    all groups have the same rows; a normal distribution in place of t has too short intervals with few groups.

    Args:
        x: X, of shape (rows, columns).
        groups: number of each row's group, from 0, of shape (rows,).
    """
    first = np.unique(groups, return_index=True)[1]
    constant = np.all(np.isclose(x, x[first][groups]), axis=0)
    of_groups = np.column_stack([np.ones(len(first)), x[first][:, constant]])
    return len(first) - int(np.linalg.matrix_rank(of_groups))


def fit(y: np.ndarray, x: np.ndarray, groups: np.ndarray) -> Fit:
    """Return the model that fits best by REML.

    Args:
        y: of shape (rows,).
        x: X, of shape (rows, columns), of full rank and with fewer columns than rows.
        groups: number of each row's group, from 0, of shape (rows,).

    Raises:
        ValueError: if X has not full rank, or no row is left to estimate a variance from.
    """
    rows, columns = x.shape
    if rows <= columns or np.linalg.matrix_rank(x) < columns:
        raise ValueError(f"{columns} columns of {rows} rows cannot be told apart")
    sizes, data = np.bincount(groups), np.column_stack([x, y])
    means = np.column_stack([np.bincount(groups, column) / sizes for column in data.T])[groups]

    def triangle(ratio: float) -> np.ndarray:
        """Return R of the least squares of y on X for a ratio of variances: of shape (columns + 1, columns + 1)."""
        part = (1 - 1 / np.sqrt(1 + ratio * sizes))[groups]
        return np.asarray(np.linalg.qr(data - part[:, None] * means, mode="r"))

    def deviance(share: float) -> float:
        """Return twice the negative log-likelihood but for a constant, with b and s2_e at their best."""
        ratio = share / (1 - share)
        logs = np.log(np.maximum(np.abs(np.diag(triangle(ratio))), np.finfo(float).tiny))
        return float(2 * (rows - columns) * logs[-1] + np.sum(np.log1p(ratio * sizes)) + 2 * np.sum(logs[:-1]))

    share = _lowest(deviance) if sizes.max() > 1 else 0.0
    ratio = share / (1 - share)
    r = triangle(ratio)
    inverse = np.linalg.inv(r[:columns, :columns])
    variance = float(r[columns, columns]) ** 2 / (rows - columns)
    covariance = variance * inverse @ inverse.T
    return Fit(inverse @ r[:columns, columns], covariance, ratio * variance, variance, degrees_between(x, groups))


def _lowest(function: Callable[[float], float]) -> float:
    """Return the share of the variance between groups, from 0 to below 1, at which a function is lowest."""
    values = [function(share) for share in _SHARES]
    best = int(np.argmin(values))
    low, high = _SHARES[max(best - 1, 0)], _SHARES[best + 1] if best + 1 < len(_SHARES) else 1 - 1e-9
    found = optimize.minimize_scalar(function, bounds=(low, high), method="bounded", options={"xatol": 1e-7})
    return float(found.x) if found.fun < values[best] else float(_SHARES[best])
