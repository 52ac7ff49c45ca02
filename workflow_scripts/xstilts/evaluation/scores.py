"""Scores: one row for each model x recipe x method x mixture x seed x target x language x metric."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from xstilts.forms import FORMS, scoring
from xstilts.forms.declaration import Columns
from xstilts.references import parse_reference
from xstilts.store import manifest
from xstilts.store.manifest import EvaluationResults, path_of
from xstilts.store.specs import RetrievalSpec

# beside the predictions of a retrieval node whose recipe asks for all layers
LAYERS = "layers.parquet"
_STATISTIC = "stat_"
AXES = ["model", "recipe", "method", "mixture", "seed", "target"]


def collect(plan: Mapping[str, Any], results: Path) -> pd.DataFrame:
    """Return the scores of every cell of a plan, in the units of their metrics, from the files of predictions.

    Args:
        plan: the content of plan.json.
        results: the results folder.
    """
    by_node: dict[str, list[dict[str, Any]]] = {}
    rows = []
    for cell in plan["cells"]:
        if cell["node"] not in by_node:
            by_node[cell["node"]] = _node_scores(results, cell["node"], plan["targets"][cell["target"]])
        axes = {axis: cell[axis] for axis in AXES}
        rows += [
            {**axes, **score, "source": plan["targets"][cell["target"]]["source"]} for score in by_node[cell["node"]]
        ]
    return pd.DataFrame(rows)


def _node_scores(results: Path, node: str, target: Mapping[str, str]) -> list[dict[str, Any]]:
    made = manifest.read(path_of(results, node))
    spec, evaluated = made.spec, manifest.results_of(results, node, EvaluationResults)
    direction = spec.settings.get("direction") if isinstance(spec, RetrievalSpec) else None
    frame = pd.read_parquet(results / node / "predictions.parquet")
    rows = []
    for language, predictions in frame.groupby("language", sort=False):
        split = evaluated.splits[str(language)]
        constant = {
            "n": len(predictions),
            "split": split.split,
            "official": split.official,
            "sample": split.sample,
            "layer": evaluated.layer,
            "direction": direction,
            "collapsed": evaluated.collapsed,
        }
        for metric, value in scoring.scores(FORMS[target["form"]], columns_of(predictions)).items():
            score = {"metric": metric, "headline": metric == target["metric"], "score": value}
            rows.append({"language": language, **score, **constant})
    return rows


def columns_of(predictions: pd.DataFrame) -> Columns:
    """Return what scores are computed from: the statistics of predictions, the predictions and the gold answers."""
    statistics = [name for name in predictions.columns if name.startswith(_STATISTIC)]
    columns = {name.removeprefix(_STATISTIC): predictions[name].to_numpy(np.float64) for name in statistics}
    return {**columns, **{name: predictions[name].to_numpy(object) for name in scoring.TEXTS}}


def collect_layers(plan: Mapping[str, Any], results: Path) -> pd.DataFrame:
    """Return the headline scores of all layers of the targets that are scored so, with the axes, layer and language."""
    rows = []
    for cell in plan["cells"]:
        path = results / cell["node"] / LAYERS
        if path.exists():
            frame = pd.read_parquet(path).rename(columns={plan["targets"][cell["target"]]["metric"]: "score"})
            axes = {axis: cell[axis] for axis in AXES}
            rows += [{**axes, **row} for row in frame[["layer", "language", "score"]].to_dict("records")]
    return pd.DataFrame(rows)


def headline(scores: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of each target's headline metric."""
    return scores[scores["headline"]]


def with_gain(scores: pd.DataFrame, baseline: str = "none") -> pd.DataFrame:
    """Return the rows with ``gain``: the score minus the baseline's with all other axes equal; NaN without one."""
    axes = [axis for axis in AXES if axis != "mixture"] + ["language", "metric"]
    base = scores[scores["mixture"] == baseline].set_index(axes)["score"].rename("baseline")
    joined = scores.join(base, on=axes)
    return joined.assign(gain=joined["score"] - joined["baseline"]).drop(columns="baseline")


def is_source_language(scores: pd.DataFrame) -> pd.Series:
    """Tell for each row whether its language is the one the target was trained in."""
    return scores["language"] == scores["target"].map(lambda target: parse_reference(target)[1])
