"""Planted against found: the data that are drawn, by hand."""

import math
from dataclasses import replace

import pytest
from xstilts.data.sources import miniature
from xstilts.reporting.figures import drawing, planted_against_found

from tests.builders.estimates import estimates
from tests.builders.figure_analyses import planted_of
from tests.builders.figure_inputs import inputs_of, plan_of

# doses of 0, 50 and 100 percent
MIXTURES = ["none", "zero", "half", "all"]


def found(*rows, worlds=()):
    inputs = inputs_of(plan_of(["small"], MIXTURES, [1, 2], worlds))
    return planted_against_found.frame(
        replace(inputs, estimates=estimates(*({"world": math.nan, **row} for row in rows)))
    )


def rows_of(worlds=()):
    return planted_of(plan_of(["small"], MIXTURES, [1, 2], worlds))


def test_a_dose_is_the_share_of_right_answers():
    assert miniature.planted_dose("planted/qa-a-50.train.json") == 50
    assert miniature.planted_dose("planted/qa-b-0.train.json") == 0
    assert miniature.planted_dose("squad/train-v1.1.json") is None and miniature.planted_dose("mnli.jsonl") is None


def test_differences_by_what_was_planted():
    frame = found(*rows_of())
    assert frame[["a", "b", "planted"]].values.tolist() == [["half", "zero", 50], ["all", "zero", 100]]
    assert frame["estimate"].tolist() == pytest.approx([6, 11])
    (back,) = found({**rows_of()[1], "a": "zero", "b": "all"}).to_dict("records")
    assert back["planted"] == -100


def test_only_differences_between_doses_on_the_main_outcome_count():
    half, _ = rows_of()
    others = [
        {**half, "b": "none"}, {**half, "a": "oracle single"}, {**half, "outcome": "source language"},
        {**half, "target": "xnli", "targets": 1}, {**half, "targets": 1}, {**half, "kind": "interaction"},
        {**half, "runs_used": "without collapsed"},
    ]  # fmt: skip
    others = [{**other, "estimate": 9.0} for other in others]
    assert found(*others, half, {**half, "name": "claim planted", "estimate": 9.0}).equals(found(half))


def test_every_world_is_a_circle_beside_the_mean():
    frame = found(*rows_of((1, 2)), worlds=(1, 2))
    half = frame[frame["a"] == "half"]
    assert half["world"].fillna(0).tolist() == [0, 1, 2] and half["estimate"].tolist() == pytest.approx([6, 7, 6])
    figure = drawing.draw(planted_against_found, inputs_of(plan_of(["small"], MIXTURES, [1, 2], (1, 2))))
    (circles,) = [line for line in figure.axes[0].lines if line.get_marker() == "o"]
    assert circles.get_ydata().tolist() == frame.loc[frame["world"].notna(), "estimate"].tolist()


def test_where_nothing_is_planted_the_note_says_what_is_true():
    half, _ = rows_of()
    inputs = inputs_of(plan_of(["small"], MIXTURES, [1, 2]))
    for row, says in ((half, False), ({**half, "a": "zero"}, True)):
        drawn = drawing.draw(planted_against_found, replace(inputs, estimates=estimates({**row, "world": math.nan})))
        assert ("the true difference is 0" in drawn._supxlabel.get_text().replace("\n", " ")) == says


def test_a_difference_that_one_world_alone_has_is_a_circle_without_a_name():
    alone = [row for row in rows_of((1, 2)) if row.get("world") == 1]
    inputs = inputs_of(plan_of(["small"], MIXTURES, [1, 2], (1, 2)))
    (axes,) = drawing.draw(planted_against_found, replace(inputs, estimates=estimates(*alone))).axes
    (circles,) = [line for line in axes.lines if line.get_marker() == "o"]
    assert not axes.texts and len(circles.get_xdata()) == len(alone) == 2
