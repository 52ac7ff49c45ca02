"""Figures: the heat map of gains, and gains by language with the source language apart; PDF, SVG and PNG."""

from collections.abc import Mapping
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
from xstilts.reporting.outputs import FIGURE_FORMATS, FIGURES
from xstilts.reporting.tables import in_percent, language_frame, main_frame

# the same input gives the same bytes: no dates, no random ids
_METADATA = {"pdf": {"CreationDate": None, "ModDate": None}, "svg": {"Date": None}, "png": {}}


def write(scores: pd.DataFrame, plan: Mapping[str, Any], folder: Path) -> None:
    """Write every figure in every format into a folder."""
    options = plan["figures"]
    try:
        sns.color_palette(options["palette"])
    except (ValueError, KeyError):
        raise UserError(
            f"figures.palette: {options['palette']!r} is no colour map of seaborn or matplotlib; try vlag"
        ) from None
    with plt.rc_context({"svg.hashsalt": "xstilts", "svg.fonttype": "none", "figure.dpi": 150}):
        sns.set_theme(style="whitegrid", context="paper")
        for name, draw in zip(FIGURES, (_gains, _gains_by_language), strict=True):
            figure = draw(scores, plan, options)
            for kind in FIGURE_FORMATS:
                figure.savefig(folder / f"{name}.{kind}", metadata=_METADATA[kind], bbox_inches="tight")
            plt.close(figure)


def _lines(frame: pd.DataFrame) -> pd.Series:
    """Return what names a line of a figure: the mixture, and model and recipe where there are several."""
    parts = [frame[axis] for axis in ("model", "recipe") if frame[axis].nunique() > 1] + [frame["mixture"]]
    label = parts[0].astype(str)
    for part in parts[1:]:
        label = label + " · " + part.astype(str)
    return label


def _mixtures(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the rows that are compared with the baseline, each with its line's name."""
    frame = in_percent(frame[frame["mixture"] != "none"]).dropna(subset=["gain"])
    return frame.assign(line=_lines(frame)) if len(frame) else frame.assign(line=[])


def _empty(width: float, plan: Mapping[str, Any]) -> Figure:
    figure, axes = plt.subplots(figsize=(width, 1.5))
    axes.set_axis_off()
    axes.text(0.5, 0.5, f"{plan['study']}: no mixture to compare with `none`", ha="center", va="center")
    return figure


def _gains(scores: pd.DataFrame, plan: Mapping[str, Any], options: Mapping[str, Any]) -> Figure:
    frame = _mixtures(main_frame(scores))
    if frame.empty:
        return _empty(options["width"], plan)
    grid = frame.pivot_table(index="line", columns="target", values="gain", sort=False)
    figure, axes = plt.subplots(figsize=(options["width"], 1.2 + 0.45 * len(grid)))
    # the same range on both sides, so that no gain is the colour in the middle
    largest = grid.abs().max().max() or 1.0
    sns.heatmap(
        grid, vmin=-largest, vmax=largest, annot=True, fmt="+.1f", center=0, cmap=options["palette"], linewidths=1,
        ax=axes, cbar_kws={"label": "gain (points)"},
    )  # fmt: skip
    axes.set(xlabel="", ylabel="", title="Zero-shot gain over no intermediate training")
    axes.tick_params(axis="y", rotation=0)
    return figure


def _gains_by_language(scores: pd.DataFrame, plan: Mapping[str, Any], options: Mapping[str, Any]) -> Figure:
    frame = _mixtures(language_frame(scores))
    if frame.empty:
        return _empty(options["width"], plan)
    frame = frame.assign(is_source=is_source_language(frame))
    targets = list(dict.fromkeys(frame["target"]))
    lines = list(dict.fromkeys(frame["line"]))
    colours = dict(zip(lines, sns.color_palette("colorblind", len(lines)), strict=True))
    figure, panels = plt.subplots(
        len(targets), 1, figsize=(options["width"], 2.2 * len(targets)), squeeze=False, layout="constrained"
    )
    for target, axes in zip(targets, panels[:, 0], strict=True):
        part = frame[frame["target"] == target].sort_values(["is_source", "language"], ascending=[False, True])
        order = list(dict.fromkeys(part["language"]))
        sns.barplot(part, x="language", y="gain", hue="line", order=order, hue_order=lines, palette=colours, ax=axes)
        axes.axhline(0, color="black", linewidth=0.8)
        sources = part.loc[part["is_source"], "language"].nunique()
        if 0 < sources < len(order):
            axes.axvline(sources - 0.5, color="grey", linestyle="--")
        axes.set(xlabel="", ylabel="gain (points)", title=target)
        axes.get_legend().remove()
    handles, labels = panels[0, 0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=min(4, len(lines)), frameon=False)
    return figure
