"""The table of scores: one row for each model x recipe x method x mixture x seed x target x language x metric.

In a study of several worlds there is a row for each world too, and a column ``world``.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from xstilts.evaluation import predictions
from xstilts.evaluation.table import Column, Table
from xstilts.forms import FORMS, scoring
from xstilts.forms.declaration import Columns
from xstilts.references import parse_reference
from xstilts.store import manifest, study_plan
from xstilts.store.manifest import EvaluationResults
from xstilts.store.specs.evaluation import RetrievalSpec
from xstilts.store.study_plan import NONE, WORLD, PlannedTarget, StudyPlan

FILE = "scores.parquet"
_AXES = (
    Column("model", "text", "the study's name of the pretrained model"),
    Column("recipe", "text", "the study's name of the recipe"),
    Column("method", "text", "fine-tuning methods of the phases, joined by +"),
    Column("mixture", "text", "the study's name of the intermediate mixture; none without an intermediate phase"),
    Column("seed", "integer", "the seed of training"),
    Column("target", "text", "the target, as task or task@language"),
)
AXES = list(study_plan.AXES)
COLUMNS = (
    *_AXES,
    Column("language", "text", "the language that is predicted"),
    Column("metric", "text", "the metric"),
    Column("headline", "flag", "whether it is the target's headline metric"),
    Column("score", "number", "in percent; a loss in nats"),
    Column("n", "integer", "examples"),
    Column("split", "text", "the split of the examples"),
    Column(
        "official",
        "flag",
        "whether that is known to be the task's official test split, of a benchmark in its version of the data",
    ),
    Column("sample", "flag", "whether the examples are a sample of the published ones"),
    Column("layer", "integer", "the layer whose vectors are compared, 0 for the embeddings", optional=True),
    Column("direction", "text", "from which language translations are retrieved", optional=True),
    Column("collapsed", "flag", "whether a training run behind the model collapsed"),
    Column("source", "text", "where the target's data is from: mirror, download, tiny or miniature"),
)
TABLE = Table("scores", COLUMNS)
write, read = TABLE.write, TABLE.read


def collect(plan: StudyPlan, results: Path) -> pd.DataFrame:
    """Return the scores of every cell of a plan, in the units of their metrics, from the files of predictions.

    Args:
        plan: the study's plan.
        results: the results folder.
    """
    by_node: dict[str, list[dict[str, Any]]] = {}
    rows, axes = [], plan.axes
    for cell in plan.cells:
        target = plan.targets[cell.target]
        if cell.node not in by_node:
            by_node[cell.node] = _node_scores(results, cell.node, target, _official_rows(plan, target))
        rows += [{**cell.at(axes), **score, "source": target.source} for score in by_node[cell.node]]
    return pd.DataFrame(rows)


def _official_rows(plan: StudyPlan, target: PlannedTarget) -> Mapping[str, int | None]:
    """Return how many examples the study's benchmark has of a target, by language; see ``BenchmarkTask.rows``."""
    entry = plan.benchmark.tasks.get(target.task) if plan.benchmark is not None else None
    # where rows are queries and candidates, their number is not that of examples
    return entry.rows if entry is not None and not FORMS[target.form].searched else {}


def _node_scores(
    results: Path, node: str, target: PlannedTarget, official_rows: Mapping[str, int | None]
) -> list[dict[str, Any]]:
    made = manifest.of_node(results / node)
    spec, evaluated = made.spec, manifest.results_of(results, node, EvaluationResults)
    direction = spec.settings.get("direction") if isinstance(spec, RetrievalSpec) else None
    frame = predictions.read(results / node / predictions.FILE)
    columns, indices = columns_of(frame), frame.groupby("language").indices
    rows = []
    for language in frame["language"].unique():
        numbers = indices[language]
        part = {name: values[numbers] for name, values in columns.items()}
        split = evaluated.splits[str(language)]
        # what is whole in one version of the data has too few rows for another, and rows of another are not official;
        # neither are those of which nothing says that they are the benchmark's
        expected = official_rows.get(str(language), len(numbers))
        is_whole = expected == len(numbers)
        constant = {
            "n": len(numbers),
            "split": split.split,
            "official": split.official and expected is not None and (split.sample or is_whole),
            "sample": split.sample and not (split.official and language in official_rows and is_whole),
            "layer": evaluated.layer,
            "direction": direction,
            "collapsed": evaluated.collapsed,
        }
        for metric, value in scoring.scores(FORMS[target.form], part).items():
            score = {"metric": metric, "headline": metric == target.metric, "score": value}
            rows.append({"language": language, **score, **constant})
    return rows


def columns_of(frame: pd.DataFrame) -> Columns:
    """Return what scores are computed from: the statistics of predictions, the predictions and the gold answers."""
    statistics = predictions.statistics_of(frame)
    columns = {str(name): statistics[name].to_numpy(np.float64) for name in statistics}
    return {**columns, **{name: frame[name].to_numpy(object) for name in scoring.TEXTS}}


def axes_of(scores: pd.DataFrame) -> list[str]:
    """Return the columns that name a cell."""
    return [axis for axis in (*AXES, WORLD) if axis in scores]


def headline(scores: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of each target's headline metric."""
    return scores[scores["headline"]]


def with_gain(scores: pd.DataFrame) -> pd.DataFrame:
    """Return the rows with ``gain``: the score minus that of ``none`` with all other axes equal; NaN without one."""
    axes = [axis for axis in axes_of(scores) if axis != "mixture"] + ["language", "metric"]
    base = scores[scores["mixture"] == NONE].set_index(axes)["score"].rename("baseline")
    joined = scores.join(base, on=axes)
    return joined.assign(gain=joined["score"] - joined["baseline"]).drop(columns="baseline")


def is_source_language(scores: pd.DataFrame) -> pd.Series:
    """Tell for each row whether its language is the one the target was trained in."""
    return scores["language"] == scores["target"].map(lambda target: parse_reference(target)[1])
