"""The table of estimates: a row for each difference that a study asks for, with its interval and its verdict."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd

from xstilts.evaluation import arms, intervals, power, resampling, unasked
from xstilts.evaluation.arms import Measured, Runs
from xstilts.evaluation.claims import AGAINST, SUPPORT
from xstilts.evaluation.comparisons import (
    CLAIM,
    COMPARED,
    LOG_ODDS,
    Arm,
    Comparison,
    Side,
    smallest_on,
)
from xstilts.evaluation.few_shot import FewShot
from xstilts.evaluation.intervals import LEVEL, UNDECIDED, Estimate, RunVariance
from xstilts.evaluation.outcomes import Outcome, Rows
from xstilts.evaluation.resampling import Examples
from xstilts.evaluation.table import Column, Table
from xstilts.store.answer import SMALLEST
from xstilts.store.study_plan import StudyPlan

FILE = "estimates.parquet"
COLUMNS = (
    Column("row", "integer", "the number of the row, from 1, by which texts refer to it"),
    Column(
        "name",
        "text",
        "the contrast's name; `answer` for multi against single; `claim 2` for a claim; of what the study does not ask"
        " for by a name: `gain over none`, `gain after few shots`, `leave one out`, `control arm`, `transfer gap`,"
        " `loss in a language`",
    ),
    Column("primary", "flag", "whether it is a primary comparison"),
    Column("kind", "text", "difference, or interaction: the large model's difference minus the small one's"),
    Column("scale", "text", "points of percent, nats, or log-odds"),
    Column("world", "integer", "one of several worlds; missing for the estimate over all", optional=True),
    Column("budget", "text", "what is equal in both arms of the answer; empty for a contrast"),
    Column("family", "text", "the family of models; empty for a contrast"),
    Column("size", "text", "small or large; empty for an interaction and for a contrast"),
    Column("recipe", "text", "the recipe"),
    Column("model", "text", "the model; empty where models are compared"),
    Column("mixture", "text", "the mixture; empty where mixtures are compared"),
    Column("a", "text", "what comes first in the difference: a mixture or a model, or `best by target`"),
    Column(
        "b",
        "text",
        "what is subtracted: a mixture or a model, `best single`, `mean single` or `oracle single`; empty for a"
        " transfer gap, which is a difference itself",
    ),
    Column("outcome", "text", "what is compared: see outcomes.py"),
    Column("target", "text", "the one target of the outcome, or `bucc minus xnli`; empty for a mean over targets"),
    Column("targets", "integer", "targets in the outcome"),
    Column("languages", "integer", "different languages in the outcome"),
    Column("n", "integer", "examples in the outcome, each once"),
    Column("clusters", "integer", "independent clusters of these examples"),
    Column(
        "runs_a", "integer", "runs of the first side, 1 where nothing varies between runs; of several arms the fewest"
    ),
    Column("runs_b", "integer", "the same of the second side; 0 where nothing is subtracted"),
    Column(
        "chosen",
        "text",
        "single tasks that were chosen, and in how many runs: `mnli 2, squad_v1 1`; those of the small model first",
    ),
    Column(
        "collapsed", "integer", "runs that collapsed, of the arms compared or chosen; those of others count nowhere"
    ),
    Column("worlds", "integer", "worlds in an estimate over several", optional=True),
    Column("runs_used", "text", "all, or without collapsed: the same estimate without these runs"),
    Column("estimate", "number", "the difference"),
    Column("low", "number", "lower end of the 95 % interval"),
    Column("high", "number", "upper end of the 95 % interval"),
    Column("interval", "text", "what the interval is over: runs and examples; examples only; or worlds"),
    Column("standard_error", "number", "of the estimate; missing where there is no verdict", optional=True),
    Column("degrees", "number", "Satterthwaite's degrees of freedom; missing where there is no verdict", optional=True),
    Column("run_part", "number", "the runs' part of the standard error", optional=True),
    Column("example_part", "number", "the examples' part of the standard error", optional=True),
    Column("run_sd", "number", "standard deviation between runs of one arm (quadratic mean)", optional=True),
    Column("run_variance", "number", "what runs would add to the squared error with one run an arm", optional=True),
    Column("run_degrees", "number", "degrees of freedom of that for each run after the first", optional=True),
    Column("world_sd", "number", "standard deviation between worlds, with all that differs in them", optional=True),
    Column("p", "number", "two-sided p of no difference", optional=True),
    Column("p_holm", "number", "p, corrected for the primary comparisons (Holm 1979)", optional=True),
    Column(
        "verdict",
        "text",
        "higher, lower, equivalent or undecided; empty with one run an arm, or where all runs of one collapsed",
    ),
    Column(
        "detectable",
        "number",
        "the difference that these runs find in 80 % of studies, at 5 %; of m primary comparisons at 5 % / m",
        optional=True,
    ),
    Column(
        "runs_needed",
        "number",
        "runs an arm that would decide it at this level, or worlds where the interval is over worlds; infinite if none"
        " would",
        optional=True,
    ),
    Column("expected", "text", "higher, lower or not higher, as study file or claim say; empty for nothing"),
    Column(
        "emerged",
        "text",
        "emerged, the opposite, undecided or equivalent; `not higher` emerges where it is lower or equivalent; empty"
        " without verdict",
    ),
)
TABLE = Table("estimates", COLUMNS)
write, read = TABLE.write, TABLE.read
# values of runs_used
ALL_RUNS, WITHOUT_COLLAPSED = "all", "without collapsed"
# values of emerged, beside UNDECIDED and EQUIVALENT
EMERGED, OPPOSITE = "emerged", "the opposite"


def collect(plan: StudyPlan, results: Path) -> pd.DataFrame:
    """Return the table of estimates of a study, from the files of predictions; without rows where it compares nothing.

    Args:
        plan: the study's plan.
        results: the results folder.

    Raises:
        UserError: if models have not predicted the same examples.
    """
    rows = _collect(plan, results, lambda rows: unasked.all_comparisons(plan, rows))
    if plan.few_shot:
        found = FewShot(plan)
        few = _collect(found.plan, results, lambda rows: found.comparisons())
        for one in few:
            targets = found.targets_in[one.described["outcome"], one.described["target"]]
            rows.append(replace(one, described={**one.described, "targets": targets}))
    return table(rows, plan.answer.smallest if plan.answer else SMALLEST)


def is_of_claim(table: pd.DataFrame) -> pd.Series:
    """Tell for each row of a table of estimates whether it is one of a claim."""
    return table["name"].str.startswith(f"{CLAIM} ")


@dataclass(frozen=True)
class Size:
    """How large an outcome is: different languages, examples, and independent clusters of these."""

    languages: int
    n: int
    clusters: int


def size_of(outcome: Outcome, examples: Mapping[str, Mapping[str, Examples]]) -> Size:
    """Return how large an outcome is, from the examples of each target by language."""
    # targets may be scored on the same examples
    splits = {
        (split.data, term.language): split
        for term in outcome.terms
        for split in (examples[term.target][term.language],)
    }
    n = sum(len(split.ids) for split in splits.values())
    return Size(len(outcome.languages), n, resampling.clusters_in(splits.values()))


@dataclass(frozen=True)
class Estimated:
    """A comparison that is estimated.

    Attributes:
        described: what is compared, on what and over which runs, by the column that says so.
        estimate: the difference and its interval.
    """

    described: Mapping[str, Any]
    estimate: Estimate


def _collect(plan: StudyPlan, results: Path, asked_of: Callable[[Rows], list[Comparison]]) -> list[Estimated]:
    """Return the estimates of comparisons, which depend on the examples by target and language."""
    examples = {target: resampling.examples_of(plan, results, target) for target in plan.targets}
    rows = {target: {name: len(split.ids) for name, split in splits.items()} for target, splits in examples.items()}
    asked = asked_of(rows)
    of_outcome: dict[Outcome, list[int]] = {}
    for number, comparison in enumerate(asked):
        of_outcome.setdefault(comparison.outcome, []).append(number)
    measured = arms.measure(plan, results, examples, [term for outcome in of_outcome for term in outcome.terms])
    found: dict[int, list[Estimated]] = {}
    for outcome, numbers in of_outcome.items():
        runs, size = arms.runs_of(measured, outcome), size_of(outcome, examples)
        found |= {number: list(estimated(measured, runs, asked[number], size)) for number in numbers}
    return [row for number in range(len(asked)) for row in found[number]]


def estimated(measured: Measured, runs: Mapping[Arm, Runs], comparison: Comparison, size: Size) -> Iterator[Estimated]:
    """Yield the estimate of a comparison, and where a run of a side collapsed a second one without such runs.

    Of arms that are not compared collapsed runs are in neither, so no other arm's collapse widens an interval.

    Args:
        measured: what is known of the nodes.
        runs: of all arms on the outcome.
        comparison: what is compared.
        size: how large its outcome is.
    """
    sides = (*comparison.first, *comparison.second)
    compared = {side.arms[0] for side in sides if side.choice is None}
    intact = arms.without_collapsed(runs)
    collapsed = 0
    for runs_used, used in ((ALL_RUNS, runs), (WITHOUT_COLLAPSED, intact)):
        found = [arms.of_side(measured, used, side, comparison.outcome) for side in sides]
        there = [one for one in found if one is not None]
        if len(there) < len(sides):
            continue
        if runs_used == ALL_RUNS:
            collapsed = sum(sum(one.collapsed[: one.number]) for one in there)
        elif not collapsed:
            continue
        pooled = {**intact, **{arm: used[arm] for arm in compared}}
        chosen = {one.pool: one for one in there if one.chosen}
        needed = {one.pool for one in there}
        pools = arms.pools_of(one for one in (*pooled.values(), *chosen.values()) if one.pool in needed)
        estimate = _estimate(comparison, sides, there, pools, size)
        if estimate is not None:
            described = {**_described(comparison, there, size), "collapsed": collapsed, "runs_used": runs_used}
            yield Estimated(described, estimate)


def _estimate(
    comparison: Comparison,
    sides: Sequence[Side],
    runs: Sequence[Runs],
    pools: Mapping[str, RunVariance],
    size: Size,
) -> Estimate | None:
    """Return the estimate of a comparison; None for log-odds of an outcome of 0 or 100 %."""
    is_log_odds = comparison.scale == LOG_ODDS
    if is_log_odds and any(not 0 < one.values[:, 0].mean() < 100 for one in runs):
        return None
    of_sides = [one.as_arm(side.coefficient) for side, one in zip(sides, runs, strict=True)]
    if size.clusters < 2:
        # one cluster says nothing of others: a range without width, and no verdict
        of_sides, pools = [replace(side, deterministic=False) for side in of_sides], {}
    return intervals.estimate(of_sides, pools, max(size.clusters, 2), "log-odds" if is_log_odds else "identity")


def table(rows: Sequence[Estimated], smallest: float) -> pd.DataFrame:
    """Return the rows as a table, with verdicts.

    Args:
        rows: the comparisons.
        smallest: the smallest difference that matters, in points.
    """
    matters = [smallest_on(row.described["scale"], smallest) for row in rows]
    primary = [
        index for index, row in enumerate(rows) if row.described["primary"] and row.described["runs_used"] == ALL_RUNS
    ]
    corrected = intervals.primary_verdicts(
        [rows[index].estimate for index in primary], [matters[index] for index in primary]
    )
    of_primary = dict(zip(primary, corrected, strict=True))
    # of Holm's steps the strictest: what is found at this level is found whatever the others show
    of_each = LEVEL / max(sum(rows[index].estimate.p is not None for index in primary), 1)
    values = []
    for index, row in enumerate(rows):
        p_holm, verdict = of_primary.get(index) or (None, intervals.verdict(row.estimate, matters[index]))
        head = {"row": index + 1, "primary": index in of_primary, "p_holm": p_holm, "verdict": verdict}
        tail = {"emerged": _emerged(row.described["expected"], verdict)}
        level = of_each if index in of_primary else LEVEL
        values.append({**row.described, **head} | _of_estimate(row.estimate, verdict, matters[index], level) | tail)
    frame = pd.DataFrame(values, columns=[column.name for column in COLUMNS])
    return frame.astype({column.name: float for column in COLUMNS if column.optional})


def _described(comparison: Comparison, runs: Sequence[Runs], size: Size) -> dict[str, Any]:
    """Return what is compared, on what and over which runs, those of its first sides and then of its second."""
    first, second = runs[: len(comparison.first)], runs[len(comparison.first) :]
    return {
        **{name: getattr(comparison, name) for name in (*COMPARED, "primary", "expected")},
        "outcome": comparison.outcome.name,
        "target": comparison.outcome.target,
        "targets": len(comparison.outcome.targets),
        "languages": size.languages,
        "n": size.n,
        "clusters": size.clusters,
        "runs_a": min(one.number for one in first),
        "runs_b": min((one.number for one in second), default=0),
        "chosen": "; ".join(_chosen(one) for one in second if one.chosen),
    }


def _chosen(runs: Runs) -> str:
    return ", ".join(f"{mixture} {count}" for mixture, count in Counter(runs.chosen).most_common())


def _of_estimate(estimate: Estimate, verdict: str, smallest: float, level: float) -> dict[str, Any]:
    """Return the estimate with its interval, and what runs could find at a level."""
    error, degrees, components = estimate.standard_error, estimate.degrees, estimate.components
    return {
        "estimate": estimate.value,
        "low": estimate.low,
        "high": estimate.high,
        "interval": estimate.interval,
        "standard_error": error,
        "degrees": degrees,
        "run_part": estimate.run_part,
        "example_part": estimate.example_part,
        "run_sd": estimate.run_sd,
        "run_variance": components and components.run,
        "run_degrees": components and components.arms,
        "p": estimate.p,
        "detectable": None if error is None or degrees is None else power.detectable(error, degrees, level=level),
        "runs_needed": power.runs_to_decide(estimate, smallest, level) if verdict == UNDECIDED else None,
    }


def _emerged(expected: str, verdict: str) -> str:
    """Return whether what was expected emerged; nothing without an expectation or a verdict."""
    if not expected or not verdict:
        return ""
    if verdict in SUPPORT[expected]:
        return EMERGED
    return OPPOSITE if verdict == AGAINST[expected] else verdict
