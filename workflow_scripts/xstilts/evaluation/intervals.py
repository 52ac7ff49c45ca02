"""Differences of arms with intervals over what is random, runs and examples, and the verdicts that they carry.

A difference is theta = sum over arms of c_a * mean over runs of Y[a, r]. Examples are crossed with arms and runs, runs
are nested in arms: a run deviates from its arm in all examples alike, and in each example on its own. The variance

    sum c_a^2 s2_a / k_a + max(V - sum c_a^2 s2x_a / k_a, 0)

is that between runs (s2_a, over k_a runs) and that between examples (V, by the bootstrap of clusters). Both hold what a
run does to an example on its own (s2x_a), which counts once. Miller 2024 (arXiv:2411.00640) has the variance between
examples; Bouthillier et al. 2021 (arXiv:2103.03098) and Sellam et al. 2022 (arXiv:2106.16163) say why that between runs
belongs to it. Degrees of freedom are Satterthwaite's (1946, An Approximate Distribution of Estimates of Variance
Components, equation 17), but where runs have few.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from scipy import special

RUNS_AND_EXAMPLES, EXAMPLES_ONLY = "runs and examples", "examples only"
HIGHER, LOWER, EQUIVALENT, UNDECIDED = "higher", "lower", "equivalent", "undecided"
LEVEL = 0.05
# degrees of freedom between runs, below which Satterthwaite's formula is not safe
FEW_DEGREES = 4
Scale = Literal["identity", "log-odds"]
# sums of equal scores in another order differ by less: such a difference, or standard error, is none
DECIMALS = 9


@dataclass(frozen=True)
class WeightedArm:
    """An arm in a difference: its coefficient, its outcome in every run, and how that varies with the examples.

    Attributes:
        coefficient: c_a, such as 1 for the first side, -1 for the second, -1/m for each of m arms that are averaged.
        runs: the outcome of each run, of shape (runs,).
        draws: the same under each resampling of clusters, of shape (draws, runs). A row is the same resampling in all
            arms and runs; NaN where a resampling has no outcome.
        pool: the arms of one pool have the same variance between runs.
        deterministic: whether all runs are one and the same node. It has no variance between runs.
        collapsed: whether all runs predict one and the same whatever the example. Then how they vary says nothing.
    """

    coefficient: float
    runs: np.ndarray
    draws: np.ndarray
    pool: str
    deterministic: bool = False
    collapsed: bool = False


@dataclass(frozen=True)
class RunVariance:
    """A variance between runs of one arm.

    Attributes:
        variance: in the squared unit of the outcome.
        degrees: degrees of freedom of it.
        arms: from how many arms it is pooled, those with one run among them.
    """

    variance: float
    degrees: int
    arms: int


@dataclass(frozen=True)
class Components:
    """What the variance of a difference would be with any number of runs.

    Attributes:
        run: what runs add to the variance with one run an arm; divide it by the number of runs.
        arms: degrees of freedom of ``run`` for each run after the first.
        example: what examples add, whatever the number of runs.
        clusters: independent clusters of examples.
    """

    run: float
    arms: float
    example: float
    clusters: int


@dataclass(frozen=True)
class Estimate:
    """A difference with its 95 % interval.

    With one run an arm ``low`` and ``high`` are a range over examples alone, no verdict can be given, and all that is
    optional is missing. So it is where all runs of an arm collapsed, or where no run and no example varies, but for
    ``run_sd``: such a variance is no measure of that of other runs.

    Attributes:
        value: the difference, in the unit of the outcome or in log-odds.
        low: lower end of the interval.
        high: upper end of the interval.
        interval: what is random in it, RUNS_AND_EXAMPLES or EXAMPLES_ONLY.
        standard_error: of the difference; its square is the sum of those of the two parts.
        degrees: Satterthwaite's degrees of freedom of the standard error.
        run_part: the runs' part of the standard error.
        example_part: the examples' part of the standard error.
        run_sd: standard deviation between runs of one arm, in the unit of the outcome: the quadratic mean over arms.
        p: two-sided p of no difference.
        components: the same for other numbers of runs.
    """

    value: float
    low: float
    high: float
    interval: str
    standard_error: float | None = None
    degrees: float | None = None
    run_part: float | None = None
    example_part: float | None = None
    run_sd: float | None = None
    p: float | None = None
    components: Components | None = None


def run_variance(arms: Sequence[np.ndarray]) -> RunVariance | None:
    """Return the variance between runs, pooled over arms that share it; None where no arm has two runs.

    Args:
        arms: the outcomes of the runs of each arm, of shape (runs,).
    """
    degrees = sum(len(runs) - 1 for runs in arms)
    if degrees == 0:
        return None
    squares = sum(float(np.sum((runs - np.mean(runs)) ** 2)) for runs in arms)
    return RunVariance(squares / degrees, degrees, len(arms))


def satterthwaite(parts: Sequence[tuple[float, float]]) -> float:
    """Return the degrees of freedom of a sum of independent variances; infinite for a sum of 0.

    Args:
        parts: each variance with its degrees of freedom.
    """
    squares = sum(variance**2 / degrees for variance, degrees in parts if variance > 0)
    return sum(variance for variance, _ in parts) ** 2 / squares if squares > 0 else math.inf


def degrees_of_freedom(run: float, degrees: float, example: float, clusters: int) -> float:
    """Return the degrees of freedom of a variance of two parts.

    Where runs have fewer than four, Satterthwaite's formula takes a variance between runs that is small by chance for
    a small one: of tests of no difference 6 to 8 % are below 5 % with two degrees. There the parts weigh by their
    shares of the variance in place of the squared shares, as in Cochran's test (1964, Approximate Significance Levels
    of the Behrens-Fisher Test), and 4 to 6 % are (``benchmarks/calibration.py``).

    Args:
        run: the part of runs.
        degrees: its degrees of freedom.
        example: the part of examples.
        clusters: independent clusters of examples.
    """
    if run == 0 or degrees >= FEW_DEGREES:
        return satterthwaite([(run, degrees), (example, clusters - 1)])
    return (run + example) / (run / degrees + example / (clusters - 1))


def components(
    weights: Mapping[str, float], pools: Mapping[str, RunVariance], example: float, clusters: int
) -> Components:
    """Return the components of the variance of a difference.

    Args:
        weights: for each pool the sum of the squared coefficients of its arms that vary between runs.
        pools: the variance between runs of each pool.
        example: what examples add to the variance.
        clusters: independent clusters of examples.
    """
    parts = [(weight * pools[pool].variance, float(pools[pool].arms)) for pool, weight in weights.items()]
    return Components(sum(variance for variance, _ in parts), satterthwaite(parts), example, clusters)


def estimate(
    arms: Sequence[WeightedArm], pools: Mapping[str, RunVariance], clusters: int, scale: Scale = "identity"
) -> Estimate:
    """Return a difference of arms with its interval.

    In log-odds theta = sum of c_a * log(Y_a / (100 - Y_a)), with Y_a the mean over runs. Its variance is that of the
    linear approximation around Y_a (the delta method): c_a is multiplied by the derivative 100 / (Y_a (100 - Y_a)),
    and variances between runs and draws stay those of percent.

    Args:
        arms: the arms.
        pools: the variance between runs of each pool, of all arms in it, compared or not; a pool without two runs of
            any arm is left out.
        clusters: independent clusters of examples.
        scale: for ``log-odds`` outcomes are in percent.

    Raises:
        ValueError: for log-odds of an arm whose outcome is not between 0 and 100, or for fewer than two clusters.
    """
    if clusters < 2:
        raise ValueError("no interval over one cluster of examples")
    value, arms = _linear(arms, scale)
    draws = sum(arm.coefficient * np.mean(arm.draws, axis=1) for arm in arms)
    shifted = draws - sum(arm.coefficient * np.mean(arm.runs) for arm in arms) + value
    varying = [arm for arm in arms if not arm.deterministic]
    if any(arm.pool not in pools for arm in varying):
        return _over_examples(value, shifted)

    weights = _sums(varying, [arm.coefficient**2 for arm in varying])
    shares = _sums(varying, [arm.coefficient**2 / len(arm.runs) for arm in varying])
    of_pools = [(share * pools[pool].variance, pools[pool].degrees) for pool, share in shares.items()]
    run = sum(variance for variance, _ in of_pools)
    overlap = sum(share * _run_by_example([a for a in varying if a.pool == pool]) for pool, share in shares.items())
    # the bootstrap's variance of a mean of n is (n - 1) / n of the true one
    example = max(float(_variance(draws)) - overlap, 0.0) * clusters / (clusters - 1)
    degrees = degrees_of_freedom(run, satterthwaite(of_pools), example, clusters)
    standard_error = round(math.sqrt(run + example), DECIMALS)
    run_sd = math.sqrt(sum(pools[arm.pool].variance for arm in varying) / max(len(varying), 1))
    if standard_error == 0 or any(arm.collapsed for arm in arms):
        return replace(_over_examples(value, shifted), run_sd=run_sd)
    half = float(special.stdtrit(degrees, 1 - LEVEL / 2)) * standard_error
    return Estimate(
        value=value,
        low=value - half,
        high=value + half,
        interval=RUNS_AND_EXAMPLES,
        standard_error=standard_error,
        degrees=degrees,
        run_part=math.sqrt(run),
        example_part=math.sqrt(example),
        run_sd=run_sd,
        p=2 * _above(abs(value), standard_error, degrees),
        components=components(weights, pools, example, clusters),
    )


def _over_examples(value: float, draws: np.ndarray) -> Estimate:
    """Return a difference with its range over draws of examples."""
    low, high = np.nanquantile(draws, [LEVEL / 2, 1 - LEVEL / 2]).round(DECIMALS) + 0.0
    return Estimate(value, float(low), float(high), EXAMPLES_ONLY)


def _linear(arms: Sequence[WeightedArm], scale: Scale) -> tuple[float, list[WeightedArm]]:
    """Return the difference, and arms of which it is the weighted sum but for a constant."""
    means = [float(np.mean(arm.runs)) for arm in arms]
    if scale == "log-odds":
        if not all(0 < mean < 100 for mean in means):
            raise ValueError("log-odds are of outcomes above 0 and below 100 %")
        value = sum(arm.coefficient * special.logit(mean / 100) for arm, mean in zip(arms, means, strict=True))
        slopes = [100 / (mean * (100 - mean)) for mean in means]
    else:
        value = sum(arm.coefficient * mean for arm, mean in zip(arms, means, strict=True))
        slopes = [1.0] * len(arms)
    linear = [replace(arm, coefficient=arm.coefficient * slope) for arm, slope in zip(arms, slopes, strict=True)]
    return round(float(value), DECIMALS) + 0.0, linear


def _sums(arms: Sequence[WeightedArm], values: Sequence[float]) -> dict[str, float]:
    """Return the sum of the arms' values for each pool."""
    sums = dict.fromkeys((arm.pool for arm in arms), 0.0)
    for arm, value in zip(arms, values, strict=True):
        sums[arm.pool] += value
    return sums


