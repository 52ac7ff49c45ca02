"""Power beside R's, statsmodels' and a simulation; runs that a difference takes, by hand."""

import math

import numpy as np
import pytest
from scipy import stats
from xstilts.evaluation import power
from xstilts.evaluation.intervals import (
    Components,
    Estimate,
    RunVariance,
    WeightedArm,
    components,
    estimate,
    run_variance,
)


def test_power_of_r():
    """R: power.t.test(n = 20, delta = 1, sd = 1, strict = TRUE) is 0.8689530; without strict 0.8689528."""
    assert power.power(1, math.sqrt(2 / 20), 38) == pytest.approx(0.868953, abs=1e-6)
    assert power.power(-1, math.sqrt(2 / 20), 38) == power.power(1, math.sqrt(2 / 20), 38)


def test_detectable_of_r():
    """R: power.t.test(power = .90, delta = 1) gives n = 22.02110, of two groups, sd 1."""
    n = 22.02110
    assert power.detectable(math.sqrt(2 / n), 2 * (n - 1), power=0.9) == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("runs", [2, 3, 5, 10])
@pytest.mark.parametrize("difference", [0.0, 0.5, 2.0, 4.0])
def test_power_and_statsmodels(runs, difference):
    theirs = pytest.importorskip("statsmodels.stats.power", reason="statsmodels is not installed").TTestIndPower()
    expected = theirs.power(difference, runs, 0.05)
    assert power.power(difference, math.sqrt(2 / runs), 2 * runs - 2) == pytest.approx(expected, abs=1e-6)


def test_power_and_simulation():
    """Two arms of three runs, sd 1, that differ by 2: the share of t tests below 5 %."""
    rng = np.random.default_rng(0)
    first, second = rng.normal(2, 1, (40_000, 3)), rng.normal(0, 1, (40_000, 3))
    found = (stats.ttest_ind(first, second, axis=1).pvalue < 0.05).mean()
    assert power.power(2, math.sqrt(2 / 3), 4) == pytest.approx(found, abs=4 * math.sqrt(0.25 / 40_000))


@pytest.mark.parametrize("degrees", [1, 2.5, 8, 100, 1e6, math.inf])
def test_detectable_is_found_in_four_of_five_studies(degrees):
    difference = power.detectable(0.7, degrees)
    assert power.power(difference, 0.7, degrees) == pytest.approx(0.8)
    assert power.power(0, 0.7, degrees) == pytest.approx(0.05)
    assert power.power(1000, 0.7, degrees) == pytest.approx(1)


def test_without_degrees_to_lose_it_is_2_8_standard_errors():
    assert power.detectable(1, math.inf) == pytest.approx(stats.norm.ppf(0.975) + stats.norm.ppf(0.8), abs=1e-4)


def test_no_standard_error_finds_any_difference():
    assert (power.power(0.1, 0, math.inf), power.power(0, 0, math.inf), power.detectable(0, math.inf)) == (1, 0, 0)


def test_standard_error_with_other_runs():
    """Runs add 8 / k and have 4 (k - 1) degrees; examples add 2, with 100."""
    of_study = Components(run=8, arms=4, example=2, clusters=101)
    standard_error, degrees = power.with_runs(of_study, 4)
    assert standard_error == 2
    assert degrees == pytest.approx(16 / (2**2 / 12 + 2**2 / 100))


def test_components_give_back_the_estimate():
    rng = np.random.default_rng(0)
    sides = [rng.normal(60, 2, 3) for _ in range(4)]
    shared = rng.normal(0, 1, (500, 1))
    arms = [WeightedArm(c, runs, runs + c * shared, f"pool {c}") for c, runs in zip((1, -1), sides[:2], strict=True)]
    pools = {"pool 1": run_variance([sides[0], sides[2]]), "pool -1": run_variance([sides[1], sides[3]])}
    found = estimate(arms, pools, 200)
    assert power.with_runs(found.components, 3) == pytest.approx((found.standard_error, found.degrees))


def test_components_of_pools():
    """One arm of coefficient 1 beside three of -1/3: variance 4 and 9 / 3, known from 1 arm and 3."""
    pools = {"multi": RunVariance(4.0, 2, 1), "single": RunVariance(9.0, 6, 3)}
    found = components({"multi": 1.0, "single": 3 * (1 / 3) ** 2}, pools, 0.5, 100)
    assert (found.run, found.arms) == pytest.approx((4 + 3, 49 / (16 + 9 / 3)))


def test_runs_needed_by_hand():
    """Runs alone: two arms, sd 1; detectable with k runs is sqrt(2 / k) times the noncentral t's."""
    of_study = Components(run=2, arms=2, example=0, clusters=1000)
    needed = power.runs_needed(of_study, 1.0)
    assert needed == 17, "R: power.t.test(delta = 1, power = .8) gives n = 16.71"
    assert power.runs_needed(of_study, -1.0) == needed
    assert power.power(1, math.sqrt(2 / 16), 30) < 0.8 <= power.power(1, math.sqrt(2 / 17), 32)
    assert power.runs_needed(of_study, 100.0) == 2


def test_runs_needed_is_the_fewest():
    of_study = Components(run=3, arms=4, example=0.05, clusters=300)
    needed = power.runs_needed(of_study, 1.0)
    shares = [power.power(1.0, *power.with_runs(of_study, runs)) for runs in range(2, 60)]
    assert needed == 2 + next(index for index, share in enumerate(shares) if share >= 0.8)


def test_small_test_sets_cannot_be_mended_by_runs():
    assert power.runs_needed(Components(run=2, arms=2, example=1, clusters=1000), 2.7) == math.inf
    assert power.runs_needed(Components(run=2, arms=2, example=1, clusters=1000), 2.9) < 100
    assert power.runs_needed(Components(run=0, arms=math.inf, example=1, clusters=1000), 2.9) == 2


def test_runs_to_decide():
    """The larger of the difference and the smallest that matters is to be found."""
    of_study = Components(run=2, arms=2, example=0, clusters=1000)
    small, large = (Estimate(value, -9, 9, "runs and examples", components=of_study) for value in (0.1, -1.5))
    assert power.runs_to_decide(small, 1) == power.runs_needed(of_study, 1)
    assert power.runs_to_decide(large, 1) == power.runs_needed(of_study, 1.5)
    corrected = power.runs_to_decide(large, 1, level=0.01)
    assert corrected == power.runs_needed(of_study, 1.5, level=0.01) > power.runs_needed(of_study, 1.5)
    with pytest.raises(ValueError, match="one run"):
        power.runs_to_decide(Estimate(1, 0, 2, "examples only"), 1)
