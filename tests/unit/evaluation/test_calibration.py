"""Calibration: how often intervals of simulated studies hold the true difference, and how often there seems to be one.

The bars are 2 to 7 % false positives and 93 to 98 % coverage. ``benchmarks/calibration.py`` prints all cells.
"""

import itertools
import zlib

import numpy as np
import pytest
from scipy import special, stats

from tests.builders.simulated_arms import (
    ACCURACY,
    ARRANGEMENTS,
    EXAMPLES,
    RUN_SDS,
    Design,
    estimates,
    resampling_weights,
)

STUDIES, FEW_STUDIES, FEW_DRAWS = 2000, 600, 300
POSITIVES, COVERAGE = (0.02, 0.07), (0.93, 0.98)
# one arm of two runs against a deterministic one, and no other in its pool: one degree of freedom cannot do better
ONE_DEGREE = {POSITIVES: (0.02, 0.11), COVERAGE: (0.89, 0.98)}


def seed(design):
    return zlib.crc32(repr(design).encode())


def positives(found):
    return sum(one.p < 0.05 for one in found)


def covered(found, difference):
    return sum(one.low <= difference <= one.high for one in found)


def possible(count, number, lowest, highest):
    """Tell whether so many of a number are likely, at 1 in 1,000, for some chance between two."""
    return stats.binom.sf(count - 1, number, highest) > 0.001 and stats.binom.cdf(count, number, lowest) > 0.001


@pytest.fixture(scope="module")
def few_weights():
    return {examples: resampling_weights(examples, FEW_DRAWS) for examples in (250, 1000)}


@pytest.mark.parametrize(
    ("runs", "run_sd", "examples", "others", "apart"),
    [
        ((2, 2), 2.0, 250, 0, False),
        ((2, 2), 0.0, 1000, 2, False),
        ((3, 3), 1.0, 1000, 2, True),
        ((3, 3), 0.5, 250, 2, False),
        ((5, 5), 2.0, 1000, 0, False),
        ((10, 10), 1.0, 250, 2, False),
        ((2, 5), 1.0, 1000, 2, False),
        ((1, 3), 2.0, 250, 2, False),
        ((3, 0), 1.0, 1000, 2, False),
    ],
)
def test_calibration_of_some_cells(few_weights, runs, run_sd, examples, others, apart):
    same, other = (Design(runs, run_sd, examples, difference, others, apart) for difference in (0.0, 2.0))
    found = estimates(same, FEW_STUDIES, few_weights[examples], seed(same))
    assert possible(positives(found), FEW_STUDIES, *POSITIVES)
    found = estimates(other, FEW_STUDIES, few_weights[examples], seed(other))
    assert possible(covered(found, 2), FEW_STUDIES, *COVERAGE)


def test_calibration_in_log_odds(few_weights):
    design = Design((3, 3), 1.0, 1000, 20.0)
    found = estimates(design, FEW_STUDIES, few_weights[1000], seed(design), "log-odds")
    true = special.logit((ACCURACY + 20) / 100) - special.logit(ACCURACY / 100)
    assert np.mean([one.value for one in found]) == pytest.approx(true, abs=0.02)
    assert possible(covered(found, true), FEW_STUDIES, *COVERAGE)


def test_examples_alone_would_find_too_much(few_weights):
    """What the bars are for: the range over examples, of three runs with sd 2, is away from 0 far too often."""
    design = Design((3, 3), 2.0, 1000)
    found = estimates(design, FEW_STUDIES, few_weights[1000], seed(design))
    away = sum(abs(one.value) > 1.96 * one.example_part for one in found)
    assert not possible(away, FEW_STUDIES, *POSITIVES) and away > 0.3 * FEW_STUDIES


@pytest.mark.long
@pytest.mark.parametrize("examples", EXAMPLES)
@pytest.mark.parametrize("name", ARRANGEMENTS)
def test_calibration(name, examples):
    weights = resampling_weights(examples)
    outside = {}
    for (runs, others, apart), run_sd in itertools.product(ARRANGEMENTS[name], RUN_SDS):
        for difference in (0.0, 2.0):
            design = Design(runs, run_sd, examples, difference, others, apart)
            found = estimates(design, STUDIES, weights, seed(design))
            counts = {COVERAGE: covered(found, difference)}
            if difference == 0:
                counts[POSITIVES] = positives(found)
            for bar, count in counts.items():
                lowest, highest = ONE_DEGREE[bar] if (runs, others) == ((2, 0), 0) else bar
                if not lowest <= count / STUDIES <= highest:
                    outside[design] = count / STUDIES
    assert not outside
