"""Figures: the heat map of gains, and gains by language with the source language apart; PDF, SVG and PNG.

Which figures there are stands in ``outputs.FIGURES``. The function of a figure takes the table of scores and the
study's plan, and returns a matplotlib figure.
"""

import importlib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("agg")

import matplotlib.pyplot as plt
import pandas as pd
import seaborn as sns
from matplotlib.figure import Figure

from xstilts.errors import UserError
from xstilts.evaluation.scores import is_source_language
from xstilts.reporting.main_table import in_percent, of_targets
from xstilts.reporting.outputs import FIGURE_FORMATS, FIGURES
from xstilts.reporting.tables import language_frame
from xstilts.store.study_plan import NONE, StudyPlan

# the same input gives the same bytes: no dates, no random ids
_METADATA: Mapping[str, dict[str, Any]] = {
    "pdf": {"CreationDate": None, "ModDate": None},
    "svg": {"Date": None},
    "png": {},
}


def write(scores: pd.DataFrame, plan: StudyPlan, folder: Path) -> None:
    """Write every figure in every format into a folder.

    Args:
        scores: the table of scores.
        plan: the study's plan.
        folder: where to.

    Raises:
        UserError: if the study's palette does not exist, or there is no function for a figure.
    """
    with plt.rc_context({"svg.hashsalt": "xstilts", "svg.fonttype": "none", "figure.dpi": 150}):
        sns.set_theme(style="whitegrid", context="paper")
        _check_palette(plan.figures.palette)
        figures = {name: _function(name)(scores, plan) for name in FIGURES}
        for name, figure in figures.items():
            for suffix in FIGURE_FORMATS:
                figure.savefig(folder / f"{name}.{suffix}", metadata=_METADATA[suffix], bbox_inches="tight")
            plt.close(figure)


def _function(name: str) -> Callable[[pd.DataFrame, StudyPlan], Figure]:
    """Return the function that draws a figure."""
    module, _, attribute = FIGURES[name].rpartition(".")
    try:
        function: Callable[[pd.DataFrame, StudyPlan], Figure] = getattr(
            importlib.import_module(f"xstilts.reporting.{module}"), attribute
        )
    except (ModuleNotFoundError, AttributeError) as error:
        raise UserError(f"figure {name}: there is no reporting/{module}.py with {attribute!r} ({error})") from None
    return function


def _check_palette(palette: str) -> None:
    try:
        sns.color_palette(palette)
    except (ValueError, KeyError):
        raise UserError(f"figures.palette: {palette!r} is no colour map of seaborn or matplotlib; try vlag") from None


def gains(scores: pd.DataFrame, plan: StudyPlan) -> Figure:
    """Return the heat map of zero-shot gains in points, without control languages: mixtures by targets."""
    options = plan.figures
    frame = _mixtures(of_targets(scores, plan.controls))
    if frame.empty:
        return _empty(plan)
    grid = frame.pivot_table(index="label", columns="target", values="gain", sort=False)
    figure, axes = plt.subplots(figsize=(options.width, 1.2 + 0.45 * len(grid)))
    # the same range on both sides, so that no gain is the colour in the middle
    largest = grid.abs().max().max() or 1.0
    colours = {"vmin": -largest, "vmax": largest, "center": 0, "cmap": options.palette}
    sns.heatmap(grid, ax=axes, annot=True, fmt="+.1f", linewidths=1, cbar_kws={"label": "gain (points)"}, **colours)
    axes.set(xlabel="", ylabel="", title="Zero-shot gain over no intermediate training")
    axes.tick_params(axis="y", rotation=0)
    return figure


def gains_by_language(scores: pd.DataFrame, plan: StudyPlan) -> Figure:
    """Return bars of gains in points: a panel for each target, languages by mixtures, the source language first."""
    options = plan.figures
    frame = _mixtures(language_frame(scores))
    if frame.empty:
        return _empty(plan)
    frame = frame.assign(is_source=is_source_language(frame))
    targets = list(dict.fromkeys(frame["target"]))
    labels = list(dict.fromkeys(frame["label"]))
    colours = dict(zip(labels, sns.color_palette("colorblind", len(labels)), strict=True))
    size = (options.width, 2.2 * len(targets))
    figure, panels = plt.subplots(len(targets), 1, figsize=size, squeeze=False, layout="constrained")
    for target, axes in zip(targets, panels[:, 0], strict=True):
        rows = frame[frame["target"] == target].sort_values(["is_source", "language"], ascending=[False, True])
        order = list(dict.fromkeys(rows["language"]))
        sns.barplot(rows, x="language", y="gain", hue="label", order=order, hue_order=labels, palette=colours, ax=axes)
        axes.axhline(0, color="black", linewidth=0.8)
        sources = rows.loc[rows["is_source"], "language"].nunique()
        if 0 < sources < len(order):
            axes.axvline(sources - 0.5, color="grey", linestyle="--")
        axes.set(xlabel="", ylabel="gain (points)", title=target)
        axes.get_legend().remove()
    handles, names = panels[0, 0].get_legend_handles_labels()
    figure.legend(handles, names, loc="outside lower center", ncols=min(4, len(labels)), frameon=False)
    return figure


def _mixtures(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the rows that are compared with the baseline, each with its label in the figure."""
    frame = in_percent(frame[frame["mixture"] != NONE]).dropna(subset=["gain"])
    return frame.assign(label=_labels(frame)) if len(frame) else frame.assign(label=[])


def _labels(frame: pd.DataFrame) -> pd.Series:
    """Return the label of each row: its mixture, with model and recipe where there are several."""
    axes = [axis for axis in ("model", "recipe") if frame[axis].nunique() > 1]
    return frame[[*axes, "mixture"]].astype(str).agg(" · ".join, axis=1)


def _empty(plan: StudyPlan) -> Figure:
    figure, axes = plt.subplots(figsize=(plan.figures.width, 1.5))
    axes.set_axis_off()
    axes.text(0.5, 0.5, f"{plan.study}: no mixture to compare with `none`", ha="center", va="center")
    return figure
