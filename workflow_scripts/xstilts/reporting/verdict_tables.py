"""Tables of a study's answer, contrasts and worlds and of what claims compare, from the table of estimates."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from xstilts.evaluation import worlds
from xstilts.evaluation.comparisons import POINTS
from xstilts.evaluation.estimates import ALL_RUNS, is_of_claim
from xstilts.evaluation.intervals import UNDECIDED
from xstilts.evaluation.table import records
from xstilts.evaluation.unasked import GAIN, is_unasked
from xstilts.reporting import wording
from xstilts.reporting.layout import Cells
from xstilts.store.answer import INTERACTION
from xstilts.store.study_plan import StudyPlan

INTERVALS = (
    "95 % intervals over runs and examples; in square brackets a range over examples alone, which carries no verdict,"
    f" where {wording.NO_VERDICT}. Undecided: in brackets the runs of each arm that would likely decide it"
    f" {wording.IF_TRUE}."
)
_INTERVALS_OVER_WORLDS = (
    "Means over worlds with 95 % intervals (t), over all that differs between worlds: data, pretrained models, runs."
    " Runs are those in each world. Undecided: in brackets the worlds that would likely decide it"
    f" {wording.IF_TRUE}."
)
LEGEND = "* primary: its verdict is corrected for the other primary comparisons (Holm); all else is exploratory."


def intervals(plan: StudyPlan) -> str:
    """Return what the intervals of a study are over."""
    return _INTERVALS_OVER_WORLDS if plan.worlds else INTERVALS


def of_answer(estimates: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of the study's answer, of several worlds those over worlds."""
    return estimates[(estimates["family"] != "") & estimates["world"].isna()]


