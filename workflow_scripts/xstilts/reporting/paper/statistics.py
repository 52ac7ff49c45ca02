"""How runs, intervals and verdicts of a study come about, in sentences; and which comparisons are primary."""

from collections.abc import Callable, Sequence
from typing import Any

import pandas as pd

from xstilts.evaluation.comparisons import ANSWER
from xstilts.evaluation.estimates import ALL_RUNS
from xstilts.evaluation.intervals import EXAMPLES_ONLY, RUNS_AND_EXAMPLES
from xstilts.evaluation.outcomes import ZERO_SHOT
from xstilts.evaluation.resampling import DRAWS
from xstilts.evaluation.table import records
from xstilts.evaluation.unasked import is_of_analysis
from xstilts.evaluation.worlds import WORLDS
from xstilts.reporting import wording
from xstilts.reporting.paper import prompts
from xstilts.reporting.paper.prose import Part, Sentence, semicolons
from xstilts.reporting.paper.works import Works
from xstilts.reporting.wording import counted
from xstilts.store.answer import SMALLEST
from xstilts.store.study_plan import StudyPlan


def sentences(plan: StudyPlan, estimates: pd.DataFrame, works: Works) -> list[Sentence]:
    """Return the sentences: on runs, and where something is compared on intervals, verdicts and what is primary.

    Args:
        plan: the study's plan.
        estimates: the table of estimates.
        works: what the plan has of the registry.
    """
    return [runs(plan), *_intervals(plan, estimates, works)]


def runs(plan: StudyPlan) -> Sentence:
    """Return how often trainings are repeated."""
    seeds = sorted({cell.seed for cell in plan.cells})
    number = "once (seed" if len(seeds) == 1 else f"{len(seeds)} times (seeds"
    worlds = f" in each of {len(plan.worlds)} made-up worlds" if plan.worlds else ""
    drawn = any(prompting.examples for specs in prompts.asked(plan).values() for _, prompting in specs)
    decided = (
        "fresh heads, dropout, the order of examples and those in a prompt"
        if drawn
        else ("fresh heads, dropout and the order of examples")
    )
    return (f"Every training is run {number} {', '.join(map(str, seeds))}){worlds}; a seed decides {decided}.",)


def _intervals(plan: StudyPlan, estimates: pd.DataFrame, works: Works) -> list[Sentence]:
    """Return how intervals and verdicts are made, and what is primary; nothing where nothing is compared."""
    used = estimates["world"].isna() & (estimates["runs_used"] == ALL_RUNS)
    rows = records(estimates[used & ~is_of_analysis(estimates)])
    if not rows:
        return []
    kinds = dict.fromkeys(row["interval"] for row in rows)
    said = [sentence for kind in kinds for sentence in _RANDOM[kind](works)]
    if any(row["outcome"] == ZERO_SHOT for row in rows):
        said.insert(0, ("A zero-shot score is the mean over languages other than the source language.",))
    if any(row["verdict"] for row in rows):
        smallest = plan.answer.smallest if plan.answer else SMALLEST
        said.append(
            (
                "A difference is higher or lower where p is below 5 %, equivalent where two one-sided tests at 5 %",
                works.cite("two-one-sided-tests"),
                f" show it to be smaller than {counted(smallest, 'point')}, and else undecided.",
            )
        )
    return [*said, _primary(rows, works)]


def _over_runs(works: Works) -> list[Sentence]:
    return [
        (
            "Intervals of 95 % are over runs and test examples. The variance between runs is pooled over the arms of a"
            " model and recipe, apart for those with no, one and several intermediate tasks, and without runs that"
            " collapsed.",
        ),
        (
            f"That between examples is from {DRAWS:,} bootstrap draws of clusters of examples",
            works.cite("bootstrap"),
            ", the same in all arms.",
        ),
        ("Degrees of freedom are Satterthwaite's", works.cite("satterthwaite"), ", but where runs have few."),
    ]


def _over_examples(works: Works) -> list[Sentence]:
    return [
        (
            f"Where {wording.NO_VERDICT}, a range over 95 % of {DRAWS:,} bootstrap draws of test examples",
            works.cite("bootstrap"),
            " takes the place of an interval, and there is no verdict.",
        )
    ]


def _over_worlds(works: Works) -> list[Sentence]:
    return [
        ("Intervals of 95 % are t intervals over the means of worlds, each with data, models and runs of its own.",)
    ]


_RANDOM: dict[str, Callable[[Works], list[Sentence]]] = {
    RUNS_AND_EXAMPLES: _over_runs,
    EXAMPLES_ONLY: _over_examples,
    WORLDS: _over_worlds,
}


def _primary(rows: Sequence[dict[str, Any]], works: Works) -> Sentence:
    primary = [row for row in rows if row["primary"]]
    if not primary:
        return ("No comparison is primary: all are exploratory, and none is corrected for the others.",)
    names = list(dict.fromkeys(map(_name, primary)))
    head = f"Primary {'comparison' if len(primary) == 1 else 'comparisons'} ({len(primary)}): "
    judged = [row for row in primary if row["verdict"]]
    corrected: tuple[Part, ...] = ()
    if len(judged) > 1:
        corrected = ("; their p values are corrected for each other", works.cite("holm"))
    return (head, *semicolons([(name,) for name in names]), *corrected, ". All others are exploratory.")


def _name(row: dict[str, Any]) -> str:
    if row["name"] == ANSWER:
        return f"{row['a']} minus {row['b']}, {row['family']}, {row['size'] or row['kind']}"
    where = [row[axis] for axis in ("model", "mixture", "target") if row[axis]]
    return ", ".join([f"{row['a']} minus {row['b']}", *where])
