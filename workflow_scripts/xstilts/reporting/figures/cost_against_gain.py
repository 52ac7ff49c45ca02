"""What a gain costs: gains over no intermediate training against the time that the arm's trainings took."""

import math
from collections.abc import Mapping
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from xstilts.evaluation.analyses.cost import GPU_SECONDS
from xstilts.evaluation.table import records
from xstilts.reporting import wording
from xstilts.reporting.figures import point_labels, style
from xstilts.reporting.figures.inputs import FigureInputs
from xstilts.reporting.figures.options import Options
from xstilts.reporting.figures.point_labels import Point
from xstilts.reporting.figures.style import DECIDED, MUTED, SMALL, Look
from xstilts.store.study_plan import NONE, StudyPlan

NOTHING = "No arm of this study has a gain over none and a measured time, so there is no cost to show beside a gain."
_ARM = ["recipe", "model"]
_COLUMNS = [*_ARM, "mixture", "unit", "seconds", "none", "outcome", "scale"]
_GAIN = ["estimate", "low", "high", "interval", "verdict"]
# points that have room in one panel
_TOGETHER = 12
# inches: least width and height of a panel, and what it has above and below
_WIDTH, _HEIGHT, _AROUND = 1.4, 1.7, 0.55
# times in seconds that stand at an axis of logarithms, and how near two of them may be in widths of it
_UNITS = {"h": 3600, "min": 60, "s": 1}
_TIMES = (
    *(digit * 10.0**power for power in (-2, -1, 0) for digit in (1, 2, 5)),
    *(10, 20, 30, 60, 120, 300, 600, 1200, 1800),
    *(digit * 10.0**power * 3600 for power in range(7) for digit in (1, 2, 5)),
)
_NEAREST = 0.28


def frame(inputs: FigureInputs) -> pd.DataFrame:
    """Return a row for each arm that has a gain over ``none``, from the analysis ``cost``; without a time no rows.

    ``seconds`` is the time of both phases, of a run; missing where it was not measured, or in two units that cannot be
    added. ``none`` is that of the same model without an intermediate phase, missing where its unit is another one.
    """
    table = inputs.analyses("cost")
    table = table.assign(seconds=table["intermediate"] + table["target"])
    none = table[table["mixture"] == NONE].set_index([*_ARM, "unit"])["seconds"].rename("none")
    found = table[table["estimate"].notna()].join(none, on=[*_ARM, "unit"])[[*_COLUMNS, *_GAIN]]
    return (found if found["seconds"].notna().any() else found.iloc[:0]).reset_index(drop=True)


def draw(frame: pd.DataFrame, plan: StudyPlan, options: Options) -> Figure:
    """Return one panel for each unit of time, of many arms one for each model."""
    shown = frame.dropna(subset=["seconds"])
    names = style.arm_names(shown, options)
    looks = style.series(names)
    parts = _parts(shown)
    texts = [options.mixture(mixture) for mixture in shown["mixture"]]
    height = point_labels.height_for(max(map(len, parts)) * style.lines_of(texts), _HEIGHT)
    least = _WIDTH + style.width_of(texts, SMALL)
    bands = style.bands(parts, options.width - 0.4, least)
    above = style.LINE * (style.lines_of(names.values()) - 1)
    total = len(bands) * (height + _AROUND + above)
    figure, grid = style.panels(options, total, len(bands), len(bands[0]), note=_note(frame, plan))
    ends = [0.0, *shown["low"].dropna(), *shown["high"].dropna(), *shown["estimate"]]
    room = 0.06 * (max(ends) - min(ends)) or 1.0
    for part, axes, is_first in style.in_rows(bands, grid):
        there = list(style.arm_names(part, options))
        axes.set_title(names[there[0]] if len(there) == 1 else "")
        unit = part["unit"].iloc[0]
        _time_axis(axes, shown[shown["unit"] == unit])
        axes.set_xlabel("GPU time of a run" if unit == GPU_SECONDS else "CPU time of a run")
        axes.set_ylabel(f"gain over none ({frame['scale'].iloc[0]})" if is_first else "")
        axes.set_ylim(min(ends) - room, max(ends) + room)
        axes.tick_params(labelleft=is_first)
        _panel(axes, part, looks, options, height)
    if any(len(part[_ARM].drop_duplicates()) > 1 for part in parts):
        style.legend(figure, {names[arm]: look for arm, look in looks.items()}, options)
    return figure


