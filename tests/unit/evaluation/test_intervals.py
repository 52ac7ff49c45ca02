"""Differences of arms: by hand, beside analysis of variance and MixedLM, and the verdicts that they carry."""

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from xstilts.evaluation import intervals
from xstilts.evaluation.intervals import (
    EQUIVALENT,
    EXAMPLES_ONLY,
    HIGHER,
    LOWER,
    RUNS_AND_EXAMPLES,
    UNDECIDED,
    Estimate,
    RunVariance,
    WeightedArm,
    estimate,
    run_variance,
)

POOL = {"pool": RunVariance(4.0, 8, 4)}


def arm(coefficient, *runs, draws=None, pool="pool", deterministic=False):
    """Return an arm; without draws its outcomes do not vary with the examples."""
    outcomes = np.array(runs, dtype=float)
    drawn = np.tile(outcomes, (4, 1)) if draws is None else np.array(draws, dtype=float)
    return WeightedArm(coefficient, outcomes, drawn, pool, deterministic)


def scored(coefficient, scores, pool="pool", deterministic=False):
    """Return an arm by the scores of its examples, of shape (runs, examples), with outcomes that are their means.

    Draws have the covariances that infinitely many bootstrap draws have: n draws, each the mean plus an example's
    deviation over the root of n.
    """
    means = scores.mean(axis=1)
    draws = means + (scores.T - means) / math.sqrt(scores.shape[1])
    return WeightedArm(coefficient, means, draws, pool, deterministic)


def found(value, standard_error, degrees=20.0):
    """Return an estimate as far as tests of it go."""
    p = 2 * stats.t.sf(abs(value) / standard_error, degrees)
    return Estimate(value, 0, 0, RUNS_AND_EXAMPLES, standard_error, degrees, p=p)


def test_variance_between_runs_is_pooled():
    pooled = run_variance([np.array([1.0, 3.0]), np.array([10.0, 11.0, 12.0]), np.array([5.0])])
    assert pooled == RunVariance(pytest.approx((2 + 2) / 3), 3, 3)
    assert run_variance([np.array([1.0]), np.array([2.0])]) is None


def test_runs_alone_are_students_test():
    """Without variance between examples: the t test with pooled variance."""
    first, second = [61.0, 63.0, 62.5], [60.0, 59.0, 61.0, 60.4]
    arms = [arm(1, *first), arm(-1, *second)]
    theirs = stats.ttest_ind(first, second)
    ours = estimate(arms, {"pool": run_variance([one.runs for one in arms])}, 1000)
    interval = theirs.confidence_interval()
    assert (ours.low, ours.high, ours.p) == pytest.approx((interval.low, interval.high, theirs.pvalue))
    assert (ours.degrees, ours.interval, ours.example_part) == (pytest.approx(5), RUNS_AND_EXAMPLES, 0)
    assert ours.run_part == pytest.approx(ours.standard_error)


def test_pools_apart_are_welchs_test():
    first, second = [61.0, 65.0, 62.5, 58.0, 60.0, 63.0], [60.0, 59.0, 61.0, 60.4, 60.1]
    arms = [arm(1, *first), arm(-1, *second, pool="other")]
    theirs = stats.ttest_ind(first, second, equal_var=False)
    ours = estimate(arms, {one.pool: run_variance([one.runs]) for one in arms}, 1000)
    assert (ours.p, ours.degrees) == pytest.approx((theirs.pvalue, theirs.df))
    assert ours.run_sd == pytest.approx(math.sqrt((np.var(first, ddof=1) + np.var(second, ddof=1)) / 2))


def test_variance_of_the_pool_counts_whatever_arms_are_compared():
    ours = estimate([arm(1, 62, 62, 62, 62), arm(-1, 60, 60)], POOL, 1000)
    assert ours.run_part == pytest.approx(math.sqrt(4 / 4 + 4 / 2))
    assert (ours.run_sd, ours.degrees, ours.value) == (pytest.approx(2), pytest.approx(8), 2)


