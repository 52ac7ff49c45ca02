"""Scores by layer: what is in sight, by hand."""

from dataclasses import replace

import matplotlib
from xstilts.reporting.figures import drawing, layer_sweep, style

from tests.builders.figure_inputs import inputs_of, plan_of


def drawn(**columns):
    inputs = inputs_of(plan_of(["small"], ["none", "mnli", "nine"], [1, 2]))
    table = inputs.analyses("layer_sweep").assign(**columns)
    with matplotlib.rc_context(style.SETTINGS):
        return drawing.draw(layer_sweep, replace(inputs, analyses={"layer_sweep": table}.__getitem__)).axes[0]


def test_guessing_is_in_sight_where_all_arms_are_below_it():
    assert drawn(chance=60.0).get_ylim() == (0, 63)
    assert drawn(chance=1.5).get_ylim()[1] < 60


def test_mixtures_look_as_in_other_figures():
    lines = [line for line in drawn().lines if line.get_linestyle() != "None" and len(line.get_xdata()) > 2]
    looks = style.mixtures(["none", "mnli", "nine"])
    found = [(line.get_color(), line.get_linestyle()) for line in lines]
    assert found == [(looks[name].colour, looks[name].line) for name in ("none", "mnli", "nine")]
    assert [style for _, style in found] == ["--", "-", "-"]
