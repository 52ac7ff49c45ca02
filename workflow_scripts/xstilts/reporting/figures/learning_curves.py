"""Learning curves: the dev score of every arm by the share of its steps, a panel for each phase, target and model."""

from collections.abc import Iterable, Mapping

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from xstilts.evaluation.analyses.learning_curves import DEV_SCORE
from xstilts.evaluation.trainings import INTERMEDIATE, PRETRAINING, TARGET
from xstilts.forms import metric_named
from xstilts.forms.declaration import NATS
from xstilts.reporting.figures import point_labels, style
from xstilts.reporting.figures.inputs import FigureInputs
from xstilts.reporting.figures.options import Options
from xstilts.reporting.figures.point_labels import Point
from xstilts.reporting.figures.style import MEDIUM, SMALL, Look
from xstilts.store.study_plan import StudyPlan

NOTHING = (
    "No training of this study has dev scores at two steps or more, so there are no learning curves to show; a recipe's"
    " early_stopping says how often they are measured."
)
# what a panel is named by, and with the mixtures a curve
_PANEL = ["phase", "targets", "unit", "recipes", "models"]
_CURVE = [*_PANEL, "mixtures"]
_PHASES = (PRETRAINING, INTERMEDIATE, TARGET)
# inches: least width and height of what is drawn in a panel, what it has beside and above and below
_WIDTH, _HEIGHT, _BESIDE, _AROUND = 0.95, 0.95, 0.65, 0.68


def frame(inputs: FigureInputs) -> pd.DataFrame:
    """Return the points of the curves: the dev score by ``step``, over the ``runs`` that went so far.

    ``value`` is the mean, ``low`` and ``high`` are the lowest and the highest run, of several worlds of all of them.
    ``share`` is the step in percent of those that the longest run of the curve did. ``targets`` is empty where a
    training is for all of them, as of the intermediate phase, and ``mixtures`` for pretraining. A training with one dev
    score has no curve.
    """
    table = inputs.analyses("learning_curves")
    table = table[table["curve"] == DEV_SCORE]
    table = table[table.groupby("node")["step"].transform("nunique") > 1]
    # of a mean over tasks all metrics are in one unit
    units = {metrics: metric_named(metrics.partition(", ")[0]).unit for metrics in set(table["metric"])}
    table = table.assign(
        unit=table["metric"].map(units),
        targets=table["targets"].where(table["phase"] == TARGET, ""),
        mixtures=table["mixtures"].where(table["phase"] != PRETRAINING, ""),
    )
    points = table.groupby([*_CURVE, "step"], sort=False, as_index=False).agg(
        value=("value", "mean"), low=("value", "min"), high=("value", "max"), runs=("value", "size")
    )
    points["share"] = 100 * points["step"] / points.groupby(_CURVE)["step"].transform("max")
    plan = inputs.plan
    models = dict.fromkeys(cell.model for cell in plan.cells)
    orders = {"phase": _PHASES, "targets": plan.targets, "models": models, "mixtures": plan.mixtures}
    places = {column: _places(points[column], order) for column, order in orders.items()}
    return points.loc[pd.DataFrame({**places, "step": points["step"]}).sort_values([*places, "step"]).index]


def _places(names: pd.Series, order: Iterable[str]) -> pd.Series:
    """Return the places of names in an order, of joined names that of the first; those not in it come last."""
    place = {name: index for index, name in enumerate(order)}
    return names.map(lambda joined: place.get(joined.split(", ")[0], len(place)))


def draw(frame: pd.DataFrame, plan: StudyPlan, options: Options) -> Figure:
    """Return a panel for each phase and target of each model, the mixtures in colours with their names beside."""
    shown = list(dict.fromkeys(frame["mixtures"]))
    looks = style.mixtures([*plan.mixtures, *shown])
    names = {mixtures: ", ".join(map(options.mixture, mixtures.split(", "))) for mixtures in shown}
    several = frame["recipes"].nunique() > 1
    panels = [(_title(curves.iloc[0], several, options), curves) for _, curves in frame.groupby(_PANEL, sort=False)]
    beside = style.width_of(names.values(), SMALL) + _BESIDE
    titles = [line for title, _ in panels for line in title.splitlines()]
    least = max(_WIDTH + beside, style.width_of(titles, MEDIUM) + 0.2)
    bands = style.bands(panels, options.width, least)
    most = max(curves["mixtures"].nunique() for _, curves in panels)
    inner = point_labels.height_for(most * style.lines_of(names.values()), _HEIGHT)
    # titles have two lines where all names are short
    above = style.LINE * (style.lines_of(title for title, _ in panels) - 2)
    total = len(bands) * (inner + _AROUND + above)
    figure, grid = style.panels(options, total, len(bands), len(bands[0]), note=_note(frame, plan))
    for (title, curves), axes, _ in style.in_rows(bands, grid):
        axes.set_title(title)
        _panel(axes, curves, looks, names, inner)
    return figure


def _title(point: pd.Series, several: bool, options: Options) -> str:
    """Return the two lines above the panel of a point."""
    model = ", ".join(map(options.model, point["models"].split(", ")))
    of = ", ".join(map(options.target, point["targets"].split(", "))) if point["targets"] else point["phase"]
    recipes, loss = f", {point['recipes']}" if several else "", ", \N{MINUS SIGN}loss" if point["unit"] == NATS else ""
    return f"{model}{recipes}\n{of}{loss}"


def _panel(
    axes: Axes, curves: pd.DataFrame, looks: Mapping[str, Look], names: Mapping[str, str], height: float
) -> None:
    """Draw the curves of a panel with the names of their mixtures, and behind each the range of its runs."""
    ends = []
    for mixtures, points in curves.groupby("mixtures", sort=False):
        look = looks[str(mixtures)]
        style.curve(axes, points["share"], points["value"], points, look)
        end = points.iloc[-1]
        axes.plot(end["share"], end["value"], look.mark, color=look.colour, markersize=3, clip_on=False, zorder=3)
        if mixtures:
            ends.append(Point(end["share"], end["value"], names[str(mixtures)], look.colour))
    axes.margins(y=0.08)
    axes.set_xlim(0, 100)
    axes.set_xticks([0, 50, 100])
    axes.yaxis.set_major_locator(MaxNLocator(4))
    # so that no name moves them
    axes.set_ylim(axes.get_ylim())
    point_labels.write(axes, ends, height)


def _note(frame: pd.DataFrame, plan: StudyPlan) -> str:
    """Return how the figure is read, of what is in it."""
    parts = ["Dev scores in the language of training, by percent of the steps."]
    if frame["runs"].max() > 1:
        of = " of all worlds" if plan.worlds else ""
        parts.append(f"Lines: means over the runs{of} that went so far; shaded: from the lowest to the highest.")
    return " ".join(parts)
