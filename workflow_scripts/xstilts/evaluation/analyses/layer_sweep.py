"""Layer sweep: what texts are found by the vectors of every layer, where the recipe scores all layers."""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from xstilts.evaluation import layers, outcomes
from xstilts.evaluation.analyses import measured
from xstilts.evaluation.comparisons import Arm
from xstilts.evaluation.outcomes import Outcome, Rows
from xstilts.evaluation.table import Column, Table
from xstilts.forms import FORMS
from xstilts.store.study_plan import StudyPlan

COLUMNS = (
    *measured.ARM,
    Column("target", "text", "the target, which is scored by the vectors of texts"),
    Column("layer", "integer", "the layer, 0 for the embeddings"),
    Column("scored", "flag", "whether all other tables are of this layer"),
    Column("score", "number", "zero-shot mean by this layer's vectors in percent, mean over runs"),
    Column("low", "number", "the same of the lowest run"),
    Column("high", "number", "the same of the highest run"),
    Column("runs", "integer", "runs: seeds, in a study of several worlds those of all of them"),
    Column("chance", "number", "the score of guessing; missing where the metric has none", optional=True),
)
TABLE = Table("the layer sweep", COLUMNS)


def collect(plan: StudyPlan, results: Path, estimates: pd.DataFrame, scores: pd.DataFrame) -> pd.DataFrame:
    """Return a row for each layer of each arm, of the targets that are scored by the vectors of all layers.

    Args:
        plan: the study's plan.
        results: the results folder.
        estimates: the table of estimates.
        scores: the table of scores.
    """
    found = layers.collect(plan, results) if plan.swept else pd.DataFrame()
    examples = measured.rows_of(plan, scores)
    rows: list[dict[str, Any]] = []
    for target, of_target in found.groupby("target", sort=False) if len(found) else ():
        metric = plan.targets[str(target)].metric
        # of a table of scores it has what an outcome is computed from
        by_layer = of_target.assign(metric=metric, collapsed=False)
        for outcome in outcomes.zero_shot(plan, examples, [str(target)]):
            rows += _of_target(by_layer, outcome, scores, _chance(plan, examples, outcome))
    return measured.table_of(rows, COLUMNS)


def _of_target(
    by_layer: pd.DataFrame, outcome: Outcome, scores: pd.DataFrame, chance: float
) -> Iterator[dict[str, Any]]:
    """Yield the rows of a target, by arm and layer."""
    of_scores = scores[scores["target"] == outcome.target].drop_duplicates(["model", "recipe"])
    scored = of_scores.set_index(["model", "recipe"])["layer"].to_dict()
    runs = pd.concat(
        [measured.runs_of(of_layer, outcome).assign(layer=layer) for layer, of_layer in by_layer.groupby("layer")]
    )
    for key, of_arm in runs.groupby(list(Arm._fields), sort=False):
        arm = Arm(*map(str, key))
        for layer, values in of_arm.groupby("layer")["value"]:
            yield {
                **arm._asdict(),
                "target": outcome.target,
                "layer": layer,
                "scored": scored[arm.model, arm.recipe] == layer,
                **{"score": values.mean(), "low": values.min(), "high": values.max(), "runs": len(values)},
                "chance": chance,
            }


def _chance(plan: StudyPlan, rows: Rows, outcome: Outcome) -> float:
    """Return the score of guessing among the texts of each language; NaN where the metric has none."""
    target = plan.targets[outcome.target]
    of_choices = FORMS[target.form].metrics[target.metric].chance
    if of_choices is None:
        return math.nan
    return sum(term.weight * of_choices(rows[term.target][term.language]) for term in outcome.terms)
