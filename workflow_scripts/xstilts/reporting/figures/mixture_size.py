"""Mixture size: gains over no intermediate training by number of tasks, and what a mixture loses with each task.

Mixtures that are parts of one whole stand below each other by their number of tasks, each on a line of its own. So ten
single tasks are as readable as one, and steps lead the eye from the mean gain of one size to that of the next.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from xstilts.evaluation.analyses.mixture_size import LEAVE_ONE_OUT, SIZE
from xstilts.evaluation.comparisons import POINTS
from xstilts.evaluation.outcomes import BENCHMARK
from xstilts.reporting import wording
from xstilts.reporting.figures import style
from xstilts.reporting.figures.inputs import FigureInputs
from xstilts.reporting.figures.options import Options
from xstilts.reporting.figures.style import DECIDED, FIRST, MEDIUM, MUTED, SECOND, SMALL, Line
from xstilts.reporting.main_table import MEAN
from xstilts.store.study_plan import StudyPlan

NOTHING = "No mixtures of this study that are compared are parts of each other, so there are no gains by size to show."
# what a line of a panel is named by
_LINE = ["kind", "whole", "tasks", "mixture", "left_out"]
_COLUMNS = ["recipe", "model", *_LINE, "target", "estimate", "low", "high", "interval", "verdict"]
# inches: height of a line, least width of a panel, what a panel has above and below its lines, and the height of a page
_ROW, _PANEL, _AROUND, _PAGE = 0.13, 1.0, 0.6, 9.0
_LOOKS = {SIZE: (FIRST, "o"), LEAVE_ONE_OUT: (SECOND, "D")}


def frame(inputs: FigureInputs) -> pd.DataFrame:
    """Return a row for each mixture of a kind, arm and target: its estimate in points, interval and verdict.

    Of the kind ``size`` the estimate is the gain over ``none``; of ``leave one out`` what the whole has more than the
    mixture that lacks one task. The target of a mean over targets is ``mean`` or ``benchmark``. The study's main
    outcome comes first.
    """
    table = inputs.analyses("mixture_size")
    found = table[(table["scale"] == POINTS) & table["estimate"].notna()]
    of_mean = found["outcome"].map({BENCHMARK: BENCHMARK}).fillna(MEAN)
    return found.assign(target=found["target"].where(found["target"] != "", of_mean))[_COLUMNS].reset_index(drop=True)


def draw(frame: pd.DataFrame, plan: StudyPlan, options: Options) -> Figure:
    """Return a panel for each arm and target; of targets alone only where a page has room for all of them."""
    names = style.arm_names(frame, options)
    targets = list(dict.fromkeys(map(str, frame["target"])))
    titles = {target: target if target in (MEAN, BENCHMARK) else options.target(target) for target in targets}
    lines = _lines(frame, options)
    room = options.width - style.width_of([line.text for line in lines], SMALL) - 0.2
    least = max(_PANEL, style.width_of([*names.values(), *titles.values()], MEDIUM) + 0.2)

    def arranged(targets: Sequence[str]) -> list[list[tuple[str, tuple[str, str]]]]:
        return [
            [(target, arm) for target in together for arm in beside]
            for together in style.bands(targets, room, least * len(names))
            for beside in style.bands(list(names), room, least)
        ]

    above = style.LINE * (style.lines_of(names.values()) + style.lines_of(titles.values()) - 2)
    tall = sum(line.room for line in lines) * _ROW + _AROUND + above
    rows = arranged(targets)
    left_out = len(rows) * tall > _PAGE and len(targets) > 1
    if left_out:
        rows = arranged(targets[:1])
    note = _note(frame, left_out)
    figure, grid = style.panels(options, len(rows) * tall, len(rows), max(map(len, rows)), note=note)
    for (target, arm), axes, is_first in style.in_rows(rows, grid):
        of_target = frame[frame["target"] == target]
        axes.set_title(f"{names[arm]}\n{titles[target]}")
        low, high = style.limits(of_target[["estimate", "low", "high"]])
        axes.set_xlim(low, high)
        axes.set_xticks(style.ticks(low, high))
        of_arm = of_target[(of_target["recipe"] == arm[0]) & (of_target["model"] == arm[1])]
        _panel(axes, of_arm, style.set_lines(axes, lines, shown=is_first))
    return figure


def _lines(frame: pd.DataFrame, options: Options) -> list[Line]:
    """Return the lines of a panel: mixtures by size, then the tasks that can be left out."""
    several = frame.loc[frame["kind"] == SIZE, "whole"].nunique() > 1
    lines = []
    for (kind, whole), found in frame.groupby(["kind", "whole"], sort=False):
        label = options.mixture(str(whole))
        if kind == SIZE and several:
            lines.append(Line(f"parts of {label}", weight="bold"))
        for _, rows in found.groupby("tasks"):
            heading = wording.counted(int(rows["tasks"].iloc[0]), "task") if kind == SIZE else f"{label} without"
            lines.append(Line(heading, colour=MUTED))
            for name in rows[_LINE].drop_duplicates().itertuples(index=False, name=None):
                lines.append(Line(options.mixture(name[3]) if kind == SIZE else name[4], name))
    return lines


def _panel(axes: Axes, frame: pd.DataFrame, places: Mapping[Any, float]) -> None:
    """Draw the estimates of an arm, filled where they are decided, and behind them the steps of the mean gains."""
    style.zero_line(axes)
    heights = pd.Series([places[line] for line in frame[_LINE].itertuples(index=False, name=None)], index=frame.index)
    for _, parts in frame[frame["kind"] == SIZE].groupby("whole", sort=False):
        by_size = parts.assign(height=heights[parts.index]).groupby("tasks")
        # from one size to the next in the line of its heading, the last one to the end of its last line
        tops, end = by_size["height"].min() - 1, heights[parts.index].max() + 0.5
        x = np.repeat([0.0, *by_size["estimate"].mean()], 2)[1:]
        axes.plot(x, np.repeat([*tops, end], 2)[:-1], color=FIRST, alpha=0.3, linewidth=2, zorder=1.5)
    for (kind, decided), rows in frame.groupby(["kind", frame["verdict"].isin(DECIDED)]):
        colour, mark = _LOOKS[str(kind)]
        known = rows[rows["low"].notna() & rows["high"].notna()]
        axes.hlines(heights[known.index], known["low"], known["high"], color=colour, linewidth=0.8)
        face = colour if decided else "white"
        axes.plot(rows["estimate"], heights[rows.index], mark, color=colour, markerfacecolor=face, markersize=3.2)


def _note(frame: pd.DataFrame, left_out: bool) -> str:
    """Return how the figure is read, of what is in it."""
    kinds = set(frame["kind"])
    parts = []
    if SIZE in kinds:
        parts.append("Circles: points over none. Steps: their means by number of tasks.")
    if LEAVE_ONE_OUT in kinds:
        parts.append("Diamonds: points that the mixture loses without the task.")
    parts.append(f"Lines: the {style.over(frame['interval'])}.")
    if frame["verdict"].isin(DECIDED).any():
        parts.append(style.FILLED)
    if not frame["verdict"].any():
        parts.append("Open: no verdict with one run an arm, or where all collapsed.")
    parts += ["Targets alone: in the table mixture_size."] if left_out else []
    return " ".join(parts)