def _variance(draws: np.ndarray) -> Any:
    """Return the variance over draws, of shape (draws, ...), without those that have no outcome."""
    # the second is several times slower
    return np.nanvar(draws, axis=0) if np.isnan(draws).any() else np.var(draws, axis=0)


def _run_by_example(arms: Sequence[WeightedArm]) -> float:
    """Return the variance between examples of the deviation of one run from its arm, pooled over arms.

    Where all arms have one run it is unknown: with 0 the interval is too wide rather than too narrow.
    """
    squares = degrees = 0.0
    for arm in arms:
        deviations = arm.draws - np.mean(arm.draws, axis=1, keepdims=True)
        squares += float(np.sum(_variance(deviations)))
        degrees += len(arm.runs) - 1
    return squares / max(degrees, 1)


def _above(value: float, standard_error: float, degrees: float) -> float:
    """Return the chance that a value of mean 0 is at least as high."""
    return float(special.stdtr(degrees, -value / standard_error))


def holm(p_values: Sequence[float]) -> list[float]:
    """Return p values corrected for their number (Holm 1979, A Simple Sequentially Rejective Multiple Test Procedure).

    Args:
        p_values: of all comparisons of the family, in any order.
    """
    corrected, highest = [0.0] * len(p_values), 0.0
    for rank, index in enumerate(np.argsort(p_values)):
        highest = max(highest, min((len(p_values) - rank) * p_values[index], 1.0))
        corrected[index] = highest
    return corrected


