"""Contrasts and their intervals: whether a model or mixture is better than another, beyond the noise of examples.

Both sides predict the same examples, so the bootstrap is paired (Efron and Tibshirani 1993, An Introduction to the
Bootstrap, chapters 13 and 16; Koehn 2004, Statistical Significance Tests for Machine Translation Evaluation): examples
are drawn with replacement, the same for both sides and all seeds, and the interval is that between the percentiles of
the difference. Clusters of examples (questions about one paragraph) are drawn whole; where the languages have the same
examples in translation, they are drawn in all languages at once. The interval says nothing of other seeds.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from xstilts.errors import UserError
from xstilts.evaluation import predictions
from xstilts.evaluation.scores import AXES, columns_of, headline, is_source_language
from xstilts.forms import FORMS, metric_named, scoring
from xstilts.forms.declaration import Columns, Metric
from xstilts.store.answer import Contrast
from xstilts.store.specs.base import PREPARED, TOKENS
from xstilts.store.specs.data import EvaluationDataSpec
from xstilts.store.study_plan import StudyPlan

DRAWS, LEVEL = 1000, 0.95
# numbers in a matrix of draws by examples: memory depends on it
BLOCK = 2**22
_OTHER_AXES = [axis for axis in AXES if axis != "seed"]
HIGHER, LOWER, NEITHER = "higher", "lower", "no difference shown"


def contrasts(plan: StudyPlan, results: Path) -> pd.DataFrame:
    """Return the contrasts that a study states: a row for each, and for all else that both sides have in common.

    Differences are of the headline metric, in its unit (points of percent, or nats): the first side minus the second,
    as means over zero-shot languages and seeds; ``low`` and ``high`` bound the interval. ``verdict`` is what the
    interval says, ``outcome`` compares it with what was expected.

    Args:
        plan: the study's plan.
        results: the results folder.

    Raises:
        UserError: if two sides have not the same examples.
    """
    nodes = {tuple(cell.at((*_OTHER_AXES, "seed")).values()): cell.node for cell in plan.cells}
    rows = []
    for name, contrast in plan.contrasts.items():
        axis, (first, second) = contrast.axis, contrast.pair
        for key, seeds in _sides(plan, contrast).items():
            axes = dict(zip(_OTHER_AXES, key, strict=True))
            keys = [_with(key, axis, side) for side in (first, second)]
            of_sides = [[_predictions(results, nodes[(*side, seed)]) for side in keys] for seed in seeds]
            pairs = [(of_first, of_second) for of_first, of_second in of_sides]
            target = plan.targets[axes["target"]]
            joint = _parallel(plan, nodes[(*_with(key, axis, first), seeds[0])])
            metric = FORMS[target.form].metrics[target.metric]
            rows.append(
                {
                    "contrast": name,
                    "a": first,
                    "b": second,
                    **{other_axis: value for other_axis, value in axes.items() if other_axis != axis},
                    **difference(pairs, metric, target.language, joint),
                    "metric": target.metric,
                    "seeds": len(seeds),
                    "expected": contrast.expected,
                }
            )
    return pd.DataFrame(rows).assign(outcome=[_outcome(row) for row in rows])


def _sides(plan: StudyPlan, contrast: Contrast) -> dict[tuple, list[int]]:
    """Return the seeds that both sides have, by the other axes and the name of the first side."""
    index = _OTHER_AXES.index(contrast.axis)
    cells = [tuple(cell.at((*_OTHER_AXES, "seed")).values()) for cell in plan.cells]
    present, (first, second) = set(cells), contrast.pair
    seeds: dict[tuple, list[int]] = {}
    for *key, seed in cells:
        is_compared = contrast.targets is None or key[-1] in contrast.targets
        if is_compared and key[index] == first and (*_with(key, contrast.axis, second), seed) in present:
            seeds.setdefault(tuple(key), []).append(seed)
    return seeds


def _with(key: Sequence[str], axis: str, value: str) -> tuple[str, ...]:
    """Return the axes with another value on one of them."""
    return tuple(value if name == axis else there for name, there in zip(_OTHER_AXES, key, strict=True))


def _predictions(results: Path, node: str) -> pd.DataFrame:
    return predictions.read(results / node / predictions.FILE)


def _parallel(plan: StudyPlan, node: str) -> bool:
    """Tell whether the languages of a node's data have the same examples in translation."""
    parents = plan.nodes[node].parents
    prepared = parents[PREPARED] if PREPARED in parents else plan.nodes[parents[TOKENS]].parents[PREPARED]
    spec = plan.nodes[prepared].spec
    return isinstance(spec, EvaluationDataSpec) and spec.parallel


