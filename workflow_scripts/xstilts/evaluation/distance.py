"""Whether scores fall with a language's declared distance from the source language."""

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from scipy import stats

from xstilts.evaluation.scores import headline, is_source_language
from xstilts.forms import metric_named
from xstilts.store.study_plan import NONE


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
    plain = plain[(plain["mixture"] == NONE) & plain["metric"].isin(rising)]
    plain = plain[plain["language"].isin(list(distance)) & ~is_source_language(plain)]
    rows = []
    for key, scores_of in plain.groupby(["model", "recipe", "method", "target"], sort=False):
        means = scores_of.groupby("language")["score"].mean()
        if len(means) < 4 or means.nunique() < 2:
            continue
        ranks = _ranks([distance[language] for language in means.index])
        test = stats.permutation_test(
            (_ranks(means.to_numpy()),),
            lambda values, axis, ranks=ranks: (values * ranks).sum(axis),
            permutation_type="pairings",
            alternative="less",
            n_resamples=9999,
            rng=0,
            vectorized=True,
        )
        axes = dict(zip(("model", "recipe", "method", "target"), key, strict=True))
        rows.append({**axes, "languages": len(means), "correlation": test.statistic, "p": test.pvalue})
    return pd.DataFrame(rows, columns=["model", "recipe", "method", "target", "languages", "correlation", "p"])


def _ranks(values: Sequence[float] | np.ndarray) -> np.ndarray:
    """Return the ranks of values as a vector of mean 0 and length 1: the product of two is Spearman's correlation."""
    ranks = stats.rankdata(values)
    centred = ranks - ranks.mean()
    vector: np.ndarray = centred / np.linalg.norm(centred)
    return vector
