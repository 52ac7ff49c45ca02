"""How far runs of one arm differ: every run a dot, as points from the mean of its arm."""

from collections.abc import Mapping
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from xstilts.evaluation import outcomes
from xstilts.evaluation.analyses import measured
from xstilts.forms.declaration import PERCENT
from xstilts.reporting.figures import style
from xstilts.reporting.figures.inputs import FigureInputs
from xstilts.reporting.figures.options import Options
from xstilts.reporting.figures.style import FIRST, SMALL, TEXT, Line
from xstilts.reporting.main_table import MEAN
from xstilts.store.study_plan import WORLD, StudyPlan

NOTHING = "No arm of this study has two runs, so there is no spread between runs to show."
# what a line of a panel is named by, and with its target an arm on an outcome
_LINE = ["recipe", "model", "mixture"]
_ARM = [*_LINE, "target"]
_COLUMNS = [*_ARM, "seed", "value", "deviation", "sd", "runs", "collapsed"]
# inches: height of an arm, least width of a panel, and what a panel has above and below its arms
_ROW, _PANEL, _AROUND = 0.13, 1.15, 0.5


def frame(inputs: FigureInputs) -> pd.DataFrame:
    """Return a row for each run of an arm on each target in percent, and on their mean, all zero-shot.

    ``value`` is the outcome in percent, ``deviation`` that minus the mean of the arm's runs, ``sd`` their standard
    deviation. Of several worlds deviations are from the mean of the arm in its world, and ``sd`` is pooled over worlds.
    """
    rows = measured.rows_of(inputs.plan, inputs.scores)
    targets = [name for name, languages in rows.items() if languages]
    found = []
    for outcome in outcomes.zero_shot(inputs.plan, rows, targets):
        if outcome.unit == PERCENT:
            found.append(measured.runs_of(inputs.scores, outcome).assign(target=outcome.target or MEAN))
    if not found:
        return pd.DataFrame(columns=_COLUMNS)
    table = pd.concat(found, ignore_index=True)
    arm = [*_ARM, WORLD] if WORLD in table else _ARM
    table["deviation"] = table["value"] - table.groupby(arm)["value"].transform("mean")
    table["runs"] = table.groupby(_ARM)["value"].transform("count")
    # a mean taken from the runs of an arm, in each world, costs a degree of freedom
    means = table[arm].drop_duplicates().groupby(_ARM).size().rename("means")
    degrees = table["runs"] - table.join(means, on=_ARM)["means"]
    squares = (table["deviation"] ** 2).groupby([table[name] for name in _ARM]).transform("sum")
    table["sd"] = (squares / degrees) ** 0.5
    return table.loc[degrees > 0, _COLUMNS].reset_index(drop=True)


def draw(frame: pd.DataFrame, plan: StudyPlan, options: Options) -> Figure:
    """Return a panel for each target, with a line for each arm, and its standard deviation in numbers."""
    targets = list(dict.fromkeys(frame["target"]))
    lines = _lines(frame, options)
    label = style.width_of([line.text for line in lines], SMALL)
    titles = {target: MEAN if target == MEAN else options.target(target) for target in targets}
    above = style.LINE * (style.lines_of(titles.values()) - 1)
    bands = style.bands(targets, options.width - label - 0.2, _PANEL)
    height = len(bands) * (sum(line.room for line in lines) * _ROW + _AROUND + above)
    figure, grid = style.panels(options, height, len(bands), len(bands[0]), note=_note(frame, plan), sharex=True)
    reach = 1.1 * frame["deviation"].abs().max() or 1.0
    for target, axes, is_first in style.in_rows(bands, grid):
        axes.set_title(titles[target])
        # at the right, room for the standard deviations
        axes.set_xlim(-reach, 1.55 * reach)
        axes.set_xticks(style.ticks(-reach, reach))
        _panel(axes, frame[frame["target"] == target], style.set_lines(axes, lines, shown=is_first))
    return figure


def _lines(frame: pd.DataFrame, options: Options) -> list[Line]:
    """Return the lines of a panel, named by recipe, model and mixture of their arms."""
    lines = []
    for (recipe, model), name in style.arm_names(frame, options).items():
        mixtures = frame.loc[(frame["recipe"] == recipe) & (frame["model"] == model), "mixture"]
        lines.append(Line(name, weight="bold"))
        lines += [Line(options.mixture(one), (recipe, model, one)) for one in dict.fromkeys(mixtures)]
    return lines


def _panel(axes: Axes, frame: pd.DataFrame, places: Mapping[tuple[str, str, str], float]) -> None:
    """Draw the runs of each arm at its place, and write their standard deviation beside them."""
    style.zero_line(axes)
    heights = pd.Series([places[arm] for arm in frame[_LINE].itertuples(index=False, name=None)], index=frame.index)
    dots: dict[str, Any] = {"color": FIRST, "alpha": 0.7, "markersize": 3, "markeredgewidth": 0.6}
    crosses: dict[str, Any] = {"color": TEXT, "markersize": 3.5, "markeredgewidth": 1}
    for collapsed, mark, look in ((False, "o", dots), (True, "x", crosses)):
        rows = frame["collapsed"] == collapsed
        axes.plot(frame.loc[rows, "deviation"], heights[rows], mark, **look)
    place: dict[str, Any] = {"transform": axes.get_yaxis_transform(), "ha": "right", "va": "center"}
    for height, sd in dict(zip(heights, frame["sd"], strict=True)).items():
        axes.text(0.99, height, f"{sd:.1f}", fontsize=SMALL - 1, **place)


def _note(frame: pd.DataFrame, plan: StudyPlan) -> str:
    """Return how the figure is read, of what is in it."""
    of = "its arm in its world" if plan.worlds else "its arm"
    parts = [f"Every dot is a run, in points from the mean of {of}; at the right the standard deviation."]
    parts += ["Crosses: runs that collapsed."] if frame["collapsed"].any() else []
    return " ".join(parts)