def of_contrasts(estimates: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of contrasts, of several worlds those over worlds."""
    others = (estimates["family"] != "") | is_of_claim(estimates) | is_unasked(estimates)
    return estimates[~others & estimates["world"].isna()]


def of_claims(estimates: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of what claims compare, of several worlds those over worlds."""
    return estimates[is_of_claim(estimates) & estimates["world"].isna()]


def answer_rows(estimates: pd.DataFrame) -> Cells:
    """Return header and rows of the table of the answer, primary comparisons first."""
    header = ["row", "family", "size", "multi − single", "equal", "recipe", "outcome", *_MEASURED]
    rows = []
    for row in _primary_first(of_answer(estimates)):
        size = "large − small" if row["kind"] == INTERACTION else row["size"]
        chosen = f" ({row['chosen']})" if row["chosen"] else ""
        sides = f"{row['a']} − {row['b']}{chosen}"
        targets = f"{row['targets']} target{'s' if row['targets'] > 1 else ''}"
        outcome = row["target"] or f"{row['outcome']}, {targets}"
        budget = row["budget"].removeprefix("equal ")
        rows.append(
            [str(row["row"]), row["family"] + _mark(row), size, sides, budget, row["recipe"], outcome, *_measured(row)]
        )
    return header, rows


def contrast_rows(estimates: pd.DataFrame) -> Cells:
    """Return header and rows of the table of contrasts, primary ones first."""
    return _contrast_rows(of_contrasts(estimates))


def claim_rows(estimates: pd.DataFrame) -> Cells:
    """Return header and rows of the table of what claims compare."""
    return _contrast_rows(of_claims(estimates))


def gain_rows(estimates: pd.DataFrame) -> Cells:
    """Return header and rows of the table of gains that the study asks for by no other name, those over worlds."""
    header, rows = _contrast_rows(estimates[(estimates["name"] == GAIN) & estimates["world"].isna()])
    return header, [[row[0], row[1].removeprefix(f"{GAIN}: "), *row[2:]] for row in rows]


def _contrast_rows(estimates: pd.DataFrame) -> Cells:
    header = ["row", "contrast", "model", "recipe", "mixture", "target", *_MEASURED, "expected", "came out"]
    rows = []
    for row in _primary_first(estimates):
        sides = f"{row['name']}{_mark(row)}: {row['a']} − {row['b']}"
        shared = [row[axis] or "–" for axis in ("model", "recipe", "mixture")]
        target = row["target"] or f"mean of {row['targets']}"
        rows.append([str(row["row"]), sides, *shared, target, *_measured(row), row["expected"], row["emerged"]])
    return header, rows


def agreement(frame: pd.DataFrame) -> str:
    """Return a sentence on the pairs of worlds of all comparisons together."""
    pairs, alike, opposite = (frame[name].sum() for name in ("pairs", "alike", "opposite"))
    said = f"{alike} are alike (undecided beside undecided, too) and {opposite} opposite"
    return f"Of {pairs} pairs, all comparisons together, {said}."


def world_rows(frame: pd.DataFrame) -> Cells:
    """Return header and rows of the table of worlds: the estimate over worlds, and how many worlds say what."""
    verdicts = [*worlds.VERDICTS, *([worlds.NO_VERDICT] if frame[worlds.NO_VERDICT].any() else [])]
    counts = [*verdicts, "pairs", "alike", "opposite"]
    header = ["comparison", "in", "on", "mean", "95 % interval", "verdict", "sd", "worlds", *counts]
    rows = []
    for row in _primary_first(frame):
        sides = f"{row['name']}{_mark(row)}: {row['a']} − {row['b']}"
        kind = "large − small" if row["kind"] == INTERACTION else row["model"] or row["size"]
        place = ", ".join(filter(None, (row["family"], kind, row["recipe"], row["mixture"], row["budget"])))
        outcome = row["target"] or f"{row['outcome']}, {row['targets']} targets"
        deviation = wording.number(row["world_sd"], row["scale"]).removeprefix("+")
        numbers = [f"{row['worlds']:.0f}", *(str(row[name]) for name in counts)]
        rows.append([sides, place, outcome, *_difference(row), row["verdict"], deviation, *numbers])
    return header, rows


_MEASURED = ("difference", "95 % interval", "runs", "n", "verdict")


def _primary_first(estimates: pd.DataFrame) -> list[dict[str, Any]]:
    return records(estimates.sort_values("primary", ascending=False, kind="stable"))


def _mark(row: Mapping[str, Any]) -> str:
    return " *" if row["primary"] else ""


def _measured(row: Mapping[str, Any]) -> list[str]:
    """Return the cells of ``_MEASURED``."""
    used = "" if row["runs_used"] == ALL_RUNS else f", {row['runs_used']}"
    collapsed = f", {row['collapsed']} collapsed" if row["collapsed"] and not used else ""
    runs = f"{row['runs_a']} / {row['runs_b']}{used}{collapsed}"
    return [*_difference(row), runs, str(row["n"]), _verdict(row)]


def _difference(row: Mapping[str, Any]) -> list[str]:
    """Return the estimate and its interval."""
    unit = "" if row["scale"] == POINTS else f" {row['scale']}"
    return [wording.number(row["estimate"], row["scale"]) + unit, wording.interval(row)]


def _verdict(row: Mapping[str, Any]) -> str:
    if row["verdict"] != UNDECIDED:
        return row["verdict"] or "–"
    if not np.isfinite(row["runs_needed"]):
        return f"{UNDECIDED} (more examples)"
    replicates = "worlds" if row["interval"] == worlds.WORLDS else "runs"
    return f"{UNDECIDED} ({wording.about(row['runs_needed']).removeprefix('about ')} {replicates})"


_EXPECTATIONS = {
    "emerged": "emerged",
    "the opposite": "went the other way",
    "equivalent": "too small to matter",
    "undecided": "undecided",
    "": f"without a verdict, because {wording.NO_VERDICT}",
}


def expectations(estimates: pd.DataFrame) -> str:
    """Return a sentence on how many of the expected differences emerged, and which did not; empty without any."""
    contrasts = of_contrasts(estimates)
    expected = contrasts[(contrasts["expected"] != "") & (contrasts["runs_used"] == ALL_RUNS)]
    if expected.empty:
        return ""
    counts = expected["emerged"].value_counts()
    found = [f"{counts[emerged]} {text}" for emerged, text in _EXPECTATIONS.items() if counts.get(emerged)]
    missed = expected[expected["emerged"].isin(["the opposite", "equivalent"])]
    names = [f"{row['name']} on {row['target'] or 'the mean'}" for row in records(missed)]
    which = f" Not as expected: {', '.join(dict.fromkeys(names))}." if names else ""
    return f"Expected differences: {len(expected)}, of which {', '.join(found)}.{which}"
