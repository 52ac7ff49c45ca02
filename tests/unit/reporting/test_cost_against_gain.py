"""Cost against gain: the data that are drawn, and times as people read them, by hand."""

from dataclasses import replace

import matplotlib
import pandas as pd
import pytest
from xstilts.reporting.figures import cost_against_gain, drawing, style
from xstilts.reporting.figures.cost_against_gain import duration, ticks_of_logarithms

from tests.builders.figure_inputs import inputs_of, plan_of

MIXTURES = ["none", "mnli", "squad_v1", "nine"]


def with_cost(**columns):
    """Return inputs of a model with four mixtures, with other values in some columns of the cost."""
    inputs = inputs_of(plan_of(["small"], MIXTURES, [1, 2]))
    table = inputs.analyses("cost").assign(**columns)
    return replace(inputs, analyses={"cost": table}.__getitem__)


def test_time_of_both_phases_beside_the_gain():
    inputs = with_cost(intermediate=[0.0, 5.0, 7.0, 9.0], target=3.0, estimate=[float("nan"), 1.0, -2.0, 4.0])
    frame = cost_against_gain.frame(inputs)
    assert frame[["mixture", "seconds", "none", "estimate"]].values.tolist() == [
        ["mnli", 8, 3, 1], ["squad_v1", 10, 3, -2], ["nine", 12, 3, 4],
    ]  # fmt: skip


def test_arms_without_a_time_are_counted_in_the_note():
    inputs = with_cost(unit=["GPU-seconds", "mixed", "", "GPU-seconds"], target=[3.0, None, None, 4.0])
    assert cost_against_gain.frame(inputs)["seconds"].notna().tolist() == [False, False, True]
    figure = drawing.draw(cost_against_gain, inputs)
    assert "Left out: 2 arms" in figure._supxlabel.get_text().replace("\n", " ")
    assert [text.get_text() for text in figure.axes[0].texts] == ["nine"]


def test_without_any_time_there_is_nothing():
    assert cost_against_gain.frame(with_cost(target=float("nan"))).empty


def test_a_unit_has_a_panel_and_no_time_of_none_in_another():
    inputs = with_cost(unit=["GPU-seconds", "CPU-seconds", "GPU-seconds", "GPU-seconds"])
    assert cost_against_gain.frame(inputs)["none"].isna().tolist() == [True, False, False]
    with matplotlib.rc_context(style.SETTINGS):
        figure = drawing.draw(cost_against_gain, inputs)
    assert [axes.get_xlabel() for axes in figure.axes] == ["CPU time of a run", "GPU time of a run"]


@pytest.mark.parametrize(("factor", "scale"), [(9, "linear"), (11, "log")])
def test_a_span_of_more_than_ten_has_an_axis_of_logarithms(factor, scale):
    inputs = with_cost(intermediate=0.0, target=[60.0, 60.0, 120.0, 60.0 * factor])
    assert drawing.draw(cost_against_gain, inputs).axes[0].get_xscale() == scale


def test_only_what_is_decided_is_filled():
    inputs = with_cost(verdict=["", "higher", "undecided", "equivalent"], low=-1.0, high=1.0)
    axes = drawing.draw(cost_against_gain, inputs).axes[0]
    faces = [line.get_markerfacecolor() for line in axes.lines if line.get_marker() not in ("None", None, "")]
    assert [face != "white" for face in faces] == [True, False, True]


def test_times_are_read_in_seconds_minutes_and_hours():
    assert [duration(time) for time in (0, 0.5, 45, 60, 90, 5400, 360000)] == [
        "0", "0.5 s", "45 s", "1 min", "1.5 min", "1.5 h", "100 h",
    ]  # fmt: skip
    assert [duration(time) for time in ticks_of_logarithms(20, 8000)] == ["20 s", "2 min", "20 min", "2 h"]
    assert pd.Series(ticks_of_logarithms(0.01, 3600e6)).between(0.01, 3600e6).all()


def test_the_legend_names_arms_that_have_a_point():
    inputs = inputs_of(plan_of(["small", "large", "huge"], MIXTURES, [1, 2]))
    cost = inputs.analyses("cost")
    # no mixture of the third model has a time
    table = cost.assign(unit="GPU-seconds", intermediate=9.0, target=cost["model"].map({"small": 3.0, "large": 6.0}))
    with matplotlib.rc_context(style.SETTINGS):
        figure = drawing.draw(cost_against_gain, replace(inputs, analyses={"cost": table}.__getitem__))
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["small", "large"]
    assert style.FILLED in figure.get_supxlabel().replace("\n", " ")