def difference(
    pairs: Sequence[tuple[pd.DataFrame, pd.DataFrame]], metric: Metric, source: str, joint: bool
) -> dict[str, Any]:
    """Return the difference of the scores of two sides with its interval.

    Args:
        pairs: the predictions of both sides for each seed, with ``stat_`` columns, as ``predict`` writes them.
        metric: by which they are scored.
        source: the source language; the others count, or itself where there is no other.
        joint: whether clusters are the same in all languages, and drawn in all at once.

    Raises:
        UserError: if the examples are not the same.
    """
    first = pairs[0][0]
    languages = [code for code in dict.fromkeys(first["language"]) if code != source] or [source]
    rng = np.random.Generator(np.random.Philox(0))
    all_clusters = _indices(first) if joint else {}
    joint_resampling = _resampling_weights(rng, len(all_clusters)) if joint else None
    total = np.zeros(1 + DRAWS)
    for language in languages:
        examples = first[first["language"] == language]
        indices = all_clusters or _indices(examples)
        resampling_weights = _resampling_weights(rng, len(indices)) if joint_resampling is None else joint_resampling
        clusters = examples["cluster_id"].map(indices).to_numpy()
        for sides in pairs:
            for side, sign in zip(sides, (1, -1), strict=True):
                predictions = side[side["language"] == language]
                if predictions["example_id"].tolist() != examples["example_id"].tolist():
                    raise UserError(f"predictions for {language} are not of the same examples; run the study again")
                total += sign * _scores(columns_of(predictions), clusters, resampling_weights, metric)
    total /= len(languages) * len(pairs)
    # rounding errors of sums must not make a bound of 0 positive or negative
    low, high = np.nanquantile(total[1:], [(1 - LEVEL) / 2, (1 + LEVEL) / 2]).round(9) + 0.0
    return {
        "difference": float(total[0]),
        "low": float(low),
        "high": float(high),
        "verdict": HIGHER if low > 0 else LOWER if high < 0 else NEITHER,
        "languages": len(languages),
        "n": int(first["language"].isin(languages).sum()),
    }


def _indices(examples: pd.DataFrame) -> dict[str, int]:
    """Return the index of each cluster, in the order in which they occur."""
    return {name: index for index, name in enumerate(dict.fromkeys(examples["cluster_id"]))}


def _resampling_weights(rng: np.random.Generator, clusters: int) -> np.ndarray:
    """Return how often each cluster counts: once in the first row, and in the others as it is drawn."""
    drawn = rng.multinomial(clusters, np.full(clusters, 1 / clusters), size=DRAWS)
    return np.vstack([np.ones((1, clusters)), drawn])


def _scores(columns: Columns, clusters: np.ndarray, resampling_weights: np.ndarray, metric: Metric) -> np.ndarray:
    """Return the score of every draw, NaN where a draw has no example of the language; shape (draws,).

    Args:
        columns: the examples of a language.
        clusters: the index of the cluster of each example.
        resampling_weights: how often each cluster counts, of shape (draws, clusters).
        metric: by which they are scored.
    """
    if metric.of_examples is not None:
        blocks = np.array_split(resampling_weights, math.ceil(len(resampling_weights) * len(clusters) / BLOCK) or 1)
        return np.concatenate([_of_examples(metric.of_examples, columns, block[:, clusters]) for block in blocks])
    names = [name for name in columns if name not in scoring.TEXTS]
    sums = np.zeros((resampling_weights.shape[1], len(names) + 1))
    np.add.at(sums, clusters, np.column_stack([*(columns[name] for name in names), np.ones(len(clusters))]))
    assert metric.of_sums is not None
    of_draws = resampling_weights @ sums
    return np.array(
        [metric.of_sums(dict(zip(names, values, strict=True)), n) if n else np.nan for *values, n in of_draws]
    )


def _of_examples(function: Callable[[Columns, np.ndarray], np.ndarray], columns: Columns, counts: np.ndarray) -> Any:
    """Return the score of every draw; counts say how often each example is in it."""
    scores, there = np.full(len(counts), np.nan), counts.any(axis=1)
    scores[there] = function(columns, counts[there])
    return scores


def _outcome(row: Mapping[str, Any]) -> str:
    if row["expected"] is None:
        return ""
    if row["verdict"] == NEITHER:
        return "did not emerge"
    return "emerged" if row["verdict"] == row["expected"] else "the opposite"


def distances(scores: pd.DataFrame, distance: Mapping[str, int]) -> pd.DataFrame:
    """Return how scores fall with the declared distance of a language: Spearman's rank correlation for each target.

    Models without an intermediate phase; means over seeds; languages other than the source language; metrics of which
    more is better. ``p`` is the share of the orders of the languages, all of them or 9,999 random ones, whose
    correlation is at most as high.

    Args:
        scores: all scores, as ``scores.collect`` gives them.
        distance: rank of the distance by language.
    """
    plain = headline(scores)
    rising = [name for name in plain["metric"].unique() if metric_named(name).higher_is_better]
    plain = plain[(plain["mixture"] == "none") & plain["metric"].isin(rising)]
    plain = plain[plain["language"].isin(list(distance)) & ~is_source_language(plain)]
    rows = []
    for key, scores_of in plain.groupby(["model", "recipe", "method", "target"], sort=False):
        means = scores_of.groupby("language")["score"].mean()
        if len(means) < 4 or means.nunique() < 2:
            continue
        ranks = [distance[language] for language in means.index]
        test = stats.permutation_test(
            (means.to_numpy(),),
            lambda values, ranks=ranks: stats.spearmanr(values, ranks).statistic,
            permutation_type="pairings",
            alternative="less",
            n_resamples=9999,
            rng=0,
            vectorized=False,
        )
        axes = dict(zip(("model", "recipe", "method", "target"), key, strict=True))
        rows.append({**axes, "languages": len(means), "correlation": test.statistic, "p": test.pvalue})
    return pd.DataFrame(rows, columns=["model", "recipe", "method", "target", "languages", "correlation", "p"])
