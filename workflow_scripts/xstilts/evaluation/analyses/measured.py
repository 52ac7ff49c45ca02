"""What tables of analyses have in common: the arms of a study, its examples, and outcomes as measured in every run."""

from collections.abc import Sequence
from typing import Any

import pandas as pd

from xstilts.evaluation.comparisons import Arm
from xstilts.evaluation.outcomes import Outcome, Rows
from xstilts.evaluation.scores import axes_of
from xstilts.evaluation.table import Column
from xstilts.store.study_plan import StudyPlan

# the columns that name an arm
ARM = (
    Column("model", "text", "the study's name of the pretrained model"),
    Column("recipe", "text", "the study's name of the recipe"),
    Column("mixture", "text", "the study's name of the intermediate mixture"),
)


def arms_of(plan: StudyPlan) -> list[Arm]:
    """Return the arms of a study, in its order."""
    return list(dict.fromkeys(Arm(cell.model, cell.recipe, cell.mixture) for cell in plan.cells))


def rows_of(plan: StudyPlan, scores: pd.DataFrame) -> Rows:
    """Return the examples of a study by target and language, as its table of scores has them."""
    once = scores.drop_duplicates(["target", "language"])
    found: dict[str, dict[str, int]] = {target: {} for target in plan.targets}
    for target, language, n in once[["target", "language", "n"]].itertuples(index=False):
        found[target][language] = n
    return found


def runs_of(scores: pd.DataFrame, outcome: Outcome) -> pd.DataFrame:
    """Return the outcome of each run that has all its scores, in a study of several worlds in each of them.

    Columns: model, recipe, mixture, seed, world where there are several, ``value`` in the unit of the outcome, and
    ``collapsed``, whether a training behind a score of the outcome collapsed.

    Args:
        scores: the table of scores.
        outcome: the outcome.
    """
    found = scores.merge(pd.DataFrame(outcome.terms), on=["target", "language", "metric"])
    axes = [axis for axis in axes_of(found) if axis not in ("method", "target")]
    runs = (
        found.assign(value=found["weight"] * found["score"])
        .groupby(axes, sort=False, as_index=False)
        .agg(value=("value", "sum"), terms=("value", "count"), collapsed=("collapsed", "any"))
    )
    return runs[runs["terms"] == len(outcome.terms)].drop(columns="terms").reset_index(drop=True)


def means_of(scores: pd.DataFrame, outcome: Outcome) -> dict[Arm, dict[str, Any]]:
    """Return ``score``, the outcome of each arm as the mean over its runs, and ``runs``, their number.

    Args:
        scores: the table of scores.
        outcome: the outcome.
    """
    of_arms = runs_of(scores, outcome).groupby(list(Arm._fields), sort=False)["value"]
    return {
        Arm(*map(str, key)): {"score": float(values.mean()), "runs": len(values)}
        for key, values in of_arms
        if isinstance(key, tuple)
    }


def named(outcome: Outcome) -> dict[str, str]:
    """Return what a table says of an outcome."""
    return {"outcome": outcome.name, "target": outcome.target}


def table_of(rows: Sequence[dict[str, Any]], columns: Sequence[Column]) -> pd.DataFrame:
    """Return rows as a frame with these columns; integers among which some are missing become numbers."""
    frame = pd.DataFrame(list(rows), columns=[column.name for column in columns])
    optional = [column for column in columns if column.optional]
    return frame.astype(
        {
            column.name: int if column.type == "integer" and frame[column.name].notna().all() else float
            for column in optional
        }
    )
