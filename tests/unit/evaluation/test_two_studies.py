"""What two studies have in common by name, and what their estimates say side by side."""

import dataclasses

import pytest
from xstilts.errors import UserError
from xstilts.evaluation import two_studies
from xstilts.evaluation.two_studies import agreement, common, verdicts
from xstilts.store.study_plan import Cell, PlannedTarget

from tests.builders.estimates import CONTRAST, LOWER, UNDECIDED, estimates
from tests.builders.study_plans import XNLI, study_plan

ONE, TWO, THREE = (Cell("s", "r", "full", mixture, 1, "xnli", "predictions/x") for mixture in ("none", "mnli", "nine"))
GAIN = {**CONTRAST, "name": "multi", "a": "nine", "b": "none", "target": "xnli"}


def test_what_is_in_both_and_what_one_has_alone():
    pawsx = PlannedTarget("pawsx", "classification", "accuracy", "en", "tiny")
    found = common(study_plan(cells=(ONE, TWO)), study_plan(cells=(THREE, ONE), targets={"pawsx": pawsx, "xnli": XNLI}))
    assert found.arms == (("s", "r", "none"),) and found.targets == ("xnli",)
    assert found.arms_alone == ((("s", "r", "mnli"),), (("s", "r", "nine"),))
    assert found.targets_alone == ((), ("pawsx",))


def test_nothing_in_common():
    with pytest.raises(UserError, match="A has the arms s.r.none; B has the arms s.r.nine: no arm in common"):
        common(study_plan(cells=(ONE,)), study_plan(cells=(THREE,)))
    other = study_plan(cells=(ONE,), targets={"xquad": XNLI})
    with pytest.raises(UserError, match="targets xnli; B has xquad: none in common"):
        common(study_plan(cells=(ONE,)), other)


def test_another_metric():
    other = study_plan(cells=(ONE,), targets={"xnli": dataclasses.replace(XNLI, metric="f1")})
    with pytest.raises(UserError, match="xnli: its metric is accuracy in A and f1 in B"):
        common(study_plan(cells=(ONE,)), other)


def test_verdicts_side_by_side():
    first = estimates(GAIN, {**GAIN, "target": "xquad", **UNDECIDED}, {**GAIN, "target": "tydiqa"})
    second = estimates({**GAIN, "target": "mlqa"}, {**GAIN, **LOWER, "targets": 2}, {**GAIN, "target": "xquad"})
    frame = verdicts(first, second).set_index("target")
    assert two_studies.TABLE.problem(frame.reset_index()) is None
    assert frame.index.tolist() == ["xnli", "xquad", "tydiqa", "mlqa"]
    assert frame["studies"].tolist() == ["both", "both", "A", "B"]
    assert frame["agreement"].tolist() == ["opposite", "different", "", ""]
    assert frame.loc["xnli", ["row_in_a", "row_in_b", "targets_in_b"]].tolist() == [1, 2, 2]
    assert frame.loc["xnli", ["estimate_in_a", "estimate_in_b"]].tolist() == [1.2, -2.0]


def test_gains_that_nothing_asks_for_single_worlds_and_other_runs_are_left_out():
    gain, world, used = (
        {**GAIN, "name": "gain over none"},
        {**GAIN, "world": 4},
        {**GAIN, "runs_used": "without collapsed"},
    )
    frame = verdicts(estimates(GAIN, gain, world, used), estimates(used, gain, world, GAIN))
    assert frame["row_in_a"].tolist() == [1] and frame["row_in_b"].tolist() == [4]


@pytest.mark.parametrize(
    ("first", "second", "said"),
    [
        ("higher", "lower", "opposite"),
        ("lower", "lower", "alike"),
        ("higher", "equivalent", "different"),
        ("", "higher", ""),
    ],
)
def test_agreement(first, second, said):
    assert agreement(first, second) == agreement(second, first) == said
