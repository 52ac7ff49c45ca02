"""Gains over no intermediate training, mixtures by targets, with their intervals.

A cell has a colour only where the gain is decided: higher or lower. What is undecided is grey on white.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import Colormap, Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Patch, Rectangle

from xstilts.evaluation.comparisons import POINTS
from xstilts.evaluation.estimates import ALL_RUNS
from xstilts.evaluation.intervals import EQUIVALENT, HIGHER, LOWER, UNDECIDED
from xstilts.evaluation.outcomes import ZERO_SHOT
from xstilts.evaluation.table import records
from xstilts.reporting import wording
from xstilts.reporting.figures import style
from xstilts.reporting.figures.inputs import FigureInputs
from xstilts.reporting.figures.options import Options
from xstilts.reporting.figures.style import LINE, MUTED, RULE, SMALL, TEXT
from xstilts.reporting.main_table import MEAN
from xstilts.store.answer import SMALLEST
from xstilts.store.study_plan import NONE, StudyPlan

NOTHING = "No mixture of this study is compared with none on a target in percent, so there is no gain to show."
_COLUMNS = ["model", "recipe", "mixture", "target", "estimate", "low", "high", "interval", "verdict", "runs", "n"]
_DECIDED = (HIGHER, LOWER)
# inches: width and height of a cell, and of a panel what is above its cells
_CELL, _ROW, _AROUND = 0.56, 0.27, 0.42
# inches: what the legend of colours takes
_LEGEND = 0.2


def frame(inputs: FigureInputs) -> pd.DataFrame:
    """Return a row for each gain: model, recipe, mixture and target, estimate, interval and verdict, runs and examples.

    The target ``mean`` is the mean over all targets in percent, where there are several.
    """
    plan, table = inputs.plan, inputs.estimates
    gains = table[
        (table["b"] == NONE)
        & table["a"].isin(list(plan.mixtures))
        & (table["model"] != "")
        & (table["outcome"] == ZERO_SHOT)
        & (table["scale"] == POINTS)
        & (table["runs_used"] == ALL_RUNS)
        & table["world"].isna()
    ]
    gains = gains[gains["target"].isin(list(plan.targets)) | (gains["target"] == "")]
    alone = gains.loc[gains["target"] != "", "target"].nunique()
    # the mean over all targets, not that of a contrast over some of them
    gains = gains[(gains["target"] != "") | (gains["targets"] == alone)]
    gains = gains.assign(
        mixture=gains["a"],
        target=gains["target"].replace("", MEAN),
        runs=gains[["runs_a", "runs_b"]].min(axis=1),
    ).drop_duplicates(["model", "recipe", "mixture", "target"])
    order = {name: index for index, name in enumerate([*plan.targets, MEAN])}
    mixtures = {name: index for index, name in enumerate(plan.mixtures)}
    models = {name: index for index, name in enumerate(dict.fromkeys(cell.model for cell in plan.cells))}
    ranks = {"model": models, "mixture": mixtures, "target": order}
    gains = gains.sort_values(
        ["recipe", "model", "mixture", "target"],
        key=lambda column: column.map(ranks[str(column.name)]) if column.name in ranks else column,
        kind="stable",
    )
    return gains[_COLUMNS].reset_index(drop=True)


def draw(frame: pd.DataFrame, plan: StudyPlan, options: Options) -> Figure:
    """Return the matrices of all models, as many side by side as the width has room for."""
    targets, mixtures = list(dict.fromkeys(frame["target"])), list(dict.fromkeys(frame["mixture"]))
    room = options.width - style.width_of(map(options.mixture, mixtures), SMALL) - 0.2
    columns = min(len(targets), max(1, int(room / _CELL)))
    blocks = [targets[start : start + columns] for start in range(0, len(targets), columns)]
    names = style.arm_names(frame, options)
    panels = [(arm, block) for arm in names for block in blocks]
    beside = min(len(panels), max(1, int(room / (columns * _CELL + 0.1)))) if len(blocks) == 1 else 1
    rows = [panels[start : start + beside] for start in range(0, len(panels), beside)]
    row = max(_ROW, LINE * style.lines_of(map(options.mixture, mixtures)) + 0.02)
    above = LINE * (style.lines_of(names.values()) - 1) + _above(targets, options)
    height = len(rows) * (len(mixtures) * row + _AROUND + above)
    has_colours = bool(frame["verdict"].isin(_DECIDED).any())
    figure, grid = style.panels(options, height + _LEGEND * has_colours, len(rows), beside, note=_note(frame, plan))
    colours, largest = style.diverging(options), _largest(frame)
    # the same range on both sides, so that no gain is the colour in the middle
    scale = Normalize(-largest, largest)
    for ((recipe, model), block), axes, is_first in style.in_rows(rows, grid):
        _table(axes, block, mixtures, options, columns, is_first)
        axes.set_title(names[recipe, model])
        cells = frame[(frame["recipe"] == recipe) & (frame["model"] == model) & frame["target"].isin(block)]
        for cell in records(cells):
            _cell(axes, cell, block.index(cell["target"]), mixtures.index(cell["mixture"]), colours, scale)
    if has_colours:
        _legend(figure, largest, colours, scale)
    return figure


def _legend(figure: Figure, largest: float, colours: Colormap, scale: Normalize) -> None:
    """Say above the panels which colour is which gain."""
    steps = [share * largest for share in (-1.0, -0.5, 0.5, 1.0)]
    patches = [Patch(facecolor=colours(scale(step)), edgecolor=RULE, label=style.points(step)) for step in steps]
    figure.legend(handles=patches, loc="outside upper left", ncols=len(patches), borderaxespad=0.2)


def _targets(targets: Iterable[str], options: Options) -> tuple[list[str], bool]:
    """Return the labels of targets, and whether they are slanted, because one is wider than a cell."""
    names = [MEAN if target == MEAN else options.target(target) for target in targets]
    return names, style.width_of(names, SMALL) > _CELL


def _above(targets: Iterable[str], options: Options) -> float:
    """Return the height in inches that labels of targets take, beyond that of a line as wide as a cell."""
    names, slanted = _targets(targets, options)
    lines = LINE * (style.lines_of(names) - 1)
    # at 30 degrees, half the width stands upright
    return lines + (style.width_of(names, SMALL) - _CELL) / 2 if slanted else lines


def _largest(frame: pd.DataFrame) -> float:
    decided = frame.loc[frame["verdict"].isin(_DECIDED), "estimate"].abs()
    return float(decided.max()) if len(decided) else 1.0


def _note(frame: pd.DataFrame, plan: StudyPlan) -> str:
    """Return how the matrix is read, of what is in it."""
    verdicts = set(frame["verdict"])
    smallest = plan.answer.smallest if plan.answer else SMALLEST
    parts = [f"Points; below, the {style.over(frame['interval'])}."]
    if verdicts & set(_DECIDED):
        parts.append("Coloured: higher or lower than none at 5 %, corrected for their number where primary.")
    if EQUIVALENT in verdicts:
        parts.append(f"≈: equivalent within {wording.counted(smallest, 'point')}.")
    if UNDECIDED in verdicts:
        parts.append("Grey: undecided.")
    if "" in verdicts:
        parts.append("Grey, one run an arm or all collapsed: no verdict.")
    return " ".join(parts)


def _table(
    axes: Axes, targets: Sequence[str], mixtures: Sequence[str], options: Options, columns: int, labelled: bool
) -> None:
    """Lay out the cells of a panel, with the names of targets above and those of mixtures at the left."""
    axes.spines[:].set_visible(False)
    axes.set(xlim=(0, columns), ylim=(len(mixtures), 0))
    names, slanted = _targets(targets, options)
    rotation: dict[str, Any] = {"rotation": 30, "ha": "left", "rotation_mode": "anchor"} if slanted else {}
    axes.set_xticks([index + 0.5 for index in range(len(names))], names, **rotation)
    rows = list(enumerate(mixtures)) if labelled else []
    axes.set_yticks([index + 0.5 for index, _ in rows], [options.mixture(name) for _, name in rows])
    axes.tick_params(length=0, top=False, labeltop=True, labelbottom=False, pad=2)


def _cell(axes: Axes, cell: Mapping[str, Any], column: int, row: int, colours: Colormap, scale: Normalize) -> None:
    decided = cell["verdict"] in _DECIDED
    fill = colours(scale(cell["estimate"])) if decided else "white"
    axes.add_patch(Rectangle((column + 0.02, row + 0.03), 0.96, 0.94, facecolor=fill, edgecolor=RULE))
    ink = style.ink_on(fill) if decided else TEXT if cell["verdict"] == EQUIVALENT else MUTED
    value = ("≈ " if cell["verdict"] == EQUIVALENT else "") + style.points(cell["estimate"])
    weight = "bold" if decided else "normal"
    middle: dict[str, Any] = {"ha": "center", "va": "center", "color": ink}
    axes.text(column + 0.5, row + 0.33, value, fontsize=SMALL, fontweight=weight, **middle)
    ends = f"{style.points(cell['low'])}, {style.points(cell['high'])}"
    axes.text(column + 0.5, row + 0.72, ends, fontsize=SMALL - 1.7, **middle)
