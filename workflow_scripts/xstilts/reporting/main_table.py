"""The main table: mixtures by targets, their zero-shot means and the gains over ``none`` with intervals.

The means are the zero-shot outcomes of ``outcomes.py``, so each gain is the estimate whose interval it has.
"""

import math
from collections.abc import Collection, Mapping
from typing import Any

import pandas as pd

from xstilts.evaluation.comparisons import POINTS
from xstilts.evaluation.estimates import ALL_RUNS
from xstilts.evaluation.intervals import EXAMPLES_ONLY
from xstilts.evaluation.outcomes import ZERO_SHOT
from xstilts.evaluation.scores import AXES, headline, is_source_language, with_gain
from xstilts.evaluation.table import records
from xstilts.forms import metric_named
from xstilts.forms.declaration import NATS, PERCENT
from xstilts.reporting import captions, marks, wording
from xstilts.reporting.layout import Cells, Shown
from xstilts.store.study_plan import NONE, WORLD, StudyPlan

# the target of a mean over targets
MEAN = "mean"
MODEL_AXES = ["model", "recipe", "method", "mixture"]
CELL_AXES = [axis for axis in AXES if axis != "seed"]


def of_study(scores: pd.DataFrame, estimates: pd.DataFrame, plan: StudyPlan) -> Shown:
    """Return the main table of a study.

    Its frame has the rows of ``of_targets``, and for each mixture one more, the mean over the targets in percent, whose
    examples are the sum of theirs. ``low`` and ``high`` are the ends of the 95 % interval of ``gain``, and ``interval``
    says what that is over; ``row`` is that of the table of estimates. They are missing where there is no estimate.

    Args:
        scores: the table of scores.
        estimates: the table of estimates.
        plan: the study's plan.
    """
    frame = averaged(scores, estimates, plan.controls)
    shared = marks.shared(records(frame.dropna(subset=["zero_shot"])))
    cells = _cells(frame, shared)
    return Shown(frame, cells, _caption(frame, plan) + marks.of_all_cells(shared), marks.legend(cells))


def averaged(
    scores: pd.DataFrame, estimates: pd.DataFrame, controls: Collection[str] = (), outcome: str = ZERO_SHOT
) -> pd.DataFrame:
    """Return the frame of a table of means with their gains: as that of ``of_study``.

    Args:
        scores: the table of scores.
        estimates: the table of estimates.
        controls: languages that are averaged apart.
        outcome: the outcome of the estimates that the gains are.
    """
    return _with_means(of_targets(scores, controls), _intervals(estimates, outcome))


def of_targets(scores: pd.DataFrame, controls: Collection[str] = ()) -> pd.DataFrame:
    """Return model x recipe x method x mixture x target with means over seeds and languages.

    ``metric`` is the target's headline metric; all are in percent but a loss, which is in nats. ``zero_shot`` is the
    mean over languages other than the source language (itself where there is no other) without controls, ``gain`` its
    difference to the mixture ``none``, ``source`` the score in the source language; NaN where there is nothing to
    average. ``n`` counts the examples of ``zero_shot``, each once.

    Args:
        scores: the table of scores.
        controls: languages that are averaged apart.
    """
    frame = with_gain(headline(scores))
    frame = frame.assign(is_source=is_source_language(frame))
    rows = []
    for key, cell in frame.groupby(CELL_AXES, sort=False):
        source, others = cell[cell["is_source"]], cell[~cell["is_source"]]
        averaged = others if len(others) else source
        averaged = averaged[~averaged["language"].isin(list(controls))]
        once = averaged.drop_duplicates([axis for axis in ("language", WORLD) if axis in averaged])
        means = {
            "metric": cell["metric"].iloc[0],
            "zero_shot": averaged["score"].mean(),
            "gain": averaged["gain"].mean(),
            "source": source["score"].mean(),
            "languages": averaged["language"].nunique(),
            "runs": cell["seed"].nunique(),
            "n": int(once["n"].sum()),
        }
        rows.append(dict(zip(CELL_AXES, key, strict=True)) | means | marks.flags(averaged if len(averaged) else cell))
    return pd.DataFrame(rows)


