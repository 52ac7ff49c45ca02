"""How all figures look: sizes, fonts, colours and marks.

The colours of series are those of Okabe and Ito (2008), which people with any kind of colour blindness tell apart. They
are in an order in which neighbours differ in lightness, and each comes with a mark of its own, so that a figure that is
printed in grey says the same.
"""

import itertools
import math
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import Colormap, to_rgb
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties
from matplotlib.lines import Line2D
from matplotlib.patches import PathPatch
from matplotlib.path import Path
from matplotlib.textpath import TextToPath

from xstilts.evaluation.intervals import EQUIVALENT, EXAMPLES_ONLY, HIGHER, LOWER
from xstilts.reporting import wording
from xstilts.reporting.figures import empty
from xstilts.reporting.figures.options import Options
from xstilts.store.study_plan import NONE

# sizes of text in points, and the height of a line of small text in inches
SMALL, MEDIUM, LINE = 6.5, 7.5, 0.125
# how much wider bold letters are
BOLD = 1.15
TEXT, MUTED, RULE, BAND = "#1a1a1a", "#6b6b6b", "#c8c8c8", "#e9e9e9"
_BLACK = "#222222"
_COLOURS = ("#0072b2", "#e69f00", _BLACK, "#56b4e9", "#d55e00", "#009e73", "#cc79a7")
# of two series that are compared
FIRST, SECOND = _COLOURS[0], _COLOURS[4]
# what is filled or coloured; all else is drawn open or grey
DECIDED = (HIGHER, LOWER, EQUIVALENT)
# how a note says so of differences, whose verdicts are corrected where they are primary
FILLED = "Filled: decided, primary ones corrected for their number."
_to_path = TextToPath()
_MARKS = ("o", "s", "^", "D", "v", "P", "X", "<", ">", "p", "h")
# text stays text, and its font stands in the file; the same input gives the same ids
SETTINGS: dict[Any, Any] = {
    # names are no formulas
    "text.parse_math": False,
    "pdf.fonttype": 42,
    "svg.fonttype": "none",
    "svg.hashsalt": "xstilts",
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": MEDIUM,
    "axes.titlesize": MEDIUM,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.labelsize": MEDIUM,
    "axes.labelcolor": TEXT,
    "axes.edgecolor": MUTED,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.unicode_minus": True,
    "xtick.labelsize": SMALL,
    "ytick.labelsize": SMALL,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": TEXT,
    "ytick.labelcolor": TEXT,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "legend.frameon": False,
    "legend.fontsize": SMALL,
    "text.color": TEXT,
    "lines.linewidth": 1.2,
    "lines.markersize": 4,
    "patch.linewidth": 0.6,
    "hatch.linewidth": 0.5,
    "figure.dpi": 200,
    "savefig.dpi": 200,
    "figure.constrained_layout.h_pad": 0.03,
    "figure.constrained_layout.w_pad": 0.03,
}

Panel = TypeVar("Panel")
Name = TypeVar("Name", bound=Hashable)
# places on an axis
Places = Sequence[float] | pd.Series


@dataclass(frozen=True)
class Look:
    """Colour, mark and style of line of a series."""

    colour: str
    mark: str
    line: str = "-"


@dataclass(frozen=True)
class Line:
    """A line of a panel, such as a language or an arm; a heading has no name.

    Attributes:
        text: at its left.
        name: of what is drawn in it.
        weight: of the text.
        colour: of the text.
        height: in units of the panel's axis.
    """

    text: str
    name: Any = None
    weight: str = "normal"
    colour: str = TEXT
    height: float = 1.0

    @property
    def room(self) -> float:
        """Its height, and at least what the lines of its text take."""
        return max(self.height, float(lines_of([self.text])))


def series(names: Iterable[Name], colours: Sequence[str] = _COLOURS) -> dict[Name, Look]:
    """Return a look for each name; of seven colours no two looks are alike among 77."""
    return {
        name: Look(colours[index % len(colours)], _MARKS[index % len(_MARKS)])
        for index, name in enumerate(dict.fromkeys(names))
    }


def mixtures(names: Iterable[str]) -> dict[str, Look]:
    """Return the looks of mixtures, alike in all figures: ``none`` is dark and dashed, the empty name is muted.

    Args:
        names: the plan's mixtures in its order, then any others.
    """
    apart = {NONE: Look(TEXT, "o", "--"), "": Look(MUTED, "o")}
    # no other line is dark
    return series((name for name in names if name not in apart), [one for one in _COLOURS if one != _BLACK]) | apart


