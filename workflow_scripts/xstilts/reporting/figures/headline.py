"""The study's question: several intermediate tasks minus a single one, by family and size, and the interaction beside.

Runs are not paired, so none has a difference of its own. Those of both arms are drawn on one scale instead, as points
above or below the mean of the single task's runs: the distance between the two clouds is the estimate.
"""

from collections.abc import Collection, Iterator, Mapping
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from xstilts.evaluation.analyses import measured
from xstilts.evaluation.comparisons import DIFFERENCE, ORACLE_SINGLE, POINTS, Comparison, comparisons
from xstilts.evaluation.estimates import ALL_RUNS
from xstilts.evaluation.table import records
from xstilts.reporting import wording
from xstilts.reporting.figures import style
from xstilts.reporting.figures.inputs import FigureInputs
from xstilts.reporting.figures.options import Options, in_short_lines
from xstilts.reporting.figures.style import BAND, BOLD, DECIDED, FIRST, MUTED, SECOND, SMALL, TEXT
from xstilts.store.answer import ANSWER, SMALLEST
from xstilts.store.study_plan import StudyPlan

NOTHING = "This study does not compare several intermediate tasks with a single one in points: no headline."
# what a row of the frame is: an estimate, a run of one of the arms, or the estimate in one of several worlds
ESTIMATE, MULTI, SINGLE, WORLD = "estimate", "several tasks", "single task", "world"
_KEYS = ["budget", "recipe", "family", "size", "model", "kind", "a", "b"]
_COLUMNS = [*_KEYS, "what", "mixture", "value", "low", "high", "interval", "verdict", "collapsed"]
# of a row of which it is not said
_NOT_SAID = {"mixture": "", "interval": "", "verdict": "", "collapsed": False}
# inches: of a row, and of what a panel has above and below its rows
_ROW, _AROUND = 0.56, 0.42
# a width in inches from which the interaction stands beside the differences, not below
_WIDE = 5.0
# of which they have these shares
_SHARES = (1.7, 1.0)
# within a row, from its top: the text, the estimate, the runs of several tasks and of a single one
_HEAD, _BAR, _UPPER, _LOWER = 0.14, 0.4, 0.64, 0.84


def frame(inputs: FigureInputs) -> pd.DataFrame:
    """Return what is drawn of each difference and interaction of the answer, on its main outcome.

    ``what`` is an estimate with its interval and verdict; a run of the arm of several tasks or of a single one, whose
    ``value`` is its outcome minus the mean of the single task's runs; or the estimate in one of several worlds. Where
    the single task is chosen in every run, the runs are all those of the tasks that were chosen.
    """
    answer = inputs.estimates[
        (inputs.estimates["name"] == ANSWER)
        & (inputs.estimates["scale"] == POINTS)
        & (inputs.estimates["b"] != ORACLE_SINGLE)
        & (inputs.estimates["runs_used"] == ALL_RUNS)
    ]
    # an answer begins with its main outcome
    for name in ("outcome", "target") if len(answer) else ():
        answer = answer[answer[name] == answer[name].iloc[0]]
    compared = {tuple(getattr(one, name) for name in _KEYS): one for one in _compared(inputs, answer)}
    rows = []
    for row in records(answer):
        keys = {name: row[name] for name in _KEYS}
        if not pd.isna(row["world"]):
            rows.append({**keys, "what": WORLD, "value": row["estimate"]})
            continue
        shown = {name: row[name] for name in ("low", "high", "interval", "verdict")}
        rows.append({**keys, **shown, "what": ESTIMATE, "value": row["estimate"]})
        if row["kind"] == DIFFERENCE and not inputs.plan.worlds:
            rows += [{**keys, **run} for run in _runs(inputs.scores, compared[tuple(keys.values())], row)]
    found = pd.DataFrame([{**_NOT_SAID, **row} for row in rows], columns=_COLUMNS)
    return found.astype({name: float for name in ("value", "low", "high")})


def _compared(inputs: FigureInputs, answer: pd.DataFrame) -> Iterator[Comparison]:
    """Yield the comparisons behind some rows of the answer."""
    outcomes = set(zip(answer["outcome"], answer["target"], strict=True))
    for one in comparisons(inputs.plan, measured.rows_of(inputs.plan, inputs.scores)):
        if one.name == ANSWER and one.scale == POINTS and (one.outcome.name, one.outcome.target) in outcomes:
            yield one


def _of_mixtures(runs: pd.DataFrame, model: str, recipe: str, mixtures: Collection[str]) -> pd.DataFrame:
    """Return the runs of a model by a recipe on some mixtures."""
    return runs[(runs["model"] == model) & (runs["recipe"] == recipe) & runs["mixture"].isin(list(mixtures))]


