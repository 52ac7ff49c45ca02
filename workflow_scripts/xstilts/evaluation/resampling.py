"""Scores of predictions on examples that are drawn anew: what the intervals know of the noise of examples.

The bootstrap draws examples with replacement (Efron and Tibshirani 1993, An Introduction to the Bootstrap, chapter 13).
Clusters of examples (questions about one paragraph) are drawn whole (Cameron, Gelbach and Miller 2008, Bootstrap-Based
Improvements for Inference with Clustered Errors, section III). All models predict the same examples, and a draw is the
same for all of them, so that their differences are paired (Koehn 2004, Statistical Significance Tests for Machine
Translation Evaluation). Where the languages have the same examples in translation, a draw is the same in all of them;
other languages, and other data, are drawn independently of each other.
"""

import hashlib
import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from xstilts.errors import UserError
from xstilts.evaluation import predictions
from xstilts.evaluation.scores import columns_of
from xstilts.forms import scoring
from xstilts.forms.declaration import Columns, Form, Metric
from xstilts.store.specs.base import PREPARED, TOKENS
from xstilts.store.specs.data import EvaluationDataSpec
from xstilts.store.study_plan import StudyPlan

DRAWS = 1000
# numbers in a matrix of draws by clusters, or by examples: as large as a processor's cache, and as memory allows
BLOCK, LARGE_BLOCK = 2**17, 2**22


@dataclass(frozen=True)
class Examples:
    """The examples of a target in one language.

    Attributes:
        ids: of the examples, in the order of the predictions.
        clusters: the number of each example's cluster; integers of shape (examples,).
        drawn_from: clusters among which these are drawn.
        data: what names the clusters: examples with the same one are drawn together.
    """

    ids: np.ndarray
    clusters: np.ndarray
    drawn_from: int
    data: str


def examples_of(plan: StudyPlan, results: Path, target: str) -> dict[str, Examples]:
    """Return the examples of a target by language, as the first node with predictions of it has them.

    Raises:
        UserError: if there are no predictions.
    """
    node = next(cell.node for cell in plan.cells if cell.target == target)
    return split_examples(_read(results, node), plan.targets[target].task, evaluation_data(plan, node).parallel)


def split_examples(frame: pd.DataFrame, task: str, parallel: bool) -> dict[str, Examples]:
    """Return the examples of predictions by language.

    Args:
        frame: the predictions.
        task: what they are of.
        parallel: whether clusters are the same in all languages, and drawn in all at once.
    """
    of_all = _numbers(frame)
    return {
        str(language): _examples(rows, of_all, task)
        if parallel
        else _examples(rows, _numbers(rows), f"{task}@{language}")
        for language, rows in frame.groupby("language", sort=False)
    }


def evaluation_node(plan: StudyPlan, node: str) -> str:
    """Return the node of the data that a node of predictions is about."""
    parents = plan.nodes[node].parents
    return parents[PREPARED] if PREPARED in parents else plan.nodes[parents[TOKENS]].parents[PREPARED]


def evaluation_data(plan: StudyPlan, node: str) -> EvaluationDataSpec:
    """Return the spec of the data that a node of predictions is about."""
    spec = plan.nodes[evaluation_node(plan, node)].spec
    assert isinstance(spec, EvaluationDataSpec)
    return spec


def _numbers(rows: pd.DataFrame) -> dict[str, int]:
    """Return the number of each cluster, in the order in which they occur."""
    return {name: number for number, name in enumerate(dict.fromkeys(rows["cluster_id"]))}


def _examples(rows: pd.DataFrame, numbers: Mapping[str, int], what: str) -> Examples:
    """Return examples whose clusters have these numbers; draws depend on what they are of and on the clusters alone."""
    data = hashlib.sha256("\n".join([what, *numbers]).encode()).hexdigest()
    return Examples(rows["example_id"].to_numpy(object), rows["cluster_id"].map(numbers).to_numpy(), len(numbers), data)


def clusters_in(examples: Collection[Examples]) -> int:
    """Return how many independent clusters some examples have."""
    return len({(split.data, number) for split in examples for number in np.unique(split.clusters)})


def _read(results: Path, node: str) -> pd.DataFrame:
    return predictions.read(results / node / predictions.FILE)


