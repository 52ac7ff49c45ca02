"""Gains over no intermediate training by language: a panel for each mixture, a line for each language.

The source language and control languages stand apart. Where guessing has a score, a bar says where it lies: at a
language whose bar is near 0, models without an intermediate phase guess.
"""

from collections.abc import Mapping
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from xstilts.evaluation.analyses.language_gains import LABELLED, SOURCE
from xstilts.evaluation.intervals import EQUIVALENT, UNDECIDED
from xstilts.reporting import wording
from xstilts.reporting.figures import languages, style
from xstilts.reporting.figures.inputs import FigureInputs
from xstilts.reporting.figures.options import Options
from xstilts.reporting.figures.style import BOLD, DECIDED, MEDIUM, MUTED, SMALL, TEXT, Line, Look
from xstilts.reporting.main_table import in_percent
from xstilts.store.answer import SMALLEST
from xstilts.store.study_plan import StudyPlan

NOTHING = "This study compares no mixture with none on a target in percent, so there is no gain by language to show."
_COLUMNS = ["recipe", "model", "target", "language", "role", "mixture", "gain", "low", "high", "interval", "verdict",
            "chance"]  # fmt: skip
# inches: height of a line, least width of a panel, and what a row of panels has above and below its lines
_LINE, _PANEL, _AROUND = 0.13, 0.72, 0.5
# how far apart models are within a line, in lines
_OFFSET = 0.42


def frame(inputs: FigureInputs) -> pd.DataFrame:
    """Return a row for each mixture, target in percent and language of each model, of several worlds over all of them.

    It has the gain in points with the ends of its interval, what that is over, and the verdict; ``chance`` is where
    guessing lies, in points from the score of ``none``, missing where no number of labels decides it.
    """
    gains = in_percent(inputs.analyses("language_gains"))
    gains = gains[gains["world"].isna()]
    return gains.assign(chance=gains["chance"] - gains["baseline"])[_COLUMNS].reset_index(drop=True)


def draw(frame: pd.DataFrame, plan: StudyPlan, options: Options) -> Figure:
    """Return the panels of all targets below each other, the models in colours."""
    names = style.arm_names(frame, options)
    looks = style.series(names)
    by_target = {str(target): cells for target, cells in frame.groupby("target", sort=False)}
    # a language has room for all models
    tall = max(1.0, _OFFSET * (len(names) + 1))
    lines = {target: _lines(target, cells, plan, options, tall) for target, cells in by_target.items()}
    label = style.width_of([line.text for one in lines.values() for line in one], SMALL)
    mixtures = list(dict.fromkeys(frame["mixture"]))
    least = max(_PANEL, style.width_of(map(options.mixture, mixtures), MEDIUM * BOLD) + 0.1)
    bands = style.bands(mixtures, options.width - label - 0.2, least)
    rows = [[(target, mixture) for mixture in band] for target in lines for band in bands]
    above = style.LINE * (style.lines_of(map(options.mixture, mixtures)) - 1)
    heights = [_LINE * sum(line.room for line in lines[row[0][0]]) + _AROUND + above for row in rows]
    figure, grid = style.panels(
        options, sum(heights), len(rows), len(bands[0]), note=_note(frame, plan), height_ratios=heights
    )
    for (target, mixture), axes, is_first in style.in_rows(rows, grid):
        cells = by_target[target]
        low, high = style.limits(cells[["low", "high"]])
        axes.set_title(options.mixture(mixture))
        axes.set_xlim(low, high)
        axes.set_xticks(style.ticks(low, high))
        places = style.set_lines(axes, lines[target], shown=is_first)
        _panel(axes, cells[cells["mixture"] == mixture], places, looks)
    if len(names) > 1:
        style.legend(figure, {names[arm]: look for arm, look in looks.items()}, options)
    return figure


def _lines(target: str, frame: pd.DataFrame, plan: StudyPlan, options: Options, tall: float) -> list[Line]:
    """Return the lines of a target: its name, and languages of some height under the headings of their groups."""
    sources = set(frame.loc[frame["role"] == SOURCE, "language"])
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
        style.segments(axes, y, found["low"], found["high"], color=look.colour, linewidth=0.8, zorder=2)
        for decided, face in ((True, look.colour), (False, "white")):
            rows = found["verdict"].isin(DECIDED) == decided
            of_mark: dict[str, Any] = {
                "color": look.colour,
                "markerfacecolor": face,
                "markersize": 3,
                "markeredgewidth": 0.7,
            }
            axes.plot(found.loc[rows, "gain"], y[rows], look.mark, **of_mark)
        there = found["chance"].between(low, high)
        # below the marks, whose open or filled middles are to be seen
        axes.plot(found.loc[there, "chance"], y[there], "|", color=TEXT, markersize=5, markeredgewidth=0.7, zorder=1.5)


def _note(frame: pd.DataFrame, plan: StudyPlan) -> str:
    """Return how the figure is read, of what is in it."""
    verdicts = set(frame["verdict"])
    parts = [f"Marks: gains over none in points; lines: the {style.over(frame['interval'])}."]
    if verdicts & set(DECIDED):
        smallest = wording.counted(plan.answer.smallest if plan.answer else SMALLEST, "point")
        equivalent = f", or equivalent within {smallest}," if EQUIVALENT in verdicts else ""
        parts.append(f"Filled: higher or lower{equivalent} at 5 %, not corrected for their number.")
    if UNDECIDED in verdicts:
        parts.append("Open: undecided.")
    if "" in verdicts:
        parts.append("Open, one run an arm or all collapsed: no verdict.")
    if (frame["role"] == LABELLED).any():
        parts.append("Where a mixture has labelled rows in a language, its gain there is not zero-shot.")
    if frame["chance"].notna().any():
        parts.append("Bars: the score of guessing, where it is in sight.")
    return " ".join(parts)
