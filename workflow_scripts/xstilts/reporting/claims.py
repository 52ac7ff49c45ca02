"""The table of claims: what a study says of each, and what a study would need to say more."""

import functools
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import pandas as pd

from xstilts.evaluation import claims
from xstilts.evaluation.claims import HOLDS, HOLDS_NOT, NOT_TESTABLE, UNDECIDED, Judgement
from xstilts.evaluation.comparisons import CLAIM
from xstilts.evaluation.estimates import ALL_RUNS
from xstilts.evaluation.table import records
from xstilts.reporting import wording
from xstilts.reporting.layout import Cells
from xstilts.reporting.wording import Part, Row, Sentence, Stated
from xstilts.store.answer import SMALLEST
from xstilts.store.claims import Lacking
from xstilts.store.study_plan import StudyPlan

VERDICTS = (
    "What was reported is unverified and decides nothing. Supported: every comparison came out as claimed (their p are"
    " corrected for each other, Holm); contradicted: one went the other way; undecided: neither; not testable: the"
    " study lacks what a claim needs."
    f" `needs` says how many runs would decide a claim {wording.IF_TRUE}. Its level is 5 % divided by the number of the"
    " claim's comparisons; that of a primary comparison is 5 % divided by the number of primary ones, so the same"
    " difference can need another number of runs there."
)

# what a comparison without a verdict needs, by the reason
_REMEDIES = {
    wording.ONE_RUN: "a second run (seed) of every arm",
    wording.ONE_CLUSTER: "a second cluster of test examples",
    wording.NO_VARIANCE: "runs that do not all collapse",
}


@dataclass(frozen=True, kw_only=True)
class ClaimRow:
    """A claim in one model with one recipe, or, with neither, in the whole study.

    Attributes:
        claim: its name.
        text: the claim in words.
        source: who makes it.
        figure: what was reported with it, unverified.
        model: the model.
        recipe: the recipe.
        verdict: a verdict of ``evaluation/claims.py``.
        found: what its comparisons gave.
        needs: what a study would need to decide it; empty where it is decided.
    """

    claim: str
    text: str
    source: str
    figure: str
    model: str = ""
    recipe: str = ""
    verdict: str
    found: Sentence = ()
    needs: str = ""


def rows(plan: StudyPlan, estimates: pd.DataFrame) -> list[ClaimRow]:
    """Return the claims, each in every model and recipe in which the study can compare anything for it.

    Args:
        plan: the study's plan.
        estimates: the table of estimates.
    """
    compared = [row for row in records(estimates) if pd.isna(row["world"]) and row["runs_used"] == ALL_RUNS]
    smallest = plan.answer.smallest if plan.answer else SMALLEST
    recipes = dict.fromkeys((cell.model, cell.recipe) for cell in plan.cells)
    found = []
    for name, claim in plan.claims.items():
        row_of = functools.partial(ClaimRow, claim=name, text=claim.text, source=claim.source, figure=claim.figure)
        if claim.holds is not None:
            found.append(row_of(verdict=HOLDS if claim.holds else HOLDS_NOT))
            continue
        planned = [comparison.model for comparison in claim.comparisons]
        if not planned:
            least = min(claim.lacking.values(), key=lambda lacking: len(lacking.mixtures) + len(lacking.targets))
            found.append(row_of(verdict=NOT_TESTABLE, needs=_needs(least)))
        for model, recipe in recipes:
            if model in planned:
                lacking = claim.lacking[model]
                of_model = [
                    row
                    for row in compared
                    if (row["name"], row["model"], row["recipe"]) == (f"{CLAIM} {name}", model, recipe)
                ]
                complete = not lacking and len(of_model) == planned.count(model)
                judged = claims.judge(of_model, complete, smallest)
                found.append(
                    row_of(
                        model=model,
                        recipe=recipe,
                        verdict=judged.verdict,
                        found=_found(of_model, judged),
                        needs=_needs_of(judged, of_model, lacking, smallest),
                    )
                )
    return found


def _found(of_model: Sequence[Row], judged: Judgement) -> Sentence:
    """Return the difference of a claim's comparison, or those of several and how many came out as claimed."""
    if not of_model:
        return ()
    if len(of_model) == 1:
        (row,) = of_model
        return (Stated(f"{wording.difference(row)}, {wording.runs(row)}", row["row"]),)
    against = f"{judged.against} the other way" if judged.against else "none the other way"
    counts = f"{judged.supporting} of {judged.comparisons} comparisons as claimed, {against}"
    if not any(row["verdict"] for row in of_model):
        counts = f"{judged.comparisons} comparisons, none with a verdict"
    found: list[Part] = [f"{counts}: "]
    for number, row in enumerate(of_model):
        place = f"{row['a']} minus {row['b']} on {row['target'] or row['outcome']}"
        found += ["; " if number else "", Stated(f"{place} {wording.difference(row)}", row["row"])]
    return tuple(found)


def _needs_of(judged: Judgement, of_model: Sequence[Row], lacking: Lacking, smallest: float) -> str:
    """Return what a study would need to decide a claim that this one has not decided."""
    if judged.verdict == NOT_TESTABLE:
        reasons = {wording.without_verdict(row) for row in of_model if not row["verdict"]}
        remedies = [remedy for reason, remedy in _REMEDIES.items() if reason in reasons]
        return "; ".join(filter(None, [_needs(lacking), *remedies]))
    if judged.verdict != UNDECIDED:
        return ""
    if math.isnan(judged.runs_needed):
        return (
            f"nothing more: differences that do not support it are within {wording.counted(smallest, 'point')} of none"
        )
    if math.isinf(judged.runs_needed):
        return "more test examples: no number of runs would decide it"
    return wording.needed_runs(judged.runs_needed, of_model[0]["interval"])


def _needs(lacking: Lacking) -> str:
    """Return what a study lacks for a claim."""
    named = [("mixture", lacking.mixtures), ("target", lacking.targets)]
    return "; ".join(f"the {noun}{'s' * (len(names) > 1)} {wording.listed(names)}" for noun, names in named if names)


def frame(found: Sequence[ClaimRow]) -> pd.DataFrame:
    """Return the table of claims as a frame, with text for what was found."""
    values = [{**vars(row), "found": wording.text([row.found])} for row in found]
    return pd.DataFrame(values, columns=list(ClaimRow.__dataclass_fields__))


def cells(found: Sequence[ClaimRow], render: Callable[[Iterable[Sentence]], str] = wording.text) -> Cells:
    """Return header and rows of the table of claims; ``render`` makes text or HTML of what was found."""
    header = ["claim", "in words", "reported (unverified)", "model", "recipe", "verdict", "found", "needs"]
    rows = []
    for row in found:
        of_arm = [row.figure or "–", row.model or "–", row.recipe or "–", row.verdict]
        words = f"{row.text} ({row.source})" if row.source else row.text
        rows.append([row.claim, words, *of_arm, render([row.found]) or "–", row.needs or "–"])
    return header, rows


def named(claim: str) -> str:
    """Return what a claim is called in a sentence: those that have a number are claims, others have a name."""
    return f"{CLAIM} {claim}" if claim[:1].isdigit() else claim
