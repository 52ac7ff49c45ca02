"""What rows of the table of estimates are computed from: the arms and targets, and the manifests of their predictions.

A page lists the manifests of an arm once, and a row names its arms and targets, so that thousands of rows stay small.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd

from xstilts.evaluation.analyses import measured
from xstilts.evaluation.comparisons import SAME, Arm, Comparison
from xstilts.evaluation.table import records
from xstilts.evaluation.unasked import all_comparisons
from xstilts.store.manifest import path_of
from xstilts.store.study_plan import Cell, StudyPlan

# from the folder of a study's outputs, results/studies/<study>/<digest>, to the results folder
_UP = "../../.."


@dataclass(frozen=True)
class Link:
    """The manifest of the predictions of a run: the run, such as ``s1``, and the path from the study's outputs."""

    run: str
    path: str


@dataclass(frozen=True)
class Sources:
    """What a row is computed from; an arm that is chosen among several stands for all of these.

    Attributes:
        arms: as ``model.recipe.mixture``, those of the first side first.
        targets: in the outcome.
    """

    arms: tuple[str, ...]
    targets: tuple[str, ...]


def of_rows(plan: StudyPlan, estimates: pd.DataFrame, scores: pd.DataFrame) -> dict[int, Sources]:
    """Return what each row of the table of estimates is computed from, by the number of the row.

    Args:
        plan: the study's plan.
        estimates: the table of estimates.
        scores: the table of scores.
    """
    asked = all_comparisons(plan, measured.rows_of(plan, scores))
    found = {_key(comparison): _sources(comparison) for comparison in asked}
    keys = {row["row"]: tuple(row[name] for name in SAME) for row in records(estimates)}
    return {number: found[key] for number, key in keys.items() if key in found}


def _key(comparison: Comparison) -> tuple[str, ...]:
    of_outcome = {"outcome": comparison.outcome.name, "target": comparison.outcome.target}
    return tuple(of_outcome[name] if name in of_outcome else getattr(comparison, name) for name in SAME)


def _sources(comparison: Comparison) -> Sources:
    arms = [arm for side in (*comparison.first, *comparison.second) for arm in side.arms]
    return Sources(tuple(dict.fromkeys(map(".".join, arms))), comparison.outcome.targets)


def of_arms(plan: StudyPlan) -> dict[str, Mapping[str, tuple[Link, ...]]]:
    """Return the manifests of each arm's predictions, by arm and target, each once.

    Where nothing is trained, all runs are one and the same, and the link is that of the first.
    """
    found: dict[str, dict[str, dict[str, Link]]] = {}
    for cell in plan.cells:
        arm = ".".join(Arm(cell.model, cell.recipe, cell.mixture))
        of_target = found.setdefault(arm, {}).setdefault(cell.target, {})
        of_target.setdefault(cell.node, Link(_run(cell), path_of(_UP, cell.node).as_posix()))
    return {
        arm: {target: tuple(links.values()) for target, links in of_targets.items()}
        for arm, of_targets in found.items()
    }


def _run(cell: Cell) -> str:
    return f"s{cell.seed}" if cell.world is None else f"w{cell.world}.s{cell.seed}"