def test_arm_of_one_run_borrows_the_variances_of_its_pool():
    """That between runs from the whole pool, that of run x example from arms of the comparison."""
    scores = crossed(3, 50)
    arms = [scored(1, scores[0]), scored(-1, scores[1, :1])]
    ours = estimate(arms, POOL, 50)
    of_examples = np.var(scores[0].mean(0) - scores[1, 0], ddof=1) / 50
    run_by_example = mean_squares(scores[:1])[2] / 50
    assert ours.run_part == pytest.approx(math.sqrt(4 / 3 + 4))
    assert ours.example_part == pytest.approx(math.sqrt(of_examples - run_by_example * (1 / 3 + 1)))


def test_one_run_gives_a_range_over_examples_and_no_verdict():
    rng = np.random.default_rng(0)
    draws = rng.normal(60, 1, (1000, 2))
    first, second = arm(1, 63, draws=draws[:, :1] + 3), arm(-1, 60, draws=draws[:, 1:])
    ours = estimate([first, second], {}, 500)
    low, high = np.quantile(3 + draws[:, 0] - draws[:, 1], [0.025, 0.975])
    assert (ours.value, ours.low, ours.high) == pytest.approx((3, low, high))
    assert ours.interval == EXAMPLES_ONLY
    missing = (ours.standard_error, ours.degrees, ours.run_part, ours.example_part, ours.run_sd, ours.p)
    assert set(missing) == {None} and ours.components is None
    assert intervals.verdict(ours, 1) == ""
    with pytest.raises(ValueError, match="one run"):
        intervals.equivalence_p(ours, 1)


def test_one_arm_without_variance_of_runs_is_enough_for_no_verdict():
    ours = estimate([arm(1, 62, 63), arm(-1, 60, pool="other")], POOL, 500)
    assert (ours.interval, ours.p) == (EXAMPLES_ONLY, None)


def test_deterministic_baseline_has_no_variance_between_runs():
    ours = estimate([arm(1, 62, 63, 64, 61), arm(-1, 60, pool="none", deterministic=True)], POOL, 500)
    assert ours.standard_error == ours.run_part == pytest.approx(math.sqrt(4 / 4))
    assert (ours.run_sd, ours.degrees) == (2, pytest.approx(8))


def test_deterministic_arms_are_tested_over_examples_alone():
    scores = np.random.default_rng(0).normal(60, 10, (2, 200))
    ours = estimate([scored(1, scores[:1], deterministic=True), scored(-1, scores[1:], deterministic=True)], {}, 200)
    theirs = stats.ttest_rel(scores[0], scores[1])
    assert (ours.p, ours.degrees) == pytest.approx((theirs.pvalue, theirs.df))
    assert (ours.run_part, ours.run_sd) == (0, 0)


def test_equal_arms_have_no_difference():
    """Sums in another order differ by a rounding error, which must not become a verdict."""
    draws = np.random.default_rng(0).normal(60, 1, (100, 1))
    same = [arm(c, 60.1, draws=draws, deterministic=True) for c in (1, -1 / 3, -1 / 3, -1 / 3)]
    ours = estimate(same, {}, 100)
    assert (ours.value, ours.low, ours.high, ours.p) == (0, 0, 0, None)
    assert intervals.verdict(ours, 1) == ""


def test_without_variance_there_is_no_verdict():
    """Runs and examples that are all alike say nothing of others."""
    for runs, deterministic in (((62,), True), ((62, 62, 62), False)):
        arms = [arm(1, *runs, deterministic=deterministic), arm(-1, 60, 60, 60)]
        ours = estimate(arms, {"pool": RunVariance(0.0, 4, 2)}, 100)
        assert (ours.interval, ours.low, ours.high, ours.p) == (EXAMPLES_ONLY, 2, 2, None)
        assert ours.run_sd == 0 and intervals.verdict(ours, 1) == ""


def test_collapsed_arm_has_no_verdict_though_others_vary():
    draws = np.random.default_rng(0).normal(60, 1, (100, 3))
    collapsed = replace(arm(1, 20, 20, 20, draws=np.full((100, 3), 20.0)), collapsed=True)
    ours = estimate([collapsed, arm(-1, 60, 61, 62, draws=draws)], POOL, 100)
    assert (ours.interval, ours.p) == (EXAMPLES_ONLY, None) and ours.run_sd is not None


