"""Verdicts on claims, from rows of estimates made by hand."""

import math

import pytest
from scipy import stats
from xstilts.evaluation.claims import CONTRADICTED, NOT_TESTABLE, SUPPORTED, UNDECIDED, judge
from xstilts.evaluation.table import records

from tests.builders.estimates import ONE_RUN, estimates

# three runs an arm, between which the variance is
RUNS = 3


def row(estimate, error=0.3, expected="higher", **more):
    p = math.erfc(abs(estimate) / error / math.sqrt(2))
    return {
        "name": "claim x", "primary": False, "estimate": float(estimate), "standard_error": error, "degrees": 1e6,
        "run_variance": RUNS * error**2, "run_degrees": 1e6, "example_part": 0.0, "p": p, "expected": expected, **more,
    }  # fmt: skip


def runs_needed(difference, error, level, example=0.0):
    """Return the runs that find a difference, by the power of z tests, of which one tail counts."""
    ratio = stats.norm.isf(level / 2) + stats.norm.ppf(0.8)
    return math.ceil(RUNS * error**2 / ((difference / ratio) ** 2 - example**2))


def judged(*rows, complete=True, smallest=1.0):
    return judge(records(estimates(*rows)), complete, smallest)


@pytest.mark.parametrize(
    ("expected", "estimate", "verdict"),
    [
        ("higher", 2, SUPPORTED),
        ("higher", -2, CONTRADICTED),
        ("higher", 0.4, UNDECIDED),
        ("lower", -2, SUPPORTED),
        ("lower", 2, CONTRADICTED),
        ("not higher", 2, CONTRADICTED),
        ("not higher", -2, SUPPORTED),
        # equivalent within a point
        ("not higher", 0.1, SUPPORTED),
        ("higher", 0.1, UNDECIDED),
    ],
)
def test_one_comparison(expected, estimate, verdict):
    assert judged(row(estimate, expected=expected)).verdict == verdict


def test_neither_shown_nor_equivalent_is_undecided():
    found = judged(row(0.8, error=1.0, expected="not higher"))
    # the smallest difference that matters is larger than the one found
    assert (found.verdict, found.runs_needed) == (UNDECIDED, runs_needed(1.0, 1.0, 0.05))


def test_all_comparisons_have_to_come_out_as_claimed():
    assert judged(row(2), row(3)).verdict == SUPPORTED
    found = judged(row(2), row(0.4), row(0.4, error=0.6, example_part=0.5))
    assert (found.verdict, found.supporting, found.against, found.comparisons) == (UNDECIDED, 1, 0, 3)
    assert math.isinf(found.runs_needed)


def test_runs_that_would_decide_are_at_the_level_that_the_verdict_is_at():
    """The row of each comparison says higher, at 5 %, and needs nothing; together both are undecided."""
    one = row(3.0, error=3.0 / stats.norm.isf(0.03 / 2), verdict="higher")
    assert one["p"] == pytest.approx(0.03)
    found = judged(one, one)
    assert (found.verdict, found.supporting) == (UNDECIDED, 0)
    assert found.runs_needed == runs_needed(3.0, one["standard_error"], 0.05 / 2)
    assert judged(one).verdict == SUPPORTED and math.isnan(judged(one).runs_needed)
    # with a part of examples it takes more
    with_examples = judged(one, {**one, "example_part": 0.6})
    assert with_examples.runs_needed == runs_needed(3.0, one["standard_error"], 0.05 / 2, example=0.6)


def test_worlds_that_would_decide():
    """Worlds are to their mean what runs are to an arm; they have no part of examples."""
    one = row(0.8, error=1.0, example_part=math.nan, interval="worlds")
    assert judged(one).runs_needed == runs_needed(1.0, 1.0, 0.05)


def test_the_smallest_difference_that_matters_is_one_of_points():
    assert judged(row(0.1, expected="not higher")).verdict == SUPPORTED
    assert judged(row(0.1, expected="not higher", scale="nats")).verdict == UNDECIDED


def test_one_comparison_the_other_way_contradicts():
    found = judged(row(2), row(-2), row(0.4))
    assert (found.verdict, found.supporting, found.against) == (CONTRADICTED, 1, 1)


def test_p_values_are_corrected_for_the_number_of_comparisons():
    """A p of 0.03 is significant alone and not among three."""
    almost = row(0.65)
    assert 0.025 < almost["p"] < 0.05
    assert judged(almost).verdict == SUPPORTED
    assert judged(almost, row(0.1), row(0.2)).supporting == 0


def test_comparisons_that_are_lacking():
    assert judged(row(2), complete=False).verdict == NOT_TESTABLE
    assert judged(row(-2), complete=False).verdict == CONTRADICTED
    assert judged().verdict == NOT_TESTABLE


def test_one_run_an_arm():
    found = judged(row(2), row(2, **{**ONE_RUN, "standard_error": math.nan, "degrees": math.nan}))
    assert (found.verdict, found.more_runs) == (NOT_TESTABLE, True)
