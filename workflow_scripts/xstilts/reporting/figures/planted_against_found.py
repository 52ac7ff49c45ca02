"""What was planted against what was found: differences between mixtures whose shares of right answers are known.

The tasks ``planted_<dose>`` of the miniature world have the same rows and differ in the share of right answers alone
(docs/miniature.md). How large an effect a dose has is not known, but that it has one is, and that no dose has none.
"""

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from xstilts.data.sources import miniature
from xstilts.evaluation import outcomes
from xstilts.evaluation.analyses import measured
from xstilts.evaluation.comparisons import DIFFERENCE
from xstilts.evaluation.estimates import ALL_RUNS
from xstilts.evaluation.table import records
from xstilts.reporting.figures import point_labels, style
from xstilts.reporting.figures.inputs import FigureInputs
from xstilts.reporting.figures.options import Options
from xstilts.reporting.figures.point_labels import Point
from xstilts.reporting.figures.style import DECIDED, FIRST, MUTED, SECOND, SMALL
from xstilts.store.specs.data import PreparedSpec, TrainingDataSpec
from xstilts.store.study_plan import StudyPlan

NOTHING = "This study compares no two mixtures in which a known share of answers is right, so nothing is planted."
_ARM = ["recipe", "model"]
_COLUMNS = [*_ARM, "a", "b", "planted", "scale", "world", "estimate", "low", "high", "interval", "verdict"]
# inches: least width and height of a panel, and what it has above and below
_WIDTH, _HEIGHT, _AROUND = 1.4, 1.7, 0.55
# how far the dots of worlds stand at the left of their mean, in widths of the panel
_OFFSET = 0.035


def frame(inputs: FigureInputs) -> pd.DataFrame:
    """Return a row for each difference of two mixtures with a dose, on the study's main outcome, and for each world.

    ``planted`` is the dose of ``a`` minus that of ``b``, in percent of the rows. ``world`` is missing in the row over
    all worlds, and in a study of one.
    """
    plan, table, doses = inputs.plan, inputs.estimates, _doses(inputs.plan)
    main = outcomes.of_analyses(plan, measured.rows_of(plan, inputs.scores))[0]
    found = table[
        (table["kind"] == DIFFERENCE)
        & (table["model"] != "")
        & table["a"].isin(list(doses))
        & table["b"].isin(list(doses))
        & (table["outcome"] == main.name)
        & (table["targets"] == len(main.targets))
        & table["target"].isin([main.target, ""])
        & (table["runs_used"] == ALL_RUNS)
    ].drop_duplicates([*_ARM, "a", "b", "world"])
    planted = found["a"].map(doses).astype(float) - found["b"].map(doses).astype(float)
    return found.assign(planted=planted)[_COLUMNS].reset_index(drop=True)


def _doses(plan: StudyPlan) -> dict[str, int]:
    """Return of mixtures of one task with planted effects how many percent of its rows have the right answer."""
    of_tasks = {
        spec.task: dose
        for name, node in plan.nodes.items()
        if name.partition("/")[0] == PreparedSpec.stage and isinstance(spec := node.spec, TrainingDataSpec)
        for files in spec.splits.values()
        for file in files
        if (dose := miniature.planted_dose(file.file)) is not None
    }
    alone = {name: tasks[0] for name, tasks in plan.mixtures.items() if len(tasks) == 1}
    return {name: of_tasks[task] for name, task in alone.items() if task in of_tasks}


def draw(frame: pd.DataFrame, plan: StudyPlan, options: Options) -> Figure:
    """Return a panel for each model: what was found by what was planted."""
    names = style.arm_names(frame, options)
    texts = _texts(frame, options)
    height = point_labels.height_for(len(texts) * style.lines_of(texts.values()), _HEIGHT)
    bands = style.bands(list(names), options.width - 0.4, _WIDTH + style.width_of(texts.values(), SMALL))
    above = style.LINE * (style.lines_of(names.values()) - 1)
    total = len(bands) * (height + _AROUND + above)
    figure, grid = style.panels(options, total, len(bands), len(bands[0]), note=_note(frame, options))
    ends = [0.0, *frame["low"].dropna(), *frame["high"].dropna(), *frame["estimate"]]
    room = 0.06 * (max(ends) - min(ends)) or 1.0
    low, high = min(0.0, frame["planted"].min()), max(0.0, frame["planted"].max())
    side = 0.1 * (high - low) or 10.0
    for (recipe, model), axes, is_first in style.in_rows(bands, grid):
        axes.set_title(names[recipe, model])
        axes.set(xlim=(low - side, high + side), ylim=(min(ends) - room, max(ends) + room))
        axes.set_xticks([dose for dose in (-100, -50, 0, 50, 100) if low <= dose <= high])
        axes.set_ylabel(f"found ({frame['scale'].iloc[0]})" if is_first else "")
        axes.tick_params(labelleft=is_first)
        _panel(axes, frame[(frame["recipe"] == recipe) & (frame["model"] == model)], texts, height)
    for axes in grid[-1]:
        axes.set_xlabel("planted (percent of rows)")
    return figure


def _texts(frame: pd.DataFrame, options: Options) -> dict[tuple[str, str], str]:
    """Return the names of differences: those of the mixtures that come first, where all have the second in common."""
    pairs = list(dict.fromkeys(zip(frame["a"], frame["b"], strict=True)))
    if frame["b"].nunique() == 1:
        return {pair: options.mixture(pair[0]) for pair in pairs}
    return {pair: f"{options.mixture(pair[0])} \N{MINUS SIGN} {options.mixture(pair[1])}" for pair in pairs}


def _panel(axes: Axes, part: pd.DataFrame, texts: dict[tuple[str, str], str], height: float) -> None:
    """Draw the differences of a model with their intervals, and beside them those of single worlds."""
    axes.axhline(0, color=MUTED, linewidth=0.8, zorder=1)
    left, right = axes.get_xlim()
    worlds = part[part["world"].notna()]
    shifted = worlds["planted"] - _OFFSET * (right - left)
    axes.plot(shifted, worlds["estimate"], "o", color=SECOND, markerfacecolor="white", markersize=3, alpha=0.8)
    points = []
    for row in records(part[part["world"].isna()]):
        if pd.notna(row["low"]):
            axes.plot([row["planted"]] * 2, [row["low"], row["high"]], color=FIRST, linewidth=1)
        face = FIRST if row["verdict"] in DECIDED else "white"
        axes.plot(row["planted"], row["estimate"], "D", color=FIRST, markerfacecolor=face, zorder=3)
        points.append(Point(row["planted"], row["estimate"], texts[row["a"], row["b"]], MUTED))
    point_labels.write(axes, points, height)


def _note(frame: pd.DataFrame, options: Options) -> str:
    """Return how the figure is read, of what is in it."""
    second = options.mixture(frame["b"].iloc[0]) if frame["b"].nunique() == 1 else "the mixture that is subtracted"
    parts = [
        f"Across: the share of rows with the right answer, minus that of {second} (percent).",
        f"Upwards: the difference between the two and its {style.over(frame['interval'])}.",
    ]
    if frame["verdict"].isin(DECIDED).any():
        parts.append(style.FILLED)
    if frame["world"].notna().any():
        parts.append("Circles: single worlds.")
    if (frame["planted"] == 0).any():
        parts.append("Where nothing is planted, the true difference is 0.")
    return " ".join(parts)
