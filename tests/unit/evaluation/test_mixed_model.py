"""A random intercept beside R's, statsmodels' and least squares, and how often its intervals have the true slope."""

import numpy as np
import pytest
from scipy import stats
from xstilts.evaluation import mixed_model


def test_rails_in_r():
    """Pinheiro and Bates 2000, section 1.1.1: ``lme(travel ~ 1, Rail, random = ~ 1 | Rail)``."""
    rails = [[55, 53, 54], [26, 37, 32], [78, 91, 85], [92, 100, 96], [49, 51, 50], [80, 85, 83]]
    found = mixed_model.fit(np.ravel(rails).astype(float), np.ones((18, 1)), np.repeat(range(6), 3))
    assert found.coefficients[0] == pytest.approx(66.5)
    assert found.covariance[0, 0] ** 0.5 == pytest.approx(10.17104, abs=1e-4)
    assert found.group_variance**0.5 == pytest.approx(24.80547, abs=1e-4)
    assert found.residual_variance**0.5 == pytest.approx(4.020779, abs=1e-5)


def simulated(rng, groups=8, targets=3, slope=2.0, group_sd=2.0, sd=1.0, missing=0):
    """Return y, X with a column a target and one predictor, and groups; some rows are missing."""
    value, effect = rng.normal(size=groups), rng.normal(0, group_sd, groups)
    numbers, of_targets = np.divmod(rng.permutation(groups * targets)[missing:], targets)
    x = np.column_stack([np.eye(targets)[of_targets], value[numbers]])
    y = x @ [*range(targets), slope] + effect[numbers] + rng.normal(0, sd, len(numbers))
    return y, x, np.unique(numbers, return_inverse=True)[1]


@pytest.mark.parametrize("seed", [0, 1])
def test_statsmodels(seed):
    mixedlm = pytest.importorskip("statsmodels.api", reason="statsmodels is not installed").MixedLM
    y, x, groups = simulated(np.random.default_rng(seed), missing=5)
    found, theirs = mixed_model.fit(y, x, groups), mixedlm(y, x, groups).fit(reml=True)
    np.testing.assert_allclose(found.coefficients, theirs.fe_params, rtol=1e-4)
    # its standard errors are of another kind (from the curvature of the likelihood); these are R's, written out
    same_group = groups[:, None] == groups[None, :]
    variance = theirs.scale * np.eye(len(y)) + float(theirs.cov_re[0, 0]) * same_group
    np.testing.assert_allclose(found.covariance, np.linalg.inv(x.T @ np.linalg.inv(variance) @ x), rtol=1e-3)
    assert found.group_variance == pytest.approx(float(theirs.cov_re[0, 0]), rel=1e-2)
    assert found.residual_variance == pytest.approx(float(theirs.scale), rel=1e-3)


def test_same_rows_in_all_groups():
    """It is least squares on the means of the groups, with its degrees of freedom."""
    y, x, groups = simulated(np.random.default_rng(3))
    found = mixed_model.fit(y, x, groups)
    means = [np.bincount(groups, values) / 3 for values in (x[:, 3], y)]
    line = stats.linregress(*means)
    error, low, high, p = found.interval(3)
    assert found.degrees == 6
    assert (found.coefficients[3], error, p) == pytest.approx((line.slope, line.stderr, line.pvalue), rel=1e-6)
    assert (low, high) == pytest.approx(line.slope + line.stderr * np.array(stats.t.interval(0.95, 6)), rel=1e-6)


def test_one_row_a_group_and_groups_that_do_not_differ():
    """With nothing between groups it is least squares on the rows."""
    y, x, groups = simulated(np.random.default_rng(4), targets=1)
    found, line = mixed_model.fit(y, x, groups), stats.linregress(x[:, 1], y)
    assert found.group_variance == 0 and found.degrees == 6
    assert (found.coefficients[1], found.interval(1)[0]) == pytest.approx((line.slope, line.stderr))
    # the rows of a group differ more than chance lets them where groups are alike
    found = mixed_model.fit(np.tile([0.0, 1.0], 4), np.ones((8, 1)), np.repeat(range(4), 2))
    assert found.group_variance == 0 and found.residual_variance == pytest.approx(2 / 7)


def test_degrees_between_groups():
    groups = np.array([0, 0, 1, 1, 2, 2])
    within, between = np.tile([0.0, 1.0], 3), np.repeat([0.0, 1.0, 3.0], 2)
    assert mixed_model.degrees_between(np.column_stack([np.ones(6), within, between]), groups) == 1
    # without a target in common the means of the targets are between groups too
    apart = np.eye(2)[[0, 0, 0, 0, 1, 1]]
    assert mixed_model.degrees_between(np.column_stack([apart, between]), groups) == 0


def test_columns_that_cannot_be_told_apart():
    with pytest.raises(ValueError, match="2 columns of 4 rows"):
        mixed_model.fit(np.arange(4.0), np.ones((4, 2)), np.arange(4))


@pytest.mark.parametrize(
    ("groups", "group_sd", "missing", "most"), [(6, 0.0, 0, 1.0), (6, 1.0, 4, 0.99), (14, 2.0, 10, 0.99)]
)
def test_intervals_have_the_planted_slope(groups, group_sd, missing, most):
    """In 95 % of the draws, of which a standard error is 1.4 %; in more where groups do not differ."""
    rng, draws = np.random.default_rng(5), 250
    hits = 0
    for _ in range(draws):
        _, low, high, _ = mixed_model.fit(*simulated(rng, groups, group_sd=group_sd, missing=missing)).interval(3)
        hits += low <= 2.0 <= high
    assert 0.92 <= hits / draws <= most
