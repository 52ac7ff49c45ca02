"""The outcome of every run of a study's arms, from the table of scores."""

from collections.abc import Collection

import pandas as pd

from xstilts.evaluation.comparisons import Comparison, comparisons
from xstilts.evaluation.outcomes import Outcome, Rows
from xstilts.evaluation.scores import axes_of
from xstilts.store.study_plan import StudyPlan

ARM = ["model", "recipe", "mixture"]


def rows_of(scores: pd.DataFrame) -> Rows:
    """Return the examples by target and language."""
    once = scores.drop_duplicates(["target", "language"])
    return {
        str(target): dict(zip(rows["language"], rows["n"], strict=True))
        for target, rows in once.groupby("target", sort=False)
    }


def compared(plan: StudyPlan, scores: pd.DataFrame) -> list[Comparison]:
    """Return what a study compares, as its table of estimates has it."""
    return comparisons(plan, rows_of(scores))


def outcomes_of_runs(scores: pd.DataFrame, outcome: Outcome) -> pd.DataFrame:
    """Return the outcome of each run that has all its scores.

    Columns: model, recipe, mixture, seed, world where there are several, ``value``, and ``collapsed``, whether a
    training behind a score of the outcome collapsed.

    Args:
        scores: the table of scores.
        outcome: the outcome.
    """
    terms = pd.DataFrame([(term.target, term.language, term.metric, term.weight) for term in outcome.terms])
    terms.columns = ["target", "language", "metric", "weight"]
    joined = scores.merge(terms, on=["target", "language", "metric"])
    axes = [axis for axis in axes_of(scores) if axis not in ("method", "target")]
    joined = joined.assign(value=joined["score"] * joined["weight"])
    found = joined.groupby(axes, sort=False, as_index=False).agg(
        value=("value", "sum"), terms=("value", "count"), collapsed=("collapsed", "any")
    )
    return found[found["terms"] == len(terms)].drop(columns="terms").reset_index(drop=True)


def of_mixtures(runs: pd.DataFrame, model: str, recipe: str, mixtures: Collection[str]) -> pd.DataFrame:
    """Return the runs of a model by a recipe on some mixtures."""
    return runs[(runs["model"] == model) & (runs["recipe"] == recipe) & runs["mixture"].isin(list(mixtures))]
