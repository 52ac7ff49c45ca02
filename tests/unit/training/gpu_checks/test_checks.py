"""Verdicts, and rows on disk."""

import math

import pytest
from xstilts.training.gpu_checks import checks
from xstilts.training.gpu_checks.checks import (
    DIFFERS,
    EQUAL,
    MET,
    MISSED,
    NOT_JUDGED,
    Check,
    equality,
    largest_difference,
)  # fmt: skip

from tests.builders.gpu_checks import machine


@pytest.mark.parametrize(
    ("difference", "verdict"),
    [(0.0, EQUAL), (1e-4, EQUAL), (1.1e-4, DIFFERS), (math.nan, DIFFERS), (math.inf, DIFFERS)],
)
def test_what_has_to_be_equal_may_differ_by_a_limit(difference, verdict):
    assert equality("losses", difference, 1e-4).verdict == verdict


def test_a_loss_that_is_no_number_is_the_largest_difference():
    assert largest_difference([1.0, 2.0], [1.5, 2.25]) == 0.5
    assert math.isnan(largest_difference([1.0, 2.0], [1.0, math.nan]))


@pytest.mark.parametrize(
    ("is_dry_run", "is_met", "verdict"), [(False, True, MET), (False, False, MISSED), (True, True, NOT_JUDGED)]
)
def test_a_dry_run_judges_no_bar(tmp_path, is_dry_run, is_met, verdict):
    assert machine(tmp_path, is_dry_run).judge(is_met) == verdict


def test_rows_are_read_as_they_were_written(tmp_path):
    rows = [equality("losses", 0.5, 1e-4), Check("rate", "1 TFLOP/s", "", "reported", {"bfloat16": 1.0})]
    assert checks.read(tmp_path / "rows") == []
    for row in rows:
        checks.write(row, tmp_path / "rows")
    assert checks.read(tmp_path / "rows") == rows
