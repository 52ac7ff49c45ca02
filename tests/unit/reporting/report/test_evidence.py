"""What is behind a row of an analysis, by hand."""

import re
from dataclasses import replace

import pandas as pd
import pytest
from xstilts.reporting.report.evidence import Evidence

from tests.builders.compared import study

ARM = {"model": "s", "recipe": "r"}
SWEPT = {"target": "tatoeba", "layer": 2, "score": 60.0}
GAIN = {"target": "xnli", "language": "de", "score": 60.0, "baseline": 50.0, "gain": 10.0}
SLOPE = {"predictor": "fertility", "slope": -1.0}


@pytest.fixture(scope="module")
def plan(tmp_path_factory):
    return study(tmp_path_factory.mktemp("study"), {("s", "none"): [50], ("s", "mnli"): [60]}).plan()


def behind(plan, **row):
    """Return the numbers of the arms that a row leads to."""
    evidence = Evidence(plan, pd.DataFrame(), pd.DataFrame())
    return [int(number) for number in re.findall('href="#arm-([0-9]+)"', evidence.of_analysis(row))]


def test_a_layer_is_a_score_of_its_arm_alone(plan):
    assert behind(plan, **ARM, mixture="mnli", **SWEPT) == [2]
    assert behind(plan, **ARM, mixture="none", **SWEPT) == [1]


def test_a_layer_of_a_study_without_none(plan):
    cells = tuple(cell for cell in plan.cells if cell.mixture != "none")
    assert behind(replace(plan, cells=cells), **ARM, mixture="mnli", **SWEPT) == [1]


def test_gains_and_their_slopes_are_of_two_arms(plan):
    assert behind(plan, **ARM, mixture="mnli", **GAIN) == [2, 1]
    assert behind(plan, **ARM, mixture="mnli", **SLOPE) == [2, 1]


def test_without_a_row_of_estimates_an_arm_stands_alone(plan):
    assert behind(plan, **ARM, mixture="mnli", row=float("nan"), score=60.0) == [2]


def test_what_is_of_no_arm(plan):
    assert behind(plan, model="s", language="de", fertility=1.5) == []
