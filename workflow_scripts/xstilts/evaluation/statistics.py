"""Contrasts and their intervals: whether one model or mixture is better than another, beyond the noise of examples.

Both sides predict the same examples, so the bootstrap is paired (Efron and Tibshirani 1993, An Introduction to the
Bootstrap, chapters 13 and 16; Koehn 2004, Statistical Significance Tests for Machine Translation Evaluation): examples
are drawn with replacement, the same for both sides and all seeds, and the interval is that between the percentiles of
the difference. What is drawn are clusters of examples (questions about one paragraph); where the languages have the
same examples in translation, they are drawn in all languages at once. The interval says nothing of other seeds.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from xstilts import forms
from xstilts.errors import UserError
from xstilts.evaluation import predictions
from xstilts.evaluation.scores import AXES, headline, is_source_language

DRAWS, LEVEL = 1000, 0.95
_OTHER_AXES = [axis for axis in AXES if axis != "seed"]
HIGHER, LOWER, NEITHER = "higher", "lower", "no difference shown"


def contrasts(plan: Mapping[str, Any], results: Path) -> pd.DataFrame:
    """Return the contrasts that a study states: a row for each, and for all else that both sides have in common.

    Differences are of the headline metric, in its units (points of percent, or nats), one minus the other, as means
    over zero-shot languages and seeds; ``low`` and ``high`` bound the interval. ``verdict`` is what the interval says,
    ``outcome`` compares it with what was expected.

    Args:
        plan: the content of plan.json.
        results: the results folder.

    Raises:
        UserError: if two sides have not the same examples.
    """
    nodes = {tuple(cell[axis] for axis in (*_OTHER_AXES, "seed")): cell["node"] for cell in plan["cells"]}
    rows = []
    for name, contrast in plan["contrasts"].items():
        axis, (one, other) = contrast["axis"], contrast["pair"]
        for key, seeds in _sides(plan, contrast).items():
            axes = dict(zip(_OTHER_AXES, key, strict=True))
            pairs = [
                tuple(_predictions(results, nodes[(*_with(key, axis, side), seed)]) for side in (one, other))
                for seed in seeds
            ]
            target = plan["targets"][axes["target"]]
            joint = _parallel(plan, nodes[(*_with(key, axis, one), seeds[0])])
            found = difference(pairs, forms.get(target["form"]), target["metric"], target["language"], joint)
            shown = {other_axis: value for other_axis, value in axes.items() if other_axis != axis}
            rows.append(
                {"contrast": name, "one": one, "other": other, **shown, **found, "metric": target["metric"],
                 "seeds": len(seeds), "expected": contrast["expected"]}
            )  # fmt: skip
    return pd.DataFrame(rows).assign(outcome=[_outcome(row) for row in rows])


def _sides(plan: Mapping[str, Any], contrast: Mapping[str, Any]) -> dict[tuple, list[int]]:
    """Return the seeds that both sides have, by the other axes (with the first side's name in place)."""
    place, found = _OTHER_AXES.index(contrast["axis"]), {}
    seen = {tuple(cell[axis] for axis in (*_OTHER_AXES, "seed")) for cell in plan["cells"]}
    one, other = contrast["pair"]
    for *key, seed in (tuple(cell[axis] for axis in (*_OTHER_AXES, "seed")) for cell in plan["cells"]):
        asked = contrast["targets"] is None or key[-1] in contrast["targets"]
        if asked and key[place] == one and (*_with(key, contrast["axis"], other), seed) in seen:
            found.setdefault(tuple(key), []).append(seed)
    return found


def _with(key: Sequence[str], axis: str, value: str) -> tuple[str, ...]:
    """Return the axes with another value on one of them."""
    return tuple(value if name == axis else own for name, own in zip(_OTHER_AXES, key, strict=True))


def _predictions(results: Path, node: str) -> pd.DataFrame:
    return predictions.read(results / node / predictions.FILE)


def _parallel(plan: Mapping[str, Any], node: str) -> bool:
    """Tell whether the languages of a node's data have the same examples in translation."""
    parents = plan["nodes"][node]["spec"]["parents"]
    prepared = parents.get("prepared") or plan["nodes"][parents["tokens"]]["spec"]["parents"]["prepared"]
    return plan["nodes"][prepared]["spec"]["parallel"]


def difference(
    pairs: Sequence[tuple[pd.DataFrame, pd.DataFrame]], form: ModuleType, metric: str, source: str, joint: bool
) -> dict[str, Any]:
    """Return the difference of two sides' scores with its interval.

    Args:
        pairs: the predictions of both sides for each seed, with ``stat_`` columns, as ``predict`` writes them.
        form: the module of the task's form.
        metric: the metric.
        source: the source language; the others count, or itself where there is no other.
        joint: whether clusters are the same in all languages, and drawn in all at once.

    Raises:
        UserError: if the examples are not the same.
    """
    first = pairs[0][0]
    languages = [code for code in dict.fromkeys(first["language"]) if code != source] or [source]
    rng = np.random.Generator(np.random.Philox(0))
    clusters = {name: number for number, name in enumerate(dict.fromkeys(first["cluster_id"]))} if joint else {}
    resampling_weights = _resampling_weights(rng, len(clusters)) if joint else None
    total = np.zeros(1 + DRAWS)
    for language in languages:
        own = first[first["language"] == language]
        numbers = clusters or {name: number for number, name in enumerate(dict.fromkeys(own["cluster_id"]))}
        drawn = _resampling_weights(rng, len(numbers)) if resampling_weights is None else resampling_weights
        places = own["cluster_id"].map(numbers).to_numpy()
        for sides in pairs:
            for side, sign in zip(sides, (1, -1), strict=True):
                part = side[side["language"] == language]
                if part["example_id"].tolist() != own["example_id"].tolist():
                    raise UserError(f"predictions for {language} are not of the same examples; run the study again")
                total += sign * _scores(part, places, len(numbers), drawn, form, metric)
    total /= len(languages) * len(pairs)
    # a bound of 0 is one, whatever the rounding of sums says
    low, high = np.nanquantile(total[1:], [(1 - LEVEL) / 2, (1 + LEVEL) / 2]).round(9) + 0.0
    verdict = HIGHER if low > 0 else LOWER if high < 0 else NEITHER
    return {
        "difference": float(total[0]), "low": float(low), "high": float(high), "verdict": verdict,
        "languages": len(languages), "n": int(first["language"].isin(languages).sum()),
    }  # fmt: skip


def _resampling_weights(rng: np.random.Generator, clusters: int) -> np.ndarray:
    """Return how often each cluster counts: once in the first row, and in the others as it is drawn."""
    drawn = rng.multinomial(clusters, np.full(clusters, 1 / clusters), size=DRAWS)
    return np.vstack([np.ones((1, clusters)), drawn])


def _scores(
    part: pd.DataFrame, places: np.ndarray, clusters: int, weights: np.ndarray, form: ModuleType, metric: str
) -> np.ndarray:
    """Return the score of every draw, NaN where a draw has no example of the language."""
    names = [name for name in part.columns if name.startswith("stat_")]
    sums = np.zeros((clusters, len(names) + 1))
    np.add.at(sums, places, np.column_stack([part[names].to_numpy(), np.ones(len(part))]))
    found = []
    for *values, count in weights @ sums:
        statistics = dict(zip((name.removeprefix("stat_") for name in names), values, strict=True))
        found.append(form.score(statistics, count)[metric] if count else np.nan)
    return np.asarray(found)


def _outcome(row: Mapping[str, Any]) -> str:
    if row["expected"] is None:
        return ""
    if row["verdict"] == NEITHER:
        return "did not emerge"
    return "emerged" if row["verdict"] == row["expected"] else "the opposite"


def distances(scores: pd.DataFrame, distance: Mapping[str, int]) -> pd.DataFrame:
    """Return how scores fall with the declared distance of a language: Spearman's rank correlation for each target.

    Models without an intermediate phase; means over seeds; languages other than the source language; no losses. ``p``
    is the part of the orders of the languages, all of them or 9,999 drawn ones, whose correlation is at most as high.

    Args:
        scores: all scores, as ``scores.collect`` gives them.
        distance: rank of the distance by language.
    """
    plain = headline(scores)
    plain = plain[plain["metric"] != "loss"]
    plain = plain[(plain["mixture"] == "none") & plain["language"].isin(list(distance)) & ~is_source_language(plain)]
    rows = []
    for key, part in plain.groupby(["model", "recipe", "method", "target"], sort=False):
        means = part.groupby("language")["score"].mean()
        if len(means) < 4 or means.nunique() < 2:
            continue
        ranks = [distance[language] for language in means.index]
        found = stats.permutation_test(
            (means.to_numpy(),), lambda own, ranks=ranks: stats.spearmanr(own, ranks).statistic,
            permutation_type="pairings", alternative="less", n_resamples=9999, rng=0, vectorized=False,
        )  # fmt: skip
        axes = dict(zip(("model", "recipe", "method", "target"), key, strict=True))
        rows.append({**axes, "languages": len(means), "correlation": found.statistic, "p": found.pvalue})
    return pd.DataFrame(rows, columns=["model", "recipe", "method", "target", "languages", "correlation", "p"])
