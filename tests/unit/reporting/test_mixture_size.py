"""Gains by mixture size: the data that are drawn, and the steps between sizes, by hand."""

import math
from dataclasses import replace

import matplotlib
import pandas as pd
from matplotlib.colors import to_hex
from xstilts.reporting.figures import drawing, mixture_size, style

from tests.builders.figure_analyses import mixture_sizes
from tests.builders.figure_inputs import inputs_of, plan_of

MIXTURES = ["none", "mnli", "squad_v1", "nine"]


def sizes(*rows) -> pd.DataFrame:
    inputs = replace(
        inputs_of(plan_of(["small"], MIXTURES, [1, 2])), analyses={"mixture_size": mixture_sizes(*rows)}.__getitem__
    )
    return mixture_size.frame(inputs)


LOST = {"kind": "leave one out", "mixture": "squad_v1", "left_out": "mnli", "tasks": 1, "estimate": 4.0}


def test_sizes_are_gains_in_points_and_a_baseline_has_none():
    none = {"mixture": "none", "tasks": 0, "row": math.nan, "estimate": math.nan, "verdict": ""}
    frame = sizes(none, {}, {"mixture": "nine", "tasks": 2, "estimate": 7.0, "verdict": "higher"}, LOST)
    columns = ["kind", "mixture", "tasks", "left_out", "target", "estimate", "verdict"]
    assert frame[columns].values.tolist() == [
        ["size", "mnli", 1, "", "mean", 1.5, "undecided"],
        ["size", "nine", 2, "", "mean", 7.0, "higher"],
        ["leave one out", "squad_v1", 1, "mnli", "mean", 4.0, "undecided"],
    ]
    assert frame.loc[0, ["low", "high", "interval"]].tolist() == [-0.5, 3.5, "runs and examples"]


def test_sizes_in_nats_are_not_drawn_and_the_mean_of_a_benchmark_is_named():
    frame = sizes({"outcome": "benchmark"}, {}, {"target": "xnli"}, {"target": "lm_loss", "scale": "nats"})
    assert frame["target"].tolist() == ["benchmark", "mean", "xnli"]


def drawn_sizes(*rows, **options):
    inputs = inputs_of(plan_of(["small"], MIXTURES, [1, 2]), **options)
    with matplotlib.rc_context(style.SETTINGS):
        return drawing.draw(mixture_size, replace(inputs, analyses={"mixture_size": mixture_sizes(*rows)}.__getitem__))


def test_steps_go_from_the_mean_of_one_size_to_that_of_the_next():
    single = {"mixture": "squad_v1", "estimate": 2.5}
    figure = drawn_sizes({}, single, {"mixture": "nine", "tasks": 3, "estimate": 6.0, "verdict": "higher"}, LOST)
    _, steps, *marks = figure.axes[0].lines
    # lines: a heading, two single tasks, a heading, nine, and a heading with what nine loses
    assert steps.get_xydata().tolist() == [[0, 0.5], [2, 0.5], [2, 3.5], [6, 3.5], [6, 5]]
    found = {mark.get_marker(): [] for mark in marks}
    for mark in marks:
        found[mark.get_marker()].append((mark.get_xydata().tolist(), to_hex(mark.get_markerfacecolor())))
    assert found == {
        "D": [([[4, 6.5]], "#ffffff")],
        "o": [([[1.5, 1.5], [2.5, 2.5]], "#ffffff"), ([[6, 4.5]], style.FIRST)],
    }


def test_targets_have_panels_of_their_own_where_a_page_has_room_for_them():
    targets = [{"target": f"target_{number}"} for number in range(8)]
    assert len(drawn_sizes({}, *targets).axes) >= 9
    singles = [{"mixture": f"mixture_{number}"} for number in range(40)]
    figure = drawn_sizes(*({**single, **target} for single in singles for target in ({}, *targets)))
    (axes,) = figure.axes
    assert axes.get_title(loc="left") == "small\nmean"
    assert figure.get_supxlabel().replace("\n", " ").endswith("Targets alone: in the table mixture_size.")


def test_the_note_says_what_is_filled():
    assert style.FILLED in drawn_sizes({"verdict": "higher"}).get_supxlabel().replace("\n", " ")
    assert "Open: no verdict" in drawn_sizes({"verdict": ""}).get_supxlabel().replace("\n", " ")