def scores(
    results: Path,
    nodes: Collection[str],
    form: Form,
    examples: Mapping[str, Examples],
    asked: Mapping[str, Collection[str]],
) -> Iterator[tuple[str, dict[tuple[str, str], np.ndarray]]]:
    """Yield for each node of a target its scores, by language and metric: first the score, then that of every draw.

    They are of shape (1 + DRAWS,), in the unit of the metric; NaN where a draw has no example of the language.

    Args:
        results: the results folder.
        nodes: ids of the nodes with predictions of the target.
        form: the target's form.
        examples: the target's examples by language.
        asked: the metrics to compute, by language.

    Raises:
        UserError: if a node has predictions for other examples.
    """
    drawn = {split.data: draws(split) for split in (examples[language] for language in asked)}
    for node in nodes:
        found: dict[tuple[str, str], np.ndarray] = {}
        for language, rows in _read(results, node).groupby("language", sort=False):
            if language not in asked:
                continue
            split = examples[str(language)]
            if not np.array_equal(rows["example_id"].to_numpy(object), split.ids):
                raise UserError(
                    f"{results / node}: its predictions for {language} are not of the same examples as those of other"
                    " models; delete its folder and run again"
                )
            metrics = {name: form.metrics[name] for name in asked[str(language)]}
            by_metric = scores_of_draws(metrics, columns_of(rows), split, drawn[split.data])
            found |= {(str(language), metric): values for metric, values in by_metric.items()}
        yield node, found


def draws(split: Examples) -> np.ndarray:
    """Return how often each cluster is in each draw, of shape (DRAWS, clusters)."""
    seed = int.from_bytes(bytes.fromhex(split.data)[:16])
    rng = np.random.Generator(np.random.Philox(key=seed))
    # a cluster is in a draw once on average, and never more than 255 times
    counts = np.empty((DRAWS, split.drawn_from), dtype=np.uint8)
    for row in counts:
        row[:] = np.bincount(rng.integers(split.drawn_from, size=split.drawn_from), minlength=split.drawn_from)
    return counts


def scores_of_draws(
    metrics: Mapping[str, Metric], columns: Columns, split: Examples, drawn: np.ndarray
) -> dict[str, np.ndarray]:
    """Return by metric the score of the examples, then that of every draw; of shape (1 + DRAWS,).

    Args:
        metrics: by name.
        columns: the examples, as ``columns_of`` gives them.
        split: the same examples with their clusters.
        drawn: as ``draws`` gives them.
    """
    names = [name for name in columns if name not in scoring.TEXTS]
    sums = _sums([*(columns[name] for name in names), np.ones(len(split.ids))], split, drawn)
    return {
        name: _of_examples(metric, columns, split, drawn)
        if metric.of_examples is not None
        else _of_sums(metric, names, sums)
        for name, metric in metrics.items()
    }


def _sums(columns: Sequence[np.ndarray], split: Examples, drawn: np.ndarray) -> np.ndarray:
    """Return the sums of columns over the examples, and over those of every draw; of shape (1 + DRAWS, columns)."""
    of_clusters = np.column_stack([np.bincount(split.clusters, column, split.drawn_from) for column in columns])
    blocks = np.array_split(drawn, math.ceil(drawn.size / BLOCK))
    return np.vstack([of_clusters.sum(axis=0), *(block.astype(np.float64) @ of_clusters for block in blocks)])


def _of_sums(metric: Metric, names: Sequence[str], sums: np.ndarray) -> np.ndarray:
    """Return the scores from sums of statistics; the last column is the number of examples."""
    assert metric.of_sums is not None
    return np.array(
        [metric.of_sums(dict(zip(names, values, strict=True)), n) if n else np.nan for *values, n in sums.tolist()]
    )


def _of_examples(metric: Metric, columns: Columns, split: Examples, drawn: np.ndarray) -> np.ndarray:
    """Return the scores of a metric that is no function of sums."""
    assert metric.of_examples is not None
    once = np.ones((1, split.drawn_from))
    scores = []
    for block in (once, *np.array_split(drawn, math.ceil(len(drawn) * len(split.ids) / LARGE_BLOCK))):
        counts, of_block = block[:, split.clusters].astype(np.float64), np.full(len(block), np.nan)
        there = counts.any(axis=1)
        of_block[there] = metric.of_examples(columns, counts[there])
        scores.append(of_block)
    return np.concatenate(scores)
