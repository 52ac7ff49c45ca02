"""Gains over no intermediate training by language: a panel for each mixture, a line for each language.

The source language and control languages stand apart. Where guessing has a score, a bar says where it lies: at a
language whose bar is near 0, models without an intermediate phase guess.
"""

import math
from collections.abc import Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from xstilts.evaluation.scores import headline, is_source_language
from xstilts.forms import FORMS
from xstilts.reporting.figures import languages, style
from xstilts.reporting.figures.inputs import FigureInputs
from xstilts.reporting.figures.options import Options
from xstilts.reporting.figures.style import MUTED, RULE, SMALL, TEXT, Line, Look
from xstilts.reporting.main_table import in_percent
from xstilts.store.study_plan import NONE, WORLD, StudyPlan

NOTHING = "This study compares no mixture with none on a target in percent, so there is no gain by language to show."
_CELL = ["recipe", "model", "target", "language"]
_COLUMNS = [*_CELL, "is_source", "mixture", "gain", "low", "high", "none_low", "none_high", "chance", "runs"]
# inches: height of a line, least width of a panel, and what a row of panels has above and below its lines
_LINE, _PANEL, _AROUND = 0.13, 0.72, 0.5
# how far apart models are within a line, in lines
_OFFSET = 0.42


def frame(inputs: FigureInputs) -> pd.DataFrame:
    """Return a row for each mixture, target and language of each model.

    All is in points from the mean score of the runs of ``none``, of several worlds from that in the same one: ``gain``
    is the mean over runs, ``low`` and ``high`` the lowest and the highest run, ``none_low`` and ``none_high`` those of
    ``none`` itself; ``chance`` is where guessing lies on average, missing where no number of labels decides it.
    """
    scores = in_percent(headline(inputs.scores))
    scores = scores.assign(is_source=is_source_language(scores))
    cell = [*_CELL, WORLD] if WORLD in scores else _CELL
    base = scores[scores["mixture"] == NONE].groupby(cell)["score"].mean().rename("base")
    scores = scores.join(base, on=cell).dropna(subset=["base"])
    scores["gain"] = scores["score"] - scores["base"]
    scores["chance"] = scores["target"].map(_chance(inputs.plan)).astype(float) - scores["base"]
    of_runs = scores.groupby([*_CELL, "is_source", "mixture"], sort=False, as_index=False).agg(
        gain=("gain", "mean"),
        low=("gain", "min"),
        high=("gain", "max"),
        chance=("chance", "mean"),
        runs=("seed", "count"),
    )
    none = of_runs[of_runs["mixture"] == NONE].rename(columns={"low": "none_low", "high": "none_high"})
    found = of_runs[of_runs["mixture"] != NONE].merge(none[[*_CELL, "none_low", "none_high"]], on=_CELL)
    return found[_COLUMNS]


def _chance(plan: StudyPlan) -> dict[str, float]:
    """Return the score of guessing in percent by target, NaN where there is none."""
    chances = dict.fromkeys(plan.targets, math.nan)
    for name, cell in {cell.target: cell for cell in plan.cells if cell.node in plan.nodes}.items():
        target, labels = plan.targets[name], plan.nodes[cell.node].content.get("labels")
        chance = FORMS[target.form].metrics[target.metric].chance
        if chance is not None and labels:
            chances[name] = chance(len(labels))
    return chances


def draw(frame: pd.DataFrame, plan: StudyPlan, options: Options) -> Figure:
    """Return the panels of all targets below each other, the models in colours."""
    arms = list(dict.fromkeys(zip(frame["recipe"], frame["model"], strict=True)))
    several = frame["recipe"].nunique() > 1
    names = {arm: options.model(arm[1]) + (f", {arm[0]}" if several else "") for arm in arms}
    looks = dict(zip(arms, style.series(map(str, arms)).values(), strict=True))
    by_target = {str(target): cells for target, cells in frame.groupby("target", sort=False)}
    # a language has room for all models
    tall = max(1.0, _OFFSET * (len(arms) + 1))
    lines = {target: _lines(target, cells, plan, options, tall) for target, cells in by_target.items()}
    label = style.width_of([line.text for one in lines.values() for line in one], SMALL)
    bands = style.bands(list(dict.fromkeys(frame["mixture"])), options.width - label - 0.2, _PANEL)
    rows = [(target, band) for target in lines for band in bands]
    heights = [_LINE * sum(line.height for line in lines[target]) + _AROUND for target, _ in rows]
    note = _note(frame, plan)
    figure, grid = style.panels(options, sum(heights), len(rows), len(bands[0]), note=note, height_ratios=heights)
    for axes in grid.flat:
        axes.set_axis_off()
    for (target, band), row in zip(rows, grid, strict=True):
        cells = by_target[target]
        low, high = (1.06 * end(cells[["low", "high", "none_low", "none_high"]].to_numpy()) for end in (np.min, np.max))
        low, high = min(low, -0.3 * high, -0.1), max(high, -0.3 * low, 0.1)
        for index, (mixture, axes) in enumerate(zip(band, row, strict=False)):
            axes.set_axis_on()
            axes.set_title(options.mixture(mixture))
            axes.set_xlim(low, high)
            axes.set_xticks(style.ticks(low, high))
            places = style.set_lines(axes, lines[target], shown=index == 0)
            _panel(axes, cells[cells["mixture"] == mixture], places, looks)
    if len(arms) > 1:
        style.legend(figure, {names[arm]: look for arm, look in looks.items()}, options)
    return figure


def _lines(target: str, frame: pd.DataFrame, plan: StudyPlan, options: Options, tall: float) -> list[Line]:
    """Return the lines of a target: its name, and languages of some height under the headings of their groups."""
    sources = set(frame.loc[frame["is_source"], "language"])
    lines = [Line(options.target(target), weight="bold")]
    for group in languages.groups(frame["language"], sources, plan):
        lines.append(Line(group.name, colour=MUTED))
        for code, script in group.languages.items():
            lines.append(Line(f"{options.language(code)} {script}".strip(), code, height=tall))
    return lines


def _panel(axes: Axes, cells: pd.DataFrame, places: Mapping[str, float], looks: Mapping[tuple[str, str], Look]) -> None:
    """Draw the gains of a mixture; the models of a language stand a little below each other."""
    style.zero_line(axes)
    low, high = axes.get_xlim()
    for index, (arm, look) in enumerate(looks.items()):
        found = cells[(cells["recipe"] == arm[0]) & (cells["model"] == arm[1])]
        y = found["language"].map(places) + (index - (len(looks) - 1) / 2) * _OFFSET
        axes.hlines(y, found["none_low"], found["none_high"], color=RULE, linewidth=3, alpha=0.7, zorder=0.5)
        axes.hlines(y, found["low"], found["high"], color=look.colour, linewidth=0.8)
        axes.plot(found["gain"], y, look.mark, color=look.colour, markersize=3, markeredgewidth=0)
        there = found["chance"].between(low, high)
        axes.plot(found.loc[there, "chance"], y[there], "|", color=TEXT, markersize=4, markeredgewidth=0.7, zorder=3)


def _note(frame: pd.DataFrame, plan: StudyPlan) -> str:
    """Return how the figure is read, of what is in it."""
    of = " in its world" if plan.worlds else ""
    several = frame["runs"].max() > 1
    parts = [f"Points from the mean of none{of}, without intervals."]
    if several:
        parts.append("Marks: means over runs; lines: from the lowest to the highest run; grey: the runs of none.")
    if frame["chance"].notna().any():
        parts.append("Bars: the score of guessing, where it is in sight.")
    return " ".join(parts)
