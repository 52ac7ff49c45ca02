"""Scores by the vectors of every layer: a panel for each target and model, a line for each arm, named at its end."""

from collections.abc import Mapping

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from xstilts.reporting.figures import point_labels, style
from xstilts.reporting.figures.inputs import FigureInputs
from xstilts.reporting.figures.options import Options
from xstilts.reporting.figures.point_labels import Point
from xstilts.reporting.figures.style import MUTED, RULE, SMALL, Look
from xstilts.store.study_plan import StudyPlan

NOTHING = "No recipe of this study scores all layers (bitext: sweep: true), so there is no score by layer to show."
# inches: least width and height of a panel, and what it has above and below
_WIDTH, _HEIGHT, _AROUND = 1.1, 1.3, 0.42


def frame(inputs: FigureInputs) -> pd.DataFrame:
    """Return the analysis ``layer_sweep``: a row for each layer of each arm and target."""
    return inputs.analyses("layer_sweep")


def draw(frame: pd.DataFrame, plan: StudyPlan, options: Options) -> Figure:
    """Return the panels, the models of a target beside each other."""
    mixtures = list(dict.fromkeys(frame["mixture"]))
    looks, names = style.mixtures(plan.mixtures), style.arm_names(frame, options)
    height = point_labels.height_for(len(mixtures) * style.lines_of(map(options.mixture, mixtures)), _HEIGHT)
    above = style.LINE * (style.lines_of(names.values()) - 1)
    least = _WIDTH + style.width_of(map(options.mixture, mixtures), SMALL)
    rows = []
    for target, of_target in frame.groupby("target", sort=False):
        arms = list(style.arm_names(of_target, options))
        rows += [[(str(target), arm) for arm in band] for band in style.bands(arms, options.width - 0.4, least)]
    columns = max(map(len, rows))
    total = len(rows) * (height + _AROUND + above)
    figure, grid = style.panels(options, total, len(rows), columns, note=_note(frame, plan))
    for (target, (recipe, model)), axes, is_first in style.in_rows(rows, grid):
        of_target = frame[frame["target"] == target]
        cells = of_target[(of_target["recipe"] == recipe) & (of_target["model"] == model)]
        axes.set_title(names[recipe, model])
        top = of_target[["high", "chance"]].max().max()
        axes.set(xlim=(0, cells["layer"].max()), ylim=(0, 1.05 * top or 1))
        axes.locator_params(integer=True, nbins=4)
        axes.set_ylabel(f"{options.target(target)} (percent)" if is_first else "")
        axes.tick_params(labelleft=is_first)
        _panel(axes, cells, looks, options, height)
    for axes in grid[-1]:
        axes.set_xlabel("layer")
    return figure


def _panel(axes: Axes, cells: pd.DataFrame, looks: Mapping[str, Look], options: Options, height: float) -> None:
    """Draw the arms of a model: scores by layer with the range of runs, and a mark at the layer of all other tables."""
    for layer in cells.loc[cells["scored"], "layer"].unique():
        axes.axvline(layer, color=RULE, linewidth=0.8, zorder=0)
    for chance in cells["chance"].dropna().unique():
        axes.axhline(chance, color=MUTED, linewidth=0.8, linestyle=":", zorder=1)
    ends = []
    for mixture, arm in cells.groupby("mixture", sort=False):
        look = looks[str(mixture)]
        style.curve(axes, arm["layer"], arm["score"], arm, look)
        scored = arm[arm["scored"]]
        axes.plot(scored["layer"], scored["score"], look.mark, color=look.colour, clip_on=False)
        last = arm.iloc[-1]
        ends.append(Point(last["layer"], last["score"], options.mixture(str(mixture)), look.colour))
    point_labels.write(axes, ends, height)


def _note(frame: pd.DataFrame, plan: StudyPlan) -> str:
    """Return how the figure is read, of what is in it."""
    parts = ["Zero-shot means by the vectors of each layer, 0 for the embeddings."]
    if frame["runs"].max() > 1:
        of = " in any world" if plan.worlds else ""
        parts.append(f"Lines: means over runs; shaded: from the lowest to the highest run{of}.")
    if frame["scored"].any():
        parts.append("Marks on a vertical line: the layer of all other tables.")
    if frame["chance"].notna().any():
        parts.append("Dotted: the score of guessing.")
    return " ".join(parts)
