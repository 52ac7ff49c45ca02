"""Studies whose true difference is known: arms of simulated models that answer simulated examples right or wrong.

An example is answered right where a latent normal variable is positive. It has the example's difficulty, which all arms
share, a part of arm and example, a part of run and example, and the run's own shift of all examples.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy import stats
from xstilts.evaluation.intervals import Estimate, Scale, WeightedArm, estimate, run_variance

DRAWS = 1000
# shares of difficulty, of arm x example, of run x example in the latent variance within a run
SHARES = np.array([0.55, 0.15, 0.3], dtype=np.float32)
ACCURACY = 60.0
# latent values of a block of studies
BLOCK = 5_000_000


@dataclass(frozen=True)
class Design:
    """Studies that compare two arms.

    Attributes:
        runs: of the first arm and the second; 0 for a deterministic second arm.
        run_sd: standard deviation of an arm's true accuracy between runs, in points.
        examples: binary scores of a run.
        difference: the true difference, in points.
        others: arms of the first's pool that are not compared, with as many runs as the arm that has more.
        apart: whether the second arm has a pool of its own.
    """

    runs: tuple[int, int]
    run_sd: float
    examples: int
    difference: float = 0.0
    others: int = 2
    apart: bool = False


RUNS = (2, 3, 5, 10)
RUN_SDS = (0.0, 0.5, 1.0, 2.0)
EXAMPLES = (250, 1000, 5000)
# what calibration is measured for: runs of both arms, further arms of the pool, whether the second has its own
ARRANGEMENTS: dict[str, list[tuple[tuple[int, int], int, bool]]] = {
    "pool of four arms": [((runs, runs), 2, False) for runs in RUNS],
    "two arms alone": [((runs, runs), 0, False) for runs in RUNS],
    "pools of three arms and of one": [((runs, runs), 2, True) for runs in RUNS],
    "unequal runs": [((1, 3), 2, False), ((2, 5), 2, False), ((3, 10), 2, False), ((3, 10), 0, False)],
    "deterministic baseline": [((runs, 0), 2, False) for runs in RUNS],
    "deterministic baseline, alone": [((runs, 0), 0, False) for runs in RUNS],
}


def resampling_weights(examples: int, draws: int = DRAWS, seed: int = 0) -> np.ndarray:
    """Return how often each example counts in each draw, over the number of examples, in percent."""
    rng = np.random.default_rng(seed)
    counts = rng.multinomial(examples, np.full(examples, 1 / examples), size=draws)
    return (counts * (100 / examples)).astype(np.float32)


def estimates(
    design: Design, number: int, weights: np.ndarray, seed: int = 0, scale: Scale = "identity"
) -> list[Estimate]:
    """Return what so many studies find.

    Args:
        design: of the studies.
        number: of studies.
        weights: of the examples in each draw, of shape (draws, examples).
        seed: of the simulation.
        scale: of the difference.
    """
    found = []
    for arms, others in studies(design, number, weights, seed):
        in_pools = {
            arm.pool: [one.runs for one in arms if one.pool == arm.pool] for arm in arms if not arm.deterministic
        }
        in_pools["first"] += others
        pools = {pool: variance for pool, runs in in_pools.items() if (variance := run_variance(runs))}
        found.append(estimate(arms, pools, design.examples, scale))
    return found


def studies(
    design: Design, number: int, weights: np.ndarray, seed: int
) -> Iterator[tuple[list[WeightedArm], list[np.ndarray]]]:
    """Yield the two arms of each study, and the outcomes of the others."""
    rng = np.random.default_rng(seed)
    columns = sum(max(runs, 1) for runs in design.runs)
    size = max(BLOCK // (columns * design.examples), 1)
    spread = _spread_of_outcomes(design)
    for start in range(0, number, size):
        block = min(size, number - start)
        right = _answers(rng, design, block)
        outcomes = 100 * right.mean(axis=2, dtype=np.float64)
        draws = weights @ right.reshape(-1, design.examples).T.astype(np.float32)
        draws = draws.reshape(len(weights), block, columns).astype(np.float64)
        others = rng.normal(ACCURACY, spread, (block, design.others, max(design.runs)))
        for index in range(block):
            yield _arms(design, outcomes[index], draws[:, index]), list(others[index])


def _answers(rng: np.random.Generator, design: Design, block: int) -> np.ndarray:
    """Return which examples each run answers right, of shape (studies, runs of both arms, examples)."""
    difficulty, of_arm, of_run = np.sqrt(SHARES)
    shared = difficulty * rng.standard_normal((block, 1, design.examples), dtype=np.float32)
    sides = []
    for runs, accuracy in zip(design.runs, (ACCURACY + design.difference, ACCURACY), strict=True):
        latent = of_run * rng.standard_normal((block, max(runs, 1), design.examples), dtype=np.float32)
        latent += shared + of_arm * rng.standard_normal((block, 1, design.examples), dtype=np.float32)
        quantile = stats.norm.ppf(accuracy / 100)
        spread = design.run_sd / 100 / stats.norm.pdf(quantile) if runs else 0.0
        # the mean over runs is the accuracy: the latent variance is 1 within a run, spread^2 between runs
        shifts = quantile * np.sqrt(1 + spread**2) + spread * rng.standard_normal((block, max(runs, 1), 1))
        sides.append(latent + shifts.astype(np.float32) > 0)
    return np.concatenate(sides, axis=1)


def _arms(design: Design, outcomes: np.ndarray, draws: np.ndarray) -> list[WeightedArm]:
    first, second = design.runs
    pool = "second" if design.apart else "first"
    return [
        WeightedArm(1, outcomes[:first], draws[:, :first], "first"),
        WeightedArm(-1, outcomes[first:], draws[:, first:], pool, deterministic=second == 0),
    ]


def _spread_of_outcomes(design: Design) -> float:
    """Return the standard deviation of outcomes between runs of one arm: their own, and that of run x example."""
    quantile = stats.norm.ppf(ACCURACY / 100)
    correlation = 1 - float(SHARES[2])
    both = stats.multivariate_normal.cdf([quantile, quantile], cov=[[1, correlation], [correlation, 1]])
    return float(np.sqrt(design.run_sd**2 + 1e4 * (ACCURACY / 100 - both) / design.examples))