def equivalence_p(estimate: Estimate, smallest: float) -> float:
    """Return the p of two one-sided tests that a difference is beyond the smallest that matters (Lakens 2017).

    Lakens 2017, Equivalence Tests, equations 1 and 2; the higher of the two p counts.

    Args:
        estimate: over runs and examples.
        smallest: the smallest difference that matters, on the scale of the estimate.

    Raises:
        ValueError: for a range over examples only.
    """
    if estimate.standard_error is None or estimate.degrees is None:
        raise ValueError("no test from one run an arm")
    return _above(smallest - abs(estimate.value), estimate.standard_error, estimate.degrees)


def verdict(
    estimate: Estimate, smallest: float, p_holm: float | None = None, equivalence_holm: float | None = None
) -> str:
    """Return what an estimate says: HIGHER, LOWER, EQUIVALENT, UNDECIDED, or nothing where it has no test.

    Args:
        estimate: the difference.
        smallest: the smallest difference that matters, on the scale of the estimate.
        p_holm: of a primary comparison, p corrected for the others.
        equivalence_holm: of a primary comparison, the p of equivalence corrected for the others.
    """
    if estimate.p is None:
        return ""
    if (estimate.p if p_holm is None else p_holm) < LEVEL:
        return HIGHER if estimate.value > 0 else LOWER
    p = equivalence_p(estimate, smallest) if equivalence_holm is None else equivalence_holm
    return EQUIVALENT if p < LEVEL else UNDECIDED


def primary_verdicts(estimates: Sequence[Estimate], smallest: Sequence[float]) -> list[tuple[float | None, str]]:
    """Return the corrected p and the verdict of each primary comparison of a study.

    The correction is Holm's, for p of no difference and for p of equivalence apart: the chance of any wrong ``higher``
    or ``lower`` is at most 5 %, and so is that of any wrong ``equivalent``. Comparisons without a
    test, as with one run an arm, do not count.

    Args:
        estimates: of all primary comparisons.
        smallest: the smallest difference that matters for each, on its scale.
    """
    tested = [index for index, one in enumerate(estimates) if one.p is not None]
    p_values = holm([p for one in estimates if (p := one.p) is not None])
    of_equivalence = holm([equivalence_p(estimates[index], smallest[index]) for index in tested])
    found: list[tuple[float | None, str]] = [(None, "")] * len(estimates)
    for index, p, equivalence in zip(tested, p_values, of_equivalence, strict=True):
        found[index] = (p, verdict(estimates[index], smallest[index], p, equivalence))
    return found