def arm_names(frame: pd.DataFrame, options: Options) -> dict[tuple[str, str], str]:
    """Return the name of each recipe and model of a frame, in its order; with the recipe where there are several."""
    arms = dict.fromkeys(zip(map(str, frame["recipe"]), map(str, frame["model"]), strict=True))
    several = len({recipe for recipe, _ in arms}) > 1
    return {(recipe, model): options.model(model) + (f", {recipe}" if several else "") for recipe, model in arms}


def panels(
    options: Options, height: float, rows: int = 1, columns: int = 1, note: str = "", **more: Any
) -> tuple[Figure, Any]:
    """Return a figure of the options' width, and its axes as an array of shape (rows, columns).

    Args:
        options: of the figure.
        height: of the panels in inches.
        rows: of panels.
        columns: of panels.
        note: how the figure is read, below the panels.
        more: for ``Figure.subplots``.
    """
    lines = wrapped(note, options.width - 0.1) if note else []
    figure = Figure(figsize=(options.width, height + LINE * len(lines)), layout="constrained")
    axes = figure.subplots(rows, columns, squeeze=False, **more)
    if lines:
        figure.supxlabel("\n".join(lines), x=0.05 / options.width, ha="left", fontsize=SMALL, color=MUTED)
    return figure, axes


def sentence(text: str, options: Options) -> Figure:
    """Return a figure that says a sentence in place of data."""
    figure, axes = panels(options, 0.2, note=text)
    figure.set_gid(empty.ID)
    axes[0, 0].set_axis_off()
    return figure


def bands(names: Sequence[Panel], room: float, least: float) -> list[Sequence[Panel]]:
    """Return panels in rows of panels, as many in a row as have room, all rows alike but the last.

    Args:
        names: of the panels, or the panels themselves.
        room: in inches.
        least: the least width of a panel in inches.
    """
    in_row = min(len(names), max(1, int(room / least)))
    rows = math.ceil(len(names) / in_row)
    in_row = math.ceil(len(names) / rows)
    return [names[start : start + in_row] for start in range(0, len(names), in_row)]


def in_rows(rows: Iterable[Sequence[Panel]], grid: np.ndarray) -> Iterator[tuple[Panel, Axes, bool]]:
    """Yield each panel with its axes, and whether it is the first in its row; what is left of a row is switched off.

    Args:
        rows: panels, a sequence for each row.
        grid: axes, of shape (rows, columns).
    """
    for axes in grid.flat:
        axes.set_axis_off()
    for row, of_row in zip(rows, grid, strict=True):
        for panel, axes in zip(row, of_row, strict=False):
            axes.set_axis_on()
            yield panel, axes, axes is of_row[0]


def width_of(texts: Iterable[str], size: float) -> float:
    """Return the width in inches of the widest of some texts, at a size in points; 0 without any."""
    font = FontProperties(family=SETTINGS["font.sans-serif"], size=size)
    lines = [line for text in texts for line in text.splitlines()]
    widths = [_to_path.get_text_width_height_descent(line, font, ismath=False)[0] for line in lines]
    return max(widths, default=0.0) / 72


def lines_of(texts: Iterable[str]) -> int:
    """Return the number of lines of the text that has most of them, at least one."""
    return max((1 + text.count("\n") for text in texts), default=1)


def wrapped(text: str, width: float, size: float = SMALL) -> list[str]:
    """Return the lines of a text that is so many inches wide, at a size in points."""
    lines: list[str] = []
    for word in text.split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and width_of([longer], size) <= width:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines


def zero_line(axes: Axes) -> None:
    """Draw the vertical line of no difference."""
    axes.axvline(0, color=MUTED, linewidth=0.8, zorder=1)


def segments(axes: Axes, y: Places, low: Places, high: Places, **look: Any) -> None:
    """Draw horizontal lines of one look as one path: in a file each has a few bytes, not a hundred.

    Args:
        axes: where to.
        y: heights.
        low: their left ends.
        high: their right ends.
        look: properties of a patch.
    """
    ends = np.column_stack([low, y, high, y]).reshape(-1, 2)
    codes = [Path.MOVETO, Path.LINETO] * len(y)
    axes.add_patch(PathPatch(Path(ends, codes), fill=False, capstyle="butt", **look))


