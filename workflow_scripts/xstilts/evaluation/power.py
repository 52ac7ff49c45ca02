"""What a number of runs can find: power, detectable differences, and the runs that a difference takes.

A difference is found when its 95 % interval (``intervals.estimate``) is away from 0. Power is that of the t test, from
the noncentral t distribution (Cohen 1988, Statistical Power Analysis, section 2.5), both tails counted as R's
``power.t.test`` does with ``strict = TRUE``.
"""

import functools
import math

import numpy as np
from scipy import optimize, special

from xstilts.evaluation.intervals import LEVEL, Components, Estimate, degrees_of_freedom

POWER = 0.8
MOST_RUNS = 10_000


def power(difference: float, standard_error: float, degrees: float, level: float = LEVEL) -> float:
    """Return the share of studies that find a difference, two-sided.

    Args:
        difference: the true one.
        standard_error: of its estimate.
        degrees: degrees of freedom of the standard error.
        level: at which it must be found.
    """
    if standard_error == 0:
        return float(difference != 0)
    return _power(abs(difference) / standard_error, degrees, level)


def _power(ratio: float, degrees: float, level: float) -> float:
    """Return the power for a difference of so many standard errors."""
    quantile = special.stdtrit(degrees, 1 - level / 2)
    # it is NaN where it is below 1e-14
    above, below = np.nan_to_num(special.nctdtr(degrees, ratio, [quantile, -quantile]))
    return float(1 - above + below)


def detectable(standard_error: float, degrees: float, power: float = POWER, level: float = LEVEL) -> float:
    """Return the difference that this share of studies finds.

    Args:
        standard_error: of the estimate.
        degrees: degrees of freedom of the standard error.
        power: the share.
        level: at which it must be found.
    """
    return standard_error * _ratio(degrees, power, level)


@functools.cache
def _ratio(degrees: float, power: float, level: float) -> float:
    """Return how many standard errors a difference must have to be found in this share of studies."""
    return float(optimize.brentq(lambda ratio: _power(ratio, degrees, level) - power, 0, 1000))


def with_runs(components: Components, runs: int) -> tuple[float, float]:
    """Return the standard error and its degrees of freedom with so many runs of every arm that varies.

    Args:
        components: of the variance of the difference.
        runs: at least two.
    """
    run, example = components.run / runs, components.example
    degrees = degrees_of_freedom(run, components.arms * (runs - 1), example, components.clusters)
    return math.sqrt(run + example), degrees


def runs_needed(components: Components, difference: float, power: float = POWER, level: float = LEVEL) -> float:
    """Return the fewest runs an arm, at least two, with which this share of studies finds a difference.

    Infinite if 10,000 runs do not do: the test sets are too small.

    Args:
        components: of the variance of the difference.
        difference: the true one.
        power: the share.
        level: at which it must be found.
    """

    def finds(runs: int) -> bool:
        return detectable(*with_runs(components, runs), power, level) <= abs(difference)

    if not finds(MOST_RUNS):
        return math.inf
    few, enough = 1, MOST_RUNS
    while enough - few > 1:
        middle = (few + enough) // 2
        few, enough = (few, middle) if finds(middle) else (middle, enough)
    return enough


def runs_to_decide(estimate: Estimate, smallest: float, level: float = LEVEL) -> float:
    """Return the fewest runs an arm that would likely decide an undecided estimate.

    With them the estimated difference, or the smallest that matters if that is larger, is found in 80 % of studies.

    Args:
        estimate: over runs and examples.
        smallest: the smallest difference that matters, on the scale of the estimate.
        level: at which it must be found.

    Raises:
        ValueError: for a range over examples only.
    """
    if estimate.components is None:
        raise ValueError("no variance between runs from one run an arm")
    return runs_needed(estimate.components, max(abs(estimate.value), smallest), level=level)