def test_mean_of_single_tasks():
    """The mean of m arms of k runs has the variance of one arm of m x k runs."""
    singles = [arm(-1 / 3, 60, 60), arm(-1 / 3, 61, 61), arm(-1 / 3, 62, 62)]
    ours = estimate([arm(1, 63, 63, 63), *singles], POOL, 1000)
    assert (ours.value, ours.run_part) == (pytest.approx(2), pytest.approx(math.sqrt(4 / 3 + 4 / 6)))
    assert ours.components.run == pytest.approx(4 + 4 / 3)


def test_best_single_task_is_chosen_anew_in_every_run():
    """Its runs are those of other tasks, so that choosing is in its variance, which is its pool's alone."""
    scores = np.random.default_rng(0).normal(60, 10, (3, 2, 400)) + np.array([0, 5, 1]).reshape(3, 1, 1)
    candidates, chosen = [scored(-1, one) for one in scores], (1, 2)
    runs = [candidates[task].runs[run] for run, task in enumerate(chosen)]
    draws = np.column_stack([candidates[task].draws[:, run] for run, task in enumerate(chosen)])
    best = WeightedArm(-1, np.array(runs), draws, "best single")
    ours = estimate(
        [arm(1, 66, 66, draws=np.full((400, 2), 66)), best], POOL | {"best single": run_variance([runs])}, 400
    )
    assert ours.value == pytest.approx(66 - np.mean(runs))
    assert ours.run_part == pytest.approx(math.sqrt(4 / 2 + np.var(runs, ddof=1) / 2))


def test_interaction_is_a_difference_of_four_arms():
    arms = [arm(1, 70, 70), arm(-1, 66, 66), arm(-1, 60, 60, pool="small"), arm(1, 59, 59, pool="small")]
    ours = estimate(arms, POOL | {"small": RunVariance(1.0, 4, 2)}, 1000)
    assert ours.value == 3
    assert ours.run_part == pytest.approx(math.sqrt(4 + 1))
    assert ours.degrees == pytest.approx(25 / (16 / 8 + 1 / 4))


def test_few_degrees_between_runs_weigh_by_their_share():
    """Two runs an arm: not 1 / (share^2 / degrees + ...), which is less than their share asks for."""
    assert intervals.degrees_of_freedom(1.0, 2, 1.0, 1001) == pytest.approx(2 / (1 / 2 + 1 / 1000))
    assert intervals.degrees_of_freedom(1.0, 4, 1.0, 1001) == pytest.approx(4 / (1 / 4 + 1 / 1000))
    assert intervals.degrees_of_freedom(0.0, math.inf, 1.0, 1001) == pytest.approx(1000)


def test_log_odds_by_the_delta_method():
    arms = [arm(1, 79, 81, draws=[[79, 81], [80, 82], [78, 80]]), arm(-1, 50, 50, draws=[[50, 50]] * 3)]
    ours = estimate(arms, POOL, 1000, "log-odds")
    slopes = 100 / (80 * 20), 100 / (50 * 50)
    assert ours.value == pytest.approx(math.log(80 / 20))
    assert ours.run_part == pytest.approx(math.sqrt(4 / 2 * (slopes[0] ** 2 + slopes[1] ** 2)))
    assert ours.example_part == pytest.approx(slopes[0] * math.sqrt(2 / 3 * 1000 / 999))
    assert ours.run_sd == 2
    only = estimate(arms, {}, 1000, "log-odds")
    assert ours.value == only.value and only.high - only.low == pytest.approx(slopes[0] * 1.9)


def test_log_odds_agree_with_those_of_two_shares():
    """Of 400 examples that are right with chances 0.8 and 0.6: Woolf's variance, the sum of 1 / count."""
    right = np.array([[1] * 320 + [0] * 80]), np.array([[1, 0, 1, 0, 1] * 80])
    arms = [scored(sign, 100.0 * side, deterministic=True) for sign, side in zip((1, -1), right, strict=True)]
    ours = estimate(arms, {}, 400, "log-odds")
    woolf = math.sqrt(1 / 320 + 1 / 80 + 1 / 240 + 1 / 160)
    assert ours.standard_error == pytest.approx(woolf, rel=0.01)


