"""Verdicts on claims, from rows of estimates made by hand."""

import math

import pytest
from xstilts.evaluation.claims import CONTRADICTED, NOT_TESTABLE, SUPPORTED, UNDECIDED, judge
from xstilts.evaluation.table import records

from tests.builders.estimates import ONE_RUN, estimates


def row(estimate, error=0.3, expected="higher", runs_needed=math.nan, **more):
    p = math.erfc(abs(estimate) / error / math.sqrt(2))
    return {
        "name": "claim x", "primary": False, "estimate": float(estimate), "standard_error": error, "degrees": 1e6,
        "p": p, "expected": expected, "runs_needed": runs_needed, **more,
    }  # fmt: skip


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
    found = judged(row(0.8, error=1.0, expected="not higher", runs_needed=12.3))
    assert (found.verdict, found.runs_needed) == (UNDECIDED, 12.3)


def test_all_comparisons_have_to_come_out_as_claimed():
    assert judged(row(2), row(3)).verdict == SUPPORTED
    found = judged(row(2), row(0.4, runs_needed=20.0), row(0.4, runs_needed=math.inf))
    assert (found.verdict, found.supporting, found.against, found.comparisons) == (UNDECIDED, 1, 0, 3)
    assert math.isinf(found.runs_needed)


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
