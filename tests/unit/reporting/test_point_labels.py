"""Heights of names beside a panel, by hand."""

import numpy as np
import pytest
from xstilts.reporting.figures import point_labels, style
from xstilts.reporting.figures.options import Options
from xstilts.reporting.figures.point_labels import spaced


def test_names_with_room_stand_at_their_points():
    assert spaced([0.1, 0.5, 0.9], 0.2).tolist() == pytest.approx([0.1, 0.5, 0.9])


def test_names_that_are_near_move_apart_around_their_mean():
    assert spaced([0.5, 0.5, 0.9], 0.2).tolist() == pytest.approx([0.4, 0.6, 0.9])
    # 0.50, 0.42 and 0.39 for the first of them: their mean
    assert spaced([0.5, 0.52, 0.59], 0.1).tolist() == pytest.approx([1.31 / 3, 1.61 / 3, 1.91 / 3])


def test_names_stay_beside_the_panel():
    assert spaced([0.95, 0.97, 1.0], 0.2).tolist() == pytest.approx([0.6, 0.8, 1.0])
    assert spaced([0.0, 0.02], 0.2).tolist() == pytest.approx([0.0, 0.2])


def test_many_names_are_a_step_apart():
    heights = spaced(np.linspace(0.4, 0.45, 9), 0.125)
    assert np.diff(heights) == pytest.approx(np.full(8, 0.125)) and heights[0] >= 0 and heights[-1] <= 1


def test_no_points_have_no_names():
    _, grid = style.panels(Options(), 1)
    point_labels.write(grid[0, 0], [], 1)
    assert not grid[0, 0].texts
