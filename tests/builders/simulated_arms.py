"""Studies whose true difference is known: arms of simulated models that answer simulated examples right or wrong.

An example is answered right where a latent normal variable is positive. It has the example's difficulty, which all arms
share, a part of arm and example, a part of run and example, and the run's own shift of all examples.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from scipy import stats
from xstilts.evaluation.intervals import Arm

DRAWS = 1000
# shares of difficulty, of arm x example, of run x example in the latent variance within a run
SHARES = np.array([0.55, 0.15, 0.3], dtype=np.float32)
BASE = 0.6
# latent values of a block of studies
BLOCK = 5_000_000


@dataclass(frozen=True)
class Design:
    """A study of two arms compared, and others that share their variance between runs.

    Attributes:
        runs: of the first arm and the second; 0 for a deterministic second arm.
        run_sd: standard deviation of an arm's true accuracy between runs, in points.
        examples: binary scores of a run.
        difference: the true difference, in points.
        others: arms of the same pool that are not compared, with the runs of the first.
    """

    runs: tuple[int, int]
    run_sd: float
    examples: int
    difference: float = 0.0
    others: int = 2


def resampling_weights(examples: int, draws: int = DRAWS, seed: int = 0) -> np.ndarray:
    """Return how often each example counts in each draw, over the number of examples, in percent."""
    rng = np.random.default_rng(seed)
    counts = rng.multinomial(examples, np.full(examples, 1 / examples), size=draws)
    return (counts * (100 / examples)).astype(np.float32)


def studies(
    design: Design, number: int, weights: np.ndarray, seed: int = 0
) -> Iterator[tuple[list[Arm], list[np.ndarray]]]:
    """Yield the arms that each study compares, and the outcomes of the others.

    Args:
        design: of the studies.
        number: of studies.
        weights: of the examples in each draw, of shape (draws, examples).
        seed: of the simulation.
    """
    rng = np.random.default_rng(seed)
    columns = sum(max(runs, 1) for runs in design.runs)
    size = max(BLOCK // (columns * design.examples), 1)
    for start in range(0, number, size):
        block = min(size, number - start)
        right = _answers(rng, design, block)
        outcomes = 100 * right.mean(axis=2, dtype=np.float64)
        draws = weights @ right.reshape(-1, design.examples).T.astype(np.float32)
        draws = draws.reshape(len(weights), block, columns).astype(np.float64)
        for index in range(block):
            yield _arms(design, outcomes[index], draws[:, index]), _others(rng, design)


def _answers(rng: np.random.Generator, design: Design, block: int) -> np.ndarray:
    """Return which examples each run of each study answers right, of shape (studies, runs of both arms, examples)."""
    difficulty, of_arm, of_run = np.sqrt(SHARES)
    shared = difficulty * rng.standard_normal((block, 1, design.examples), dtype=np.float32)
    sides = []
    for runs, accuracy in zip(design.runs, (BASE + design.difference / 100, BASE), strict=True):
        latent = of_run * rng.standard_normal((block, max(runs, 1), design.examples), dtype=np.float32)
        latent += shared + of_arm * rng.standard_normal((block, 1, design.examples), dtype=np.float32)
        spread = _spread(design.run_sd, accuracy) if runs else 0.0
        mean = stats.norm.ppf(accuracy) * np.sqrt(1 + spread**2)
        latent += (mean + spread * rng.standard_normal((block, max(runs, 1), 1))).astype(np.float32)
        sides.append(latent > 0)
    return np.concatenate(sides, axis=1)


def _spread(run_sd: float, accuracy: float) -> float:
    """Return the latent standard deviation of runs that moves accuracy by so many points."""
    return run_sd / 100 / stats.norm.pdf(stats.norm.ppf(accuracy))


def _arms(design: Design, outcomes: np.ndarray, draws: np.ndarray) -> list[Arm]:
    first, second = design.runs
    return [
        Arm(1, outcomes[:first], draws[:, :first], "pool"),
        Arm(-1, outcomes[first:], draws[:, first:], "pool", deterministic=second == 0),
    ]


def _others(rng: np.random.Generator, design: Design) -> list[np.ndarray]:
    """Return outcomes of arms that are not compared: only how they vary between runs counts."""
    mean = stats.norm.ppf(BASE)
    own = SHARES[2]
    both = stats.multivariate_normal.cdf([mean, mean], cov=[[1, 1 - own], [1 - own, 1]])
    spread = np.sqrt(design.run_sd**2 + 1e4 * (BASE - both) / design.examples)
    return [100 * BASE + spread * rng.standard_normal(design.runs[0]) for _ in range(design.others)]