@pytest.mark.parametrize("outcome", [0, 100])
def test_log_odds_of_all_or_nothing_are_refused(outcome):
    with pytest.raises(ValueError, match="above 0 and below 100"):
        estimate([arm(1, outcome), arm(-1, 50)], POOL, 100, "log-odds")


def test_one_cluster_is_refused():
    with pytest.raises(ValueError, match="one cluster"):
        estimate([arm(1, 60, 61), arm(-1, 50, 52)], POOL, 1)


def test_draws_without_an_outcome_do_not_count():
    scores = np.random.default_rng(0).normal(60, 10, (4, 50))
    arms = [scored(1, scores[:2]), scored(-1, scores[2:])]
    lacking = [WeightedArm(one.coefficient, one.runs, np.vstack([one.draws, [[np.nan] * 2]]), one.pool) for one in arms]
    assert estimate(lacking, POOL, 50) == estimate(arms, POOL, 50)


def crossed(runs, examples, seed=0):
    """Return scores of two arms, of shape (arms, runs, examples), in which all that is random matters."""
    rng = np.random.default_rng(seed)
    return (
        np.array([62, 60]).reshape(2, 1, 1)
        + rng.normal(0, 3, (1, 1, examples))
        + rng.normal(0, 3, (2, 1, examples))
        + rng.normal(0, 1.5, (2, runs, 1))
        + rng.normal(0, 2, (2, runs, examples))
    )


def mean_squares(scores):
    """Return mean squares of runs within arms, examples x arms, and the rest, of runs nested in arms."""
    arms, runs, examples = scores.shape
    of_runs, of_examples, of_arms = scores.mean(2), scores.mean(1), scores.mean((1, 2))
    of_all = scores.mean((0, 1))
    runs_squares = examples * np.sum((of_runs - of_arms[:, None]) ** 2)
    rest = scores - of_runs[:, :, None] - of_examples[:, None] + of_arms[:, None, None]
    by_arm = runs * np.sum((of_examples - of_arms[:, None] - of_all + scores.mean()) ** 2)
    return (
        runs_squares / (arms * (runs - 1)),
        by_arm / ((arms - 1) * (examples - 1)) if arms > 1 else math.nan,
        np.sum(rest**2) / (arms * (runs - 1) * (examples - 1)),
    )


def long_table(scores):
    index = pd.MultiIndex.from_product([range(size) for size in scores.shape], names=["arm", "run", "example"])
    table = pd.Series(scores.ravel(), index=index, name="score").reset_index()
    return table.assign(arm_run=table["arm"] * 100 + table["run"], arm_example=table["arm"] * 1000 + table["example"])


def mixed(table, formula, *random):
    """Return the fit of a model with crossed random effects, by restricted maximum likelihood."""
    mixedlm = pytest.importorskip("statsmodels.formula.api", reason="statsmodels is not installed").mixedlm
    effects = {name: f"0 + C({name})" for name in random}
    fitted = mixedlm(formula, table, groups=np.ones(len(table)), vc_formula=effects, re_formula="0").fit()
    assert fitted.converged
    return fitted


def test_one_arm_is_a_two_way_analysis_of_variance():
    """Runs x examples: var(mean) = (MS_runs + MS_examples - MS_rest) / (runs x examples) (Searle 1971, chapter 11)."""
    scores = crossed(4, 30)[:1]
    of_runs, _, rest = mean_squares(scores)
    of_examples = 4 * np.var(scores[0].mean(0), ddof=1)
    expected = math.sqrt((of_runs + of_examples - rest) / (4 * 30))
    one = scored(1, scores[0])
    ours = estimate([one], {"pool": run_variance([one.runs])}, 30)
    assert ours.standard_error == pytest.approx(expected)
    theirs = mixed(long_table(scores), "score ~ 1", "run", "example")
    assert ours.value == pytest.approx(theirs.params["Intercept"])
    assert ours.standard_error == pytest.approx(theirs.bse["Intercept"], rel=1e-3)


