"""Names of points, in a column at the right of a panel."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import ConnectionPatch
from matplotlib.transforms import offset_copy
from scipy import optimize

from xstilts.reporting.figures.style import LINE, SMALL, lines_of

# inches from the right of the panel to the end of the lines, and to the names
_END, _BEGIN = 0.1, 0.12


@dataclass(frozen=True)
class Point:
    """A point of a panel that has a name beside the panel.

    Attributes:
        x: where it is, on the panel's axis.
        y: the same.
        text: its name.
        colour: of the line to the name.
    """

    x: float
    y: float
    text: str
    colour: str


def height_for(lines: int, least: float) -> float:
    """Return the height in inches of a panel beside which so many lines of names have room, and at least the least."""
    return max(least, lines * LINE)


def write(axes: Axes, points: Iterable[Point], height: float) -> None:
    """Write the names of points, each as near to the height of its point as the others allow.

    Args:
        axes: the panel, whose limits are set.
        points: that are named.
        height: of the panel in inches, with room for the lines of all names, if each had as many as the longest.
    """
    in_order = sorted(points, key=lambda point: point.y)
    if not in_order:
        return
    low, high = axes.get_ylim()
    step = LINE * lines_of(point.text for point in in_order) / height
    heights = spaced([(point.y - low) / (high - low) for point in in_order], step)
    figure = axes.get_figure(root=True)
    end, begin = (offset_copy(axes.transAxes, figure, x=inches, units="inches") for inches in (_END, _BEGIN))
    look: dict[str, Any] = {"linewidth": 0.5, "alpha": 0.6, "zorder": 1, "clip_on": False, "in_layout": False}
    for point, place in zip(in_order, heights, strict=True):
        of_axes: dict[str, Any] = {"axesA": axes, "axesB": axes, "coordsA": "data", "coordsB": end}
        axes.add_artist(ConnectionPatch((point.x, point.y), (1, place), color=point.colour, **of_axes, **look))
        axes.text(1, place, point.text, fontsize=SMALL, va="center", transform=begin)


def spaced(heights: Iterable[float], step: float) -> np.ndarray:
    """Return the heights from 0 to 1 that are nearest to some in squares, in the same order, and a step apart.

    That is an isotonic regression of the heights minus the steps below each (Barlow et al. 1972, Statistical Inference
    under Order Restrictions).

    Args:
        heights: one or more from 0 to 1, the lowest first; shape (points,).
        step: at most 1 / (points - 1).
    """
    near = np.asarray(list(heights), dtype=float)
    below = step * np.arange(len(near))
    return optimize.isotonic_regression(near - below).x.clip(0, 1 - below[-1]) + below
