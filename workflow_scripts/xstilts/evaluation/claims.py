"""Whether a study supports a claim: a pure function of the rows of its comparisons in the table of estimates."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from xstilts.evaluation import intervals, power
from xstilts.evaluation.comparisons import smallest_on
from xstilts.evaluation.intervals import EQUIVALENT, HIGHER, LEVEL, LOWER, Components, Estimate
from xstilts.store.claims import NOT_HIGHER

SUPPORTED, CONTRADICTED, UNDECIDED, NOT_TESTABLE = (
    "supported",
    "contradicted",
    "undecided",
    "not testable in this study",
)
HOLDS, HOLDS_NOT = "true of this study", "not true of this study"
# the verdicts that support a claim of each kind, and the one that contradicts it
SUPPORT = {HIGHER: {HIGHER}, LOWER: {LOWER}, NOT_HIGHER: {LOWER, EQUIVALENT}}
AGAINST = {HIGHER: LOWER, LOWER: HIGHER, NOT_HIGHER: HIGHER}


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """What the comparisons of a claim say together.

    Attributes:
        verdict: SUPPORTED, CONTRADICTED, UNDECIDED or NOT_TESTABLE.
        supporting: how many comparisons came out as claimed.
        against: how many went the other way.
        comparisons: how many there are.
        more_runs: whether an arm has one run, so that there are no verdicts.
        runs_needed: how many runs an arm, or worlds, would decide all that are undecided; infinite where only more
            examples would, missing where nothing is undecided.
    """

    verdict: str
    supporting: int
    against: int
    comparisons: int
    more_runs: bool
    runs_needed: float


def judge(rows: Sequence[Mapping[str, Any]], complete: bool, smallest: float) -> Judgement:
    """Return what the comparisons of a claim say together, in one model with one recipe.

    Their p values are corrected for each other (Holm). The claim is contradicted if one comparison goes the other way,
    even if others cannot be made; supported if all come out as claimed. Of Holm's steps the strictest is taken for the
    runs that would decide one: 5 % / m of m comparisons.

    Args:
        rows: of the comparisons, in the table of estimates.
        complete: whether these are all comparisons of the claim.
        smallest: the smallest difference that matters, in points.
    """
    estimates = [_estimate(row) for row in rows]
    matters = [smallest_on(row["scale"], smallest) for row in rows]
    verdicts = [verdict for _, verdict in intervals.primary_verdicts(estimates, matters)]
    expected = [row["expected"] for row in rows]
    supporting = [verdict in SUPPORT[claimed] for verdict, claimed in zip(verdicts, expected, strict=True)]
    against = [verdict == AGAINST[claimed] for verdict, claimed in zip(verdicts, expected, strict=True)]
    if any(against):
        overall = CONTRADICTED
    elif not complete or not rows or "" in verdicts:
        overall = NOT_TESTABLE
    else:
        overall = SUPPORTED if all(supporting) else UNDECIDED
    needed = [
        power.runs_to_decide(estimate, matter, LEVEL / len(rows))
        for estimate, matter, verdict in zip(estimates, matters, verdicts, strict=True)
        if verdict == intervals.UNDECIDED
    ]
    return Judgement(
        verdict=overall,
        supporting=sum(supporting),
        against=sum(against),
        comparisons=len(rows),
        more_runs="" in verdicts,
        runs_needed=max(needed, default=math.nan),
    )


def _estimate(row: Mapping[str, Any]) -> Estimate:
    """Return what tests need of a row."""
    estimate = Estimate(row["estimate"], row["low"], row["high"], row["interval"])
    if math.isnan(row["p"]):
        return estimate
    # worlds have no part of examples
    example = 0.0 if math.isnan(row["example_part"]) else row["example_part"] ** 2
    components = Components(row["run_variance"], row["run_degrees"], example, row["clusters"])
    tested = {name: row[name] for name in ("standard_error", "degrees", "p")}
    return replace(estimate, **tested, components=components)