def test_two_arms_are_an_analysis_of_variance_of_runs_nested_in_arms():
    """Var(difference) = 2 (MS_runs + MS_arms x examples - MS_rest) / (runs x examples)."""
    scores = crossed(3, 25, seed=1)
    of_runs, by_arm, rest = mean_squares(scores)
    expected = math.sqrt(2 * (of_runs + by_arm - rest) / (3 * 25))
    arms = [scored(1, scores[0]), scored(-1, scores[1])]
    ours = estimate(arms, {"pool": run_variance([one.runs for one in arms])}, 25)
    assert ours.standard_error == pytest.approx(expected)
    theirs = mixed(long_table(scores), "score ~ C(arm)", "arm_run", "example", "arm_example")
    assert ours.value == pytest.approx(-theirs.params["C(arm)[T.1]"])
    assert ours.standard_error == pytest.approx(theirs.bse["C(arm)[T.1]"], rel=1e-3)


def test_the_bootstrap_gives_the_same_but_for_its_noise():
    scores = crossed(3, 200, seed=2)
    exact = [scored(1, scores[0]), scored(-1, scores[1])]
    counts = np.random.default_rng(0).multinomial(200, np.full(200, 1 / 200), size=4000) / 200
    drawn = [
        WeightedArm(one.coefficient, one.runs, counts @ side.T, "pool") for one, side in zip(exact, scores, strict=True)
    ]
    assert estimate(drawn, POOL, 200).example_part == pytest.approx(estimate(exact, POOL, 200).example_part, rel=0.05)


def test_holm_by_hand():
    assert intervals.holm([0.04, 0.01, 0.03]) == pytest.approx([0.06, 0.03, 0.06])
    assert intervals.holm([0.9, 0.6]) == [1, 1]
    assert intervals.holm([]) == []


def test_holm_and_statsmodels():
    multitest = pytest.importorskip("statsmodels.stats.multitest", reason="statsmodels is not installed")
    p_values = np.random.default_rng(0).uniform(0, 0.1, 5)
    assert intervals.holm(p_values) == pytest.approx(multitest.multipletests(p_values, method="holm")[1])


def test_equivalence_by_hand():
    """Value 0.4, standard error 0.3, 20 degrees, within 1: t = (0.4 - 1) / 0.3 = -2 and (0.4 + 1) / 0.3 = 4.67."""
    expected = max(stats.t.cdf(-2, 20), stats.t.sf(1.4 / 0.3, 20))
    for value in (0.4, -0.4):
        assert intervals.equivalence_p(found(value, 0.3), 1) == pytest.approx(expected)


def test_equivalence_is_a_90_percent_interval_within_the_smallest():
    for value in np.linspace(-1, 1, 21):
        half = stats.t.ppf(0.95, 20) * 0.3
        assert (intervals.equivalence_p(found(value, 0.3), 1) < 0.05) == (value - half > -1 and value + half < 1)


@pytest.mark.parametrize(
    ("value", "standard_error", "expected"),
    [(2.0, 0.5, HIGHER), (-2.0, 0.5, LOWER), (0.1, 0.3, EQUIVALENT), (0.5, 1.0, UNDECIDED), (0.3, 0.05, HIGHER)],
)
def test_verdicts(value, standard_error, expected):
    assert intervals.verdict(found(value, standard_error), 1) == expected


def test_verdicts_of_primary_comparisons_hold_after_holm():
    """Each alone is higher or equivalent; of three the p count thrice, of the two that are left twice."""
    sure, weak, small = found(3.0, 0.5), found(1.15, 0.5), found(0.4, 0.3)
    assert [intervals.verdict(one, 1) for one in (weak, small)] == [HIGHER, EQUIVALENT]
    verdicts = intervals.primary_verdicts([sure, weak, small], [1, 1, 1])
    assert [one for _, one in verdicts] == [HIGHER, UNDECIDED, UNDECIDED]
    assert verdicts[1][0] == pytest.approx(2 * weak.p)
    none = Estimate(1, 0, 2, EXAMPLES_ONLY)
    assert intervals.primary_verdicts([none, weak], [1, 1]) == [(None, ""), (weak.p, HIGHER)]