def in_percent(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the rows whose scores are in percent, and so can be averaged and compared in points."""
    return frame[frame["metric"].map(_unit) == PERCENT]


def _unit(metric: str) -> str:
    return metric_named(metric).unit


# row, low, high and interval of a gain, by model, recipe, mixture, target and number of targets
_Intervals = dict[tuple[str, str, str, str, int], dict[str, Any]]
_NO_INTERVAL: dict[str, Any] = {"row": math.nan, "low": math.nan, "high": math.nan, "interval": ""}


def _intervals(estimates: pd.DataFrame, outcome: str) -> _Intervals:
    gains = estimates[
        (estimates["b"] == NONE)
        & (estimates["model"] != "")
        & (estimates["outcome"] == outcome)
        & (estimates["runs_used"] == ALL_RUNS)
        & estimates["world"].isna()
    ]
    return {
        (row["model"], row["recipe"], row["a"], row["target"], row["targets"]): {
            name: row[name] for name in _NO_INTERVAL
        }
        for row in records(gains)
    }


def _with_means(frame: pd.DataFrame, intervals: _Intervals) -> pd.DataFrame:
    """Return the rows with their intervals, and those of the mean over targets.

    Means over other targets than those of the other arms would not stand beside theirs: there is none without a target.
    """
    rows, all_targets = [], _averaged(frame)
    for key, cells in frame.groupby(MODEL_AXES, sort=False):
        model, recipe, _, mixture = map(str, key)
        for row in records(cells):
            rows.append(row | intervals.get((model, recipe, mixture, row["target"], 1), _NO_INTERVAL))
        averaged = in_percent(cells).dropna(subset=["zero_shot"])
        if len(averaged) and _averaged(cells) == all_targets:
            # the mean over one target is the outcome of that target
            target = averaged["target"].iloc[0] if len(averaged) == 1 else ""
            interval = intervals.get((model, recipe, mixture, target, len(averaged)), _NO_INTERVAL)
            rows.append(dict(zip(MODEL_AXES, key, strict=True)) | _mean(averaged) | interval)
    values = ["metric", "zero_shot", "gain", *_NO_INTERVAL, "source", "languages", "runs", "n"]
    frame = pd.DataFrame(rows, columns=[*CELL_AXES, *values, *marks.FLAGS])
    return frame.astype({"languages": "Int64", "row": "Int64"})


def _averaged(frame: pd.DataFrame) -> set[str]:
    """Return the targets that the mean over targets is of."""
    return set(in_percent(frame).dropna(subset=["zero_shot"])["target"])


def _mean(targets: pd.DataFrame) -> dict[str, Any]:
    """Return the mean over the targets of one mixture."""
    means = {name: targets[name].mean() for name in ("zero_shot", "gain", "source")}
    return {"target": MEAN, **means, "runs": targets["runs"].min(), "n": targets["n"].sum()} | marks.flags(targets)


def _cells(frame: pd.DataFrame, shared: str) -> Cells:
    """Return header and rows: mixtures by targets, with the marks that not all cells share."""
    targets = [*(target for target in dict.fromkeys(frame["target"]) if target != MEAN), MEAN]
    rows = []
    for key, cells in frame.groupby(MODEL_AXES, sort=False):
        model, recipe, _, mixture = map(str, key)
        texts = {row["target"]: mean_cell(row, shared) for row in records(cells)}
        rows.append([model, recipe, mixture, *(texts.get(target, "–") for target in targets)])
    return ["model", "recipe", "mixture", *targets], rows


def mean_cell(row: Mapping[str, Any], shared: str) -> str:
    """Return a mean as a cell, with its gain and half the width of that one's interval.

    Args:
        row: of the frame.
        shared: marks that all cells of the table share.
    """
    half = (row["high"] - row["low"]) / 2 if row["interval"] not in ("", EXAMPLES_ONLY) else None
    return score(row, row["zero_shot"], shared, half)


def score(row: Mapping[str, Any], value: float, shared: str, half: float | None = None) -> str:
    """Return a score as a cell: its value, in brackets its gain over ``none``, and its marks.

    Args:
        row: has mixture, metric (missing for a mean in percent), gain, and flags.
        value: the score; NaN for none.
        shared: marks that all cells of the table share.
        half: half the width of the gain's interval; None without one.
    """
    if pd.isna(value):
        return "–"
    is_loss = pd.notna(row["metric"]) and _unit(row["metric"]) == NATS
    digits, scale = (3, NATS) if is_loss else (1, POINTS)
    interval = "" if half is None else f" ± {half:.{digits}f}"
    has_gain = row["mixture"] != NONE and pd.notna(row["gain"])
    gain = f" ({wording.number(row['gain'], scale)}{interval})" if has_gain else ""
    return f"{value:.{digits}f}{gain}{marks.of(row, shared)}"


def _caption(frame: pd.DataFrame, plan: StudyPlan) -> str:
    apart = f", without the control languages {wording.listed(plan.controls)}" if plan.controls else ""
    targets = frame[frame["target"] != MEAN]
    examples = {str(target): cells["n"] for target, cells in targets.groupby("target", sort=False)}
    arms = {key: _averaged(cells) for key, cells in targets.groupby(MODEL_AXES, sort=False)}
    lacking = "; no mean over targets where one is lacking" if len(set(map(frozenset, arms.values()))) > 1 else ""
    return (
        f"zero-shot means over languages other than the source language (itself where there is no other){apart}, in"
        f" percent{of_gains(frame)}{lacking}. {captions.counts(frame['runs'], examples, 'a target', plan)}"
    )


def of_gains(frame: pd.DataFrame) -> str:
    """Return what stands in brackets, and what its intervals are over."""
    gains = frame[(frame["mixture"] != NONE) & frame["gain"].notna()]
    if gains.empty:
        return ""
    kinds = [kind for kind in dict.fromkeys(gains["interval"]) if kind not in ("", EXAMPLES_ONLY)]
    half = f" ± half its 95 % interval over {wording.listed(kinds)}, not corrected for their number" if kinds else ""
    alone = (
        " (without an interval where an arm has one run or only collapsed ones)"
        if EXAMPLES_ONLY in set(gains["interval"])
        else ""
    )
    return f"; in brackets the gain over no intermediate training{half}{alone}"