def curve(axes: Axes, x: pd.Series, middle: pd.Series, ends: pd.DataFrame, look: Look) -> None:
    """Draw a curve, and behind it a range.

    Args:
        axes: where to.
        x: places of its points.
        middle: their heights.
        ends: the ends of the range there, ``low`` and ``high``.
        look: of the curve.
    """
    span = (ends["low"].to_numpy(), ends["high"].to_numpy())
    axes.fill_between(x.to_numpy(), *span, color=look.colour, alpha=0.12, linewidth=0, zorder=1)
    axes.plot(x, middle, look.line, color=look.colour, linewidth=1)


def set_lines(axes: Axes, lines: Sequence[Line], shown: bool) -> dict[Any, float]:
    """Give a panel lines from top to bottom, with their names at its left; return the middle of each by its name.

    Args:
        axes: the panel.
        lines: the lines.
        shown: whether this panel has the names, or one at its left.
    """
    ends = list(itertools.accumulate(line.room for line in lines))
    middles = [end - line.room / 2 for line, end in zip(lines, ends, strict=True)]
    axes.set_ylim(ends[-1], 0)
    axes.spines["left"].set_visible(False)
    axes.tick_params(axis="y", length=0, pad=2)
    axes.set_yticks(middles if shown else [], [line.text for line in lines] if shown else [])
    for tick, line in zip(axes.yaxis.get_major_ticks(), lines, strict=False):
        tick.label1.set(fontweight=line.weight, color=line.colour)
    places = {line.name: middle for line, middle in zip(lines, middles, strict=True) if line.name is not None}
    low, high = ([end] * len(places) for end in axes.get_xlim())
    segments(axes, list(places.values()), low, high, color=BAND, linewidth=0.6, zorder=0)
    return places


def legend(figure: Figure, looks: Mapping[str, Look], options: Options) -> None:
    """Name series above the panels."""
    handles = [Line2D([], [], color=look.colour, marker=look.mark, linewidth=0.8) for look in looks.values()]
    columns = max(1, int(options.width / (width_of(looks, SMALL) + 0.45)))
    # panels have room for one line above them
    more = math.ceil(len(looks) / columns) * lines_of(looks) - 1
    figure.set_figheight(figure.get_figheight() + more * LINE)
    figure.legend(handles, list(looks), loc="outside upper left", ncols=columns, borderaxespad=0.2)


def limits(values: pd.DataFrame) -> tuple[float, float]:
    """Return the ends of an axis of differences: all values and 0 are within, and some room on both sides of 0."""
    low, high = 1.06 * float(values.min().min()), 1.06 * float(values.max().max())
    return min(low, -0.3 * high, -0.1), max(high, -0.3 * low, 0.1)


def ticks(low: float, high: float) -> list[float]:
    """Return ticks of an axis that has 0 within: 0, and on both sides the same of 1, 2, 5, 10, ... where there is room.

    None is near an end, where its number would run into that of the next panel.
    """
    reach = 0.85 * max(-low, high)
    power = 10.0 ** math.floor(math.log10(reach))
    end = max(step * power for step in (1, 2, 5) if step * power <= reach)
    return [place for place in (-end, 0.0, end) if 0.92 * low <= place <= 0.92 * high]


def points(value: float) -> str:
    """Return a difference in points with its sign; a rounded zero has that of no loss."""
    return f"{round(value, 1) + 0.0:+.1f}".replace("-", "\N{MINUS SIGN}")


def over(kinds: Iterable[str]) -> str:
    """Return what the lines around estimates are, by what their intervals are over."""
    names = {EXAMPLES_ONLY: "range over examples"}
    return wording.listed(dict.fromkeys(names.get(kind, f"95 % interval over {kind}") for kind in kinds if kind))


def ink_on(colour: Any) -> str:
    """Return black or white, whichever is read better on a colour (WCAG 2.2, relative luminance)."""
    linear = [value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in to_rgb(colour)]
    luminance = sum(share * value for share, value in zip((0.2126, 0.7152, 0.0722), linear, strict=True))
    return TEXT if luminance > 0.18 else "white"


def diverging(options: Options) -> Colormap:
    """Return the colour map of gains and losses."""
    # half the time of a job, for those figures only that need it
    import seaborn

    return seaborn.color_palette(options.palette, as_cmap=True)
