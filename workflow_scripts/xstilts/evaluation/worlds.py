"""Estimates over several worlds, and how far the verdicts of single worlds agree.

Every world has its own data, pretrained models and runs, so the differences found in worlds are independent draws, and
the variance between them holds all that is random: worlds, pretrained models, runs and examples. The mean over W worlds
has the t interval of W - 1 degrees of freedom; worlds are to it what runs are to the outcome of an arm.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from math import comb
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from xstilts.evaluation import estimates, intervals
from xstilts.evaluation.comparisons import SAME
from xstilts.evaluation.estimates import ALL_RUNS, COLUMNS, WITHOUT_COLLAPSED, Estimated
from xstilts.evaluation.intervals import EQUIVALENT, HIGHER, LOWER, UNDECIDED, Estimate, WeightedArm
from xstilts.evaluation.unasked import is_unasked
from xstilts.store.answer import SMALLEST
from xstilts.store.study_plan import StudyPlan

WORLDS = "worlds"
# what one comparison has in every world
_COMPARISON = [*SAME, "expected"]
# what the table of worlds has of the estimate over worlds
_SHOWN = [
    *("row", "primary", *_COMPARISON, "targets", "worlds"),
    *("estimate", "low", "high", "interval", "standard_error", "world_sd", "p", "p_holm", "verdict"),
]
VERDICTS = (HIGHER, LOWER, EQUIVALENT, UNDECIDED)
NO_VERDICT = "no verdict"


def collect(plan: StudyPlan, results: Path) -> pd.DataFrame:
    """Return the table of estimates of a study: of several worlds the rows over worlds, then those of each world.

    Args:
        plan: the study's plan.
        results: the results folder.

    Raises:
        UserError: as ``estimates.collect``.
    """
    if not plan.worlds:
        return estimates.collect(plan, results)
    found = [estimates.collect(plan.in_world(world), results).assign(world=world) for world in plan.worlds]
    return over_worlds(pd.concat(found, ignore_index=True), plan.answer.smallest if plan.answer else SMALLEST)


def over_worlds(single: pd.DataFrame, smallest: float) -> pd.DataFrame:
    """Return the estimates over worlds, and below them those of single worlds, which are exploratory.

    A verdict of a single world stays what a study of that world alone would say, corrected for its primary comparisons.

    Args:
        single: the tables of estimates of studies of one world each, with the world in the column ``world``.
        smallest: the smallest difference that matters, in points.
    """
    rows = [
        row
        for _, found in single.groupby(_COMPARISON, sort=False)
        for runs_used, used in _by_runs_used(found)
        if (row := _over(used, runs_used)) is not None
    ]
    over = estimates.table(rows, smallest)
    below = single.assign(primary=False, row=range(len(over) + 1, len(over) + len(single) + 1))
    return pd.concat([over, below], ignore_index=True)[[column.name for column in COLUMNS]]


def _by_runs_used(found: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    """Yield the rows of a comparison with all runs, and where a run collapsed in some world those without such runs."""
    everything, without = (found[found["runs_used"] == used] for used in (ALL_RUNS, WITHOUT_COLLAPSED))
    yield ALL_RUNS, everything
    if len(without):
        yield WITHOUT_COLLAPSED, pd.concat([without, everything[everything["collapsed"] == 0]])


def _over(found: pd.DataFrame, runs_used: str) -> Estimated | None:
    """Return the estimate over worlds; None for a single one.

    Args:
        found: the estimates of one comparison, one for each world.
        runs_used: what the column of this name says.
    """
    if len(found) < 2:
        return None
    estimate = mean_over(found["estimate"].to_numpy(float))
    described: dict[str, Any] = {
        **{name: found[name].iloc[0] for name in (*_COMPARISON, "primary", "targets", "languages")},
        **{name: found[name].min() for name in ("runs_a", "runs_b")},
        **{name: found[name].sum() for name in ("n", "clusters", "collapsed")},
        "chosen": _chosen(found["chosen"]),
        "worlds": len(found),
        "runs_used": runs_used,
        "world_sd": estimate.run_sd,
    }
    # the variance between worlds has no parts
    return Estimated(described, replace(estimate, run_part=None, example_part=None, run_sd=None))


def mean_over(differences: np.ndarray) -> Estimate:
    """Return the mean of a difference over worlds; its ``run_sd`` is the standard deviation between them.

    Args:
        differences: that of each world, of shape (worlds,) with two or more worlds.
    """
    variance = intervals.run_variance([differences])
    assert variance is not None
    # an arm whose runs are the worlds, in which examples add nothing
    arm = WeightedArm(1, differences, draws=differences[None, :], pool=WORLDS)
    return replace(intervals.estimate([arm], {WORLDS: variance}, clusters=2), interval=WORLDS)


def _chosen(of_worlds: Iterable[str]) -> str:
    """Return in how many runs of all worlds each single task was chosen, such as ``mnli 5, squad_v1 1``."""
    sides = zip(*(text.split("; ") for text in of_worlds), strict=True)
    return "; ".join(_summed(side) for side in sides)


def _summed(counts: Iterable[str]) -> str:
    total: Counter[str] = Counter()
    for text in counts:
        for entry in filter(None, text.split(", ")):
            name, _, number = entry.rpartition(" ")
            total[name] += int(number)
    return ", ".join(f"{name} {number}" for name, number in total.most_common())


def agreement(table: pd.DataFrame) -> pd.DataFrame:
    """Return how far worlds agree: a row for each comparison over worlds by the verdicts of single worlds.

    What claims compare and what the study does not ask for are left out.

    Beside columns of the estimate over worlds it has ``higher``, ``lower``, ``equivalent``, ``undecided`` and ``no
    verdict``, the number of worlds with this verdict; ``pairs``, the number of pairs of worlds; ``alike``, of pairs
    with the same verdict; and ``opposite``, of pairs of which one says higher and the other lower.

    Args:
        table: the table of estimates of a study of several worlds.
    """
    left_out = estimates.is_of_claim(table) | is_unasked(table)
    table = table[(table["runs_used"] == ALL_RUNS) & ~left_out]
    over, single = table[table["world"].isna()], table[table["world"].notna()]
    verdicts = single.assign(verdict=single["verdict"].replace("", NO_VERDICT))
    counts = verdicts.groupby([*_COMPARISON, "verdict"]).size().unstack(fill_value=0)
    counts = counts.reindex(columns=[*VERDICTS, NO_VERDICT], fill_value=0)
    worlds = counts.sum(axis=1)
    counts = counts.assign(
        pairs=worlds.map(lambda number: comb(number, 2)),
        alike=counts[list(VERDICTS)].map(lambda number: comb(number, 2)).sum(axis=1),
        opposite=counts[HIGHER] * counts[LOWER],
    )
    return over[_SHOWN].join(counts, on=_COMPARISON).reset_index(drop=True)
