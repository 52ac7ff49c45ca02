"""Gains by language: every mixture minus ``none`` on the headline metric of each target, in each of its languages.

They are exploratory, and their verdicts are not corrected: of a hundred languages without any gain about five are
called higher or lower. The outcome of one language is a mean over few examples, so its interval is wide.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from xstilts.evaluation import arms, intervals, outcomes, related_mixtures, resampling, worlds
from xstilts.evaluation.comparisons import SCALES, Comparison, of_arms, of_contrast, smallest_on
from xstilts.evaluation.estimates import estimated, size_of
from xstilts.evaluation.intervals import Estimate
from xstilts.evaluation.outcomes import Outcome
from xstilts.evaluation.related_mixtures import Members
from xstilts.evaluation.scores import axes_of, headline
from xstilts.evaluation.table import Column, Table
from xstilts.evaluation.unasked import GAIN
from xstilts.forms import metric_named
from xstilts.store.answer import SMALLEST, Contrast
from xstilts.store.study_plan import NONE, StudyPlan

# values of role
SOURCE, CONTROL, LABELLED, OTHER = "source", "control", "labelled", "other"
# the columns that every table of gains over none has: what is compared, and what its gain is
COMPARED = (
    Column("world", "number", "one of several worlds; missing for the estimate over all", optional=True),
    Column("model", "text", "the model"),
    Column("recipe", "text", "the recipe"),
    Column("mixture", "text", "the mixture, which is compared with none"),
    Column("target", "text", "the target"),
    Column("metric", "text", "the target's headline metric"),
)
GAINED = (
    Column("gain", "number", "score minus baseline"),
    Column("low", "number", "lower end of the 95 % interval"),
    Column("high", "number", "upper end of the 95 % interval"),
    Column("interval", "text", "what the interval is over: runs and examples; examples only; or worlds"),
    Column("standard_error", "number", "of the gain; missing with one run an arm", optional=True),
    Column("p", "number", "two-sided p of no gain, not corrected; missing with one run an arm", optional=True),
    Column("verdict", "text", "higher, lower, equivalent or undecided; not corrected; empty with one run an arm"),
    Column("n", "integer", "examples"),
    Column("clusters", "integer", "independent clusters of these examples"),
    Column("runs", "integer", "runs with the mixture"),
    Column("runs_none", "integer", "runs with none"),
    Column("collapsed", "integer", "runs of both that collapsed; they are in the gain"),
    Column("worlds", "number", "worlds in an estimate over several", optional=True),
)
COLUMNS = (
    *COMPARED,
    Column("language", "text", "the language that is predicted"),
    Column(
        "role",
        "text",
        "source: the language that the target is trained in; control: one that the study averages apart; labelled:"
        " the mixture has labelled rows in it, so it is not zero-shot; other: all others",
    ),
    Column("score", "number", "mean over runs with the mixture, in the unit of the metric"),
    Column("baseline", "number", "the same with none"),
    Column("chance", "number", "the score of guessing; missing where the metric has none", optional=True),
    *GAINED,
)
TABLE = Table("gains by language", COLUMNS)
# what one gain has in every world
_KEYS = ["model", "recipe", "mixture", "target", "metric", "language", "role"]
_NAMES = [column.name for column in COLUMNS]


def collect(plan: StudyPlan, results: Path, estimates: pd.DataFrame, scores: pd.DataFrame) -> pd.DataFrame:
    """Return the gains of a study by language; of several worlds those over worlds, then those of each world.

    Args:
        plan: the study's plan.
        results: the results folder.
        estimates: the table of estimates, of which nothing is needed.
        scores: the table of scores.

    Raises:
        UserError: if models have not predicted the same examples.
    """
    rows = [
        {"world": world, **row}
        for world, part in plan.parts().items()
        for target in part.targets
        for row in _of_target(part, results, target)
    ]
    frame = pd.DataFrame(rows, columns=[name for name in _NAMES if name not in ("score", "baseline")])
    if rows:
        frame = _with_scores(frame, scores)
    if plan.worlds:
        frame = pd.concat(
            [pd.DataFrame(over_worlds(plan, frame, _KEYS, ("score", "baseline", "chance"))), frame], ignore_index=True
        )
    frame = frame.reindex(columns=_NAMES)
    return frame.astype({column.name: float for column in COLUMNS if column.type == "number"})


def _of_target(plan: StudyPlan, results: Path, name: str) -> Iterator[dict[str, Any]]:
    """Yield the gains on a target; without their scores."""
    target = plan.targets[name]
    plan = replace(plan, cells=tuple(cell for cell in plan.cells if cell.target == name))
    examples = {name: resampling.examples_of(plan, results, name)}
    compared = gains_over_none(plan, outcomes.of_languages(plan, {name: dict.fromkeys(examples[name], 0)}, name))
    measured = arms.measure(plan, results, examples, [term for outcome in compared for term in outcome.terms])
    mixtures = related_mixtures.members(plan)
    same = {"target": name, "metric": target.metric, "chance": _chance(plan, name)}
    for outcome, comparisons in compared.items():
        runs, size = arms.runs_of(measured, outcome), size_of(outcome, examples)
        for one in comparisons:
            found = next(estimated(measured, runs, one, size))
            yield {
                **same,
                "model": one.model,
                "recipe": one.recipe,
                "mixture": one.a,
                "language": outcome.terms[0].language,
                "role": _role(plan, name, mixtures[one.a], outcome.terms[0].language),
                "n": size.n,
                "clusters": size.clusters,
                "runs": found.described["runs_a"],
                "runs_none": found.described["runs_b"],
                "collapsed": found.described["collapsed"],
                **of_estimate(plan, target.metric, found.estimate),
            }


def gains_over_none(plan: StudyPlan, on: Sequence[Outcome]) -> dict[Outcome, list[Comparison]]:
    """Return each mixture minus ``none`` by the outcome that they are compared on; nothing without ``none``.

    Args:
        plan: the study's plan.
        on: the outcomes.
    """
    contrasts = [Contrast("mixture", (mixture, NONE)) for mixture in plan.mixtures if mixture != NONE]
    found: dict[Outcome, list[Comparison]] = {}
    for one in of_arms(plan, [one for contrast in contrasts for one in of_contrast(plan, GAIN, contrast, on)]):
        found.setdefault(one.outcome, []).append(one)
    return found


def _chance(plan: StudyPlan, target: str) -> float:
    """Return the score of guessing; NaN where the metric has none, or the data bring their labels."""
    of_labels = metric_named(plan.targets[target].metric).chance
    labels = resampling.evaluation_data(plan, plan.cells[0].node).labels
    return of_labels(len(labels)) if of_labels is not None and labels else math.nan


def _role(plan: StudyPlan, target: str, members: Members, language: str) -> str:
    if language == plan.targets[target].language:
        return SOURCE
    if language in plan.controls:
        return CONTROL
    labelled = any(language in member.languages for member in members if not member.is_text)
    return LABELLED if labelled else OTHER


def of_estimate(plan: StudyPlan, metric: str, found: Estimate) -> dict[str, Any]:
    """Return the columns that an estimate of a gain gives.

    Args:
        plan: the study's plan.
        metric: what it is measured by.
        found: the estimate.
    """
    smallest = plan.answer.smallest if plan.answer else SMALLEST
    return {
        "gain": found.value,
        "low": found.low,
        "high": found.high,
        "interval": found.interval,
        "standard_error": found.standard_error,
        "p": found.p,
        "verdict": intervals.verdict(found, smallest_on(SCALES[metric_named(metric).unit], smallest)),
    }


def _with_scores(frame: pd.DataFrame, scores: pd.DataFrame) -> pd.DataFrame:
    """Return the rows with their scores and those of ``none``, means over runs."""
    keys = [axis for axis in axes_of(scores) if axis not in ("method", "seed")] + ["language"]
    means = headline(scores).groupby(keys)["score"].mean()
    baselines = means.xs(NONE, level="mixture").rename("baseline")
    return frame.join(means, on=keys).join(baselines, on=[key for key in keys if key != "mixture"])


def over_worlds(
    plan: StudyPlan, frame: pd.DataFrame, keys: list[str], means: Sequence[str]
) -> Iterator[dict[str, Any]]:
    """Yield the gains over worlds, of what has a gain in two or more of them.

    Args:
        plan: the study's plan.
        frame: gains of each world.
        keys: the columns that name a gain in every world.
        means: the columns of which the rows over worlds have the mean.
    """
    for key, found in frame.groupby(keys, sort=False):
        if len(found) < 2:
            continue
        yield {
            **dict(zip(keys, key, strict=True)),
            **{name: found[name].mean() for name in means},
            **{name: found[name].min() for name in ("runs", "runs_none")},
            **{name: found[name].sum() for name in ("n", "clusters", "collapsed")},
            "worlds": len(found),
            **of_estimate(plan, found["metric"].iloc[0], worlds.mean_over(found["gain"].to_numpy(float))),
        }
