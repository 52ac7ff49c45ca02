"""Looks, names and rows of panels that all figures share, by hand."""

import io

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import Colormap
from xstilts.reporting.figures import style
from xstilts.reporting.figures.options import Options
from xstilts.store.figures import PALETTES
from xstilts.store.study_plan import FigureLabels


def test_a_mixture_looks_alike_whatever_others_there_are():
    few, many = style.mixtures(["mnli", "nine"]), style.mixtures(["none", "mnli", "nine", "mnli, nine"])
    assert many == few | {"mnli, nine": many["mnli, nine"]}
    assert few["none"] == style.Look(style.TEXT, "o", "--") and few[""] == style.Look(style.MUTED, "o")
    assert len(set(many.values())) == 5


def test_an_arm_is_named_with_its_recipe_where_there_are_several():
    options = Options(labels=FigureLabels(models={"m": "M"}))
    frame = pd.DataFrame({"recipe": ["r", "r", "s", "s"], "model": ["n", "m", "m", "m"]})
    assert style.arm_names(frame[:2], options) == {("r", "n"): "n", ("r", "m"): "M"}
    assert style.arm_names(frame, options) == {("r", "n"): "n, r", ("r", "m"): "M, r", ("s", "m"): "M, s"}


def test_what_is_left_of_a_row_is_switched_off():
    _, grid = style.panels(Options(), 1, 2, 2)
    assert [(panel, first) for panel, _, first in style.in_rows([["a", "b"], ["c"]], grid)] == [
        ("a", True), ("b", False), ("c", True),
    ]  # fmt: skip
    assert [axes.axison for axes in grid.flat] == [True, True, True, False]


def test_segments_may_be_none():
    figure, grid = style.panels(Options(), 1)
    style.segments(grid[0, 0], [], [], [])
    style.segments(grid[0, 0], [2.0], [1.0], [4.0])
    assert [np.asarray(one.get_path().vertices).tolist() for one in grid[0, 0].patches] == [[], [[1, 2], [4, 2]]]
    for kind in ("svg", "png", "pdf"):
        figure.savefig(io.BytesIO(), format=kind)


@pytest.mark.parametrize("name", PALETTES)
def test_every_palette_that_a_study_may_have_is_a_colour_map(name):
    assert isinstance(style.diverging(Options(palette=name)), Colormap)