def _runs(scores: pd.DataFrame, comparison: Comparison, row: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the runs of both arms of a difference."""
    found = measured.runs_of(scores, comparison.outcome)
    (multi,) = (arm.mixture for side in comparison.first for arm in side.arms)
    singles = [arm.mixture for side in comparison.second for arm in side.arms]
    if row["chosen"]:
        singles = [chosen.rpartition(" ")[0] for chosen in row["chosen"].split(", ")]
    first = _of_mixtures(found, row["model"], row["recipe"], [multi])
    zero = first["value"].mean() - row["estimate"]
    second = _of_mixtures(found, row["model"], row["recipe"], singles)
    for what, side in ((MULTI, first), (SINGLE, second)):
        for run in records(side):
            value = {name: run[name] for name in ("mixture", "collapsed")} | {"value": run["value"] - zero}
            yield {"what": what, **value}


def draw(frame: pd.DataFrame, plan: StudyPlan, options: Options) -> Figure:
    """Return differences by family and size, and interactions beside them; below them in a column."""
    groups = [group for _, group in frame.groupby(["budget", "recipe"], sort=False)]
    parts = [[group[group["kind"] == DIFFERENCE], group[group["kind"] != DIFFERENCE]] for group in groups]
    interacts = any(len(second) for _, second in parts)
    wide = options.width >= _WIDE and interacts
    lines = parts if wide else [[part] for pair in parts for part in pair if len(part)]
    dots = frame[frame["what"].isin([MULTI, SINGLE])]
    # the names of two arms stand below each other, in small letters
    tall = _ROW * max(1, 0.85 * style.lines_of(map(options.mixture, [*dots["mixture"], *dots["b"]])))
    head = _head(frame, options, wide) / tall
    heights = [max(_height(part, head) for part in line) for line in lines]
    titles = [_title(part.iloc[0], options, len(groups) > 1) for line in lines for part in line if len(part)]
    above = style.LINE * (style.lines_of(titles) - 1)
    figure, grid = style.panels(
        options,
        tall * sum(heights) + (_AROUND + above) * len(heights),
        len(lines),
        len(lines[0]),
        note=_note(frame, plan),
        height_ratios=heights,
        width_ratios=_SHARES if wide else (1,),
        sharex="col",
    )
    for line, height, row in zip(lines, heights, grid, strict=True):
        for part, axes in zip(line, row, strict=True):
            if part.empty:
                axes.set_axis_off()
                continue
            axes.set(ylim=(height, 0), xlabel="points" if line is lines[-1] else "")
            axes.set_title(_title(part.iloc[0], options, len(groups) > 1))
            _panel(axes, part, plan, options, height / int((part["what"] == ESTIMATE).sum()), head)
    return figure


def _head(frame: pd.DataFrame, options: Options, wide: bool) -> float:
    """Return the height in inches that names of rows take above what was found, where a line has no room for both."""
    arms = style.width_of(map(options.mixture, [*frame["mixture"], *frame["b"]]), SMALL - 1)
    differences, interactions = (share / sum(_SHARES) if wide else 1.0 for share in _SHARES)
    lines = 0
    for row in records(frame[frame["what"] == ESTIMATE]):
        name, share = _name(row, options), differences if row["kind"] == DIFFERENCE else interactions
        room = share * (options.width - arms - 0.2)
        if "\n" in name or style.width_of([name], SMALL * BOLD) + style.width_of([_said(row)], SMALL) > room:
            lines = max(lines, style.lines_of([name]))
    return style.LINE * lines


def _title(first: pd.Series, options: Options, several: bool) -> str:
    """Return what stands above a panel, by its first row."""
    title = f"{options.mixture(first['a'])} \N{MINUS SIGN} {options.mixture(first['b'])}"
    title = title if first["kind"] == DIFFERENCE else "large \N{MINUS SIGN} small"
    return f"{title}, {first['budget']}, {first['recipe']}" if several else title


def _tall(part: pd.DataFrame, head: float) -> float:
    """Return the height that a row of a panel takes: less where no dots stand below the estimates."""
    return head + (1.0 if (part["what"] != ESTIMATE).any() else _UPPER - 0.06)


def _height(part: pd.DataFrame, head: float) -> float:
    return _tall(part, head) * int((part["what"] == ESTIMATE).sum())


def _panel(axes: Axes, part: pd.DataFrame, plan: StudyPlan, options: Options, step: float, head: float) -> None:
    """Draw the rows of a panel, each with its text above it, in the middle of the step from one to the next.

    A name has ``head`` rows of its own above the text, or stands in its line where that is 0.
    """
    smallest = plan.answer.smallest if plan.answer else SMALLEST
    axes.spines["left"].set_visible(False)
    ticks: list[tuple[float, str, str]] = []
    for index, (_, row) in enumerate(part.groupby(["family", "size"], sort=False)):
        above = index * step + (step - _tall(part, head)) / 2
        top = above + head
        # the text stands on white
        begin, end = top + 0.24, above + _tall(part, head)
        axes.fill_betweenx([begin, end], -smallest, smallest, color=BAND, linewidth=0, zorder=0)
        axes.vlines(0, begin, end, color=MUTED, linewidth=0.8, zorder=1)
        estimate = row[row["what"] == ESTIMATE].iloc[0]
        place: dict[str, Any] = {"transform": axes.get_yaxis_transform(), "va": "center", "fontsize": SMALL}
        axes.text(0, above + (head / 2 or _HEAD), _name(estimate, options), fontweight="bold", **place)
        axes.text(1, top + _HEAD, _said(estimate), ha="right", **place)
        ticks += _row(axes, top, row, options)
    axes.set_yticks([height for height, _, _ in ticks], [text for _, text, _ in ticks])
    axes.tick_params(axis="y", length=0, pad=2, labelsize=SMALL - 1)
    for tick, (_, _, colour) in zip(axes.yaxis.get_major_ticks(), ticks, strict=True):
        tick.label1.set_color(colour)
    axes.margins(x=0.06)


def _name(estimate: Mapping[str, Any] | pd.Series, options: Options) -> str:
    """Return of which models a row is."""
    name = f"{estimate['family']} {estimate['size']}".strip()
    return in_short_lines(options.labels.models.get(estimate["model"], name))


def _said(estimate: Mapping[str, Any] | pd.Series) -> str:
    """Return what was found."""
    ends = f"({style.points(estimate['low'])} to {style.points(estimate['high'])})"
    return f"{style.points(estimate['value'])} {ends} {estimate['verdict'] or 'no verdict'}"


def _row(axes: Axes, top: float, row: pd.DataFrame, options: Options) -> Iterator[tuple[float, str, str]]:
    """Draw an estimate with its interval, and below it the runs of both arms, or the estimates of worlds.

    Yields height, text and colour of the labels at the left.
    """
    estimate = row[row["what"] == ESTIMATE].iloc[0]
    decided = estimate["verdict"] in DECIDED
    axes.plot([estimate["low"], estimate["high"]], [top + _BAR] * 2, color=TEXT, solid_capstyle="butt")
    axes.plot(estimate["value"], top + _BAR, "D", color=TEXT, markerfacecolor=TEXT if decided else "white", zorder=4)
    looks = {
        MULTI: (_UPPER, FIRST, FIRST),
        SINGLE: (_LOWER, SECOND, "white"),
        WORLD: (_UPPER, FIRST, FIRST),
    }
    for what, (height, colour, face) in looks.items():
        dots = row[row["what"] == what]
        for collapsed, mark in ((False, "o"), (True, "x")):
            values = dots.loc[dots["collapsed"] == collapsed, "value"]
            axes.plot(values, [top + height] * len(values), mark, color=colour, markerfacecolor=face, alpha=0.8)
        if len(dots):
            yield top + height, _label(what, dots, options), colour


def _label(what: str, dots: pd.DataFrame, options: Options) -> str:
    if what == WORLD:
        return "worlds"
    mixtures = list(dict.fromkeys(dots["mixture"]))
    if what == MULTI or len(mixtures) == 1:
        return options.mixture(mixtures[0])
    return options.mixture(dots["b"].iloc[0])


def _note(frame: pd.DataFrame, plan: StudyPlan) -> str:
    """Return how the figure is read, of what is in it."""
    found = set(frame["what"])
    smallest = plan.answer.smallest if plan.answer else SMALLEST
    parts = [f"Diamond and line: the difference and its {style.over(frame['interval'])}; filled where it is decided."]
    if MULTI in found:
        parts.append("Dots: runs, in points from the single task's mean; they are not paired.")
        if frame.loc[frame["what"] == SINGLE].groupby("model")["mixture"].nunique().max() > 1:
            parts.append("Of single tasks all runs are drawn of those that some run chose.")
    if WORLD in found:
        parts.append("Dots: the difference in each world.")
    if frame["collapsed"].any():
        parts.append("Crosses: runs that collapsed.")
    return " ".join([*parts, f"Shaded: less than {wording.counted(smallest, 'point')}."])
