"""Whether a study supports a claim: a pure function of the rows of its comparisons in the table of estimates."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from xstilts.evaluation import intervals
from xstilts.evaluation.intervals import EQUIVALENT, HIGHER, LOWER, Estimate
from xstilts.store.claims import NOT_HIGHER

SUPPORTED, CONTRADICTED, UNDECIDED, NOT_TESTABLE = (
    "supported",
    "contradicted",
    "undecided",
    "not testable in this study",
)
HOLDS, HOLDS_NOT = "true of this study", "not true of this study"
# what supports a claim of each kind, and what contradicts it
_SUPPORT = {HIGHER: {HIGHER}, LOWER: {LOWER}, NOT_HIGHER: {LOWER, EQUIVALENT}}
_AGAINST = {HIGHER: LOWER, LOWER: HIGHER, NOT_HIGHER: HIGHER}


@dataclass(frozen=True, kw_only=True)
class Judgement:
    """What the comparisons of a claim say together.

    Attributes:
        verdict: SUPPORTED, CONTRADICTED, UNDECIDED or NOT_TESTABLE.
        supporting: how many comparisons came out as claimed.
        against: how many went the other way.
        comparisons: how many there are.
        more_runs: whether an arm has one run, so that there are no verdicts.
        runs_needed: how many runs an arm would decide all that are undecided; infinite where only more examples would,
            missing where nothing is undecided.
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
    even if others cannot be made; supported if all come out as claimed.

    Args:
        rows: of the comparisons, in the table of estimates.
        complete: whether these are all comparisons of the claim.
        smallest: the smallest difference that matters, in points.
    """
    estimates = [_estimate(row) for row in rows]
    verdicts = [verdict for _, verdict in intervals.primary_verdicts(estimates, [smallest] * len(rows))]
    expected = [row["expected"] for row in rows]
    supporting = [verdict in _SUPPORT[claimed] for verdict, claimed in zip(verdicts, expected, strict=True)]
    against = [verdict == _AGAINST[claimed] for verdict, claimed in zip(verdicts, expected, strict=True)]
    if any(against):
        overall = CONTRADICTED
    elif not complete or not rows or "" in verdicts:
        overall = NOT_TESTABLE
    else:
        overall = SUPPORTED if all(supporting) else UNDECIDED
    needed = [row["runs_needed"] for row, verdict in zip(rows, verdicts, strict=True) if verdict == UNDECIDED]
    return Judgement(
        verdict=overall,
        supporting=sum(supporting),
        against=sum(against),
        comparisons=len(rows),
        more_runs="" in verdicts,
        runs_needed=max((runs for runs in needed if not math.isnan(runs)), default=math.nan),
    )


def _estimate(row: Mapping[str, Any]) -> Estimate:
    """Return what tests need of a row."""
    tested = {name: row[name] for name in ("standard_error", "degrees", "p") if not math.isnan(row[name])}
    return Estimate(row["estimate"], row["low"], row["high"], row["interval"], **tested)