def _parts(shown: pd.DataFrame) -> list[pd.DataFrame]:
    """Return the rows of each panel."""
    parts = []
    for _, of_unit in shown.groupby("unit", sort=False):
        by_arm = [of_arm for _, of_arm in of_unit.groupby(_ARM, sort=False)]
        parts += [of_unit] if len(of_unit) <= _TOGETHER else by_arm
    return parts


def _time_axis(axes: Axes, rows: pd.DataFrame) -> None:
    """Give a panel the axis of the times of some rows: of logarithms where they span more than a factor of ten."""
    times = [*rows["seconds"], *rows["none"].dropna()]
    low, high = min(times), max(times)
    if low > 0 and high / low > 10:
        low, high = low / 1.25, high * 1.25
        axes.set_xscale("log")
        axes.set_xlim(low, high)
        places = ticks_of_logarithms(low, high)
    else:
        axes.set_xlim(0, 1.06 * high or 1)
        size = next((size for size in _UNITS.values() if high >= 2 * size), 1)
        places = [size * place for place in MaxNLocator(3).tick_values(0, high / size) if size * place <= 1.06 * high]
    axes.set_xticks(places, map(duration, places))
    axes.minorticks_off()


def ticks_of_logarithms(low: float, high: float) -> list[float]:
    """Return round times from low to high, in seconds, whose texts have room beside each other."""
    found: list[float] = []
    for time in _TIMES:
        near = found and math.log(time / found[-1]) / math.log(high / low) < _NEAREST
        if low <= time <= high and not near:
            found.append(time)
    return found


def duration(seconds: float) -> str:
    """Return a time in the largest unit of which it is one or more, such as ``1.5 h``; none is 0."""
    if not seconds:
        return "0"
    name, size = next(((name, size) for name, size in _UNITS.items() if seconds >= size), ("s", 1))
    return f"{seconds / size:.3g} {name}"


def _panel(
    axes: Axes, part: pd.DataFrame, looks: Mapping[tuple[str, str], Look], options: Options, height: float
) -> None:
    """Draw the gains of some arms, each with its interval, and the time of none."""
    axes.axhline(0, color=MUTED, linewidth=0.8, zorder=1)
    points = []
    for row in records(part):
        look = looks[row["recipe"], row["model"]]
        face = look.colour if row["verdict"] in DECIDED else "white"
        if pd.notna(row["low"]):
            axes.plot([row["seconds"]] * 2, [row["low"], row["high"]], color=look.colour, linewidth=0.8)
        mark: dict[str, Any] = {"color": look.colour, "markerfacecolor": face, "zorder": 3}
        axes.plot(row["seconds"], row["estimate"], look.mark, **mark)
        points.append(Point(row["seconds"], row["estimate"], options.mixture(row["mixture"]), look.colour))
    for arm, time in part.dropna(subset=["none"]).groupby(_ARM, sort=False)["none"].first().items():
        colour = looks[arm].colour if isinstance(arm, tuple) else MUTED
        axes.axvline(time, color=colour, linewidth=0.8, linestyle=":", zorder=0)
    point_labels.write(axes, points, height)


def _note(frame: pd.DataFrame, plan: StudyPlan) -> str:
    """Return how the figure is read, of what is in it."""
    first, left_out = frame.iloc[0], int(frame["seconds"].isna().sum())
    parts = [f"Gains on the outcome {first['outcome']} with their {style.over(frame['interval'])}."]
    if frame["verdict"].isin(DECIDED).any():
        parts.append(style.FILLED)
    parts.append("Time: both phases of a run, as measured.")
    if frame["none"].notna().any():
        parts.append("Dotted: the time of none.")
    if left_out:
        parts.append(f"Left out: {wording.counted(left_out, 'arm')} whose time is not known, or not in one unit.")
    return " ".join(parts)
