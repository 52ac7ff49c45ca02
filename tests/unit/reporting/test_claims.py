"""The table of claims: verdicts in words, what a study would need, and links to rows that are there."""

import math
import re

import pytest
from xstilts.reporting import claims, layout, wording
from xstilts.store.claims import ClaimComparison, Lacking, PlannedClaim
from xstilts.store.study_plan import Cell

from tests.builders.estimates import CONTRAST, ONE_RUN, UNDECIDED, estimates
from tests.builders.study_plans import study_plan

ONE = ClaimComparison(model="m", first="nine", second="none")
CELLS = tuple(Cell("m", recipe, "full", "none", 1, "xnli", "") for recipe in ("r", "s"))
ROW = {**CONTRAST, "name": "claim 2", "model": "m", "b": "none", "primary": False, "expected": "higher"}


def claim(*comparisons, holds=None, lacking=None):
    return PlannedClaim(
        text="All nine are best.", source="Someone", figure="+8.7", holds=holds, comparisons=comparisons,
        lacking={"m": Lacking()} if lacking is None else lacking,
    )  # fmt: skip


def found(planned, *rows):
    return claims.rows(study_plan(claims={"2": planned}, cells=CELLS), estimates(*rows))


def test_a_row_for_each_recipe():
    first, second = found(claim(ONE), ROW, {**ROW, "recipe": "s", **UNDECIDED, "standard_error": 0.8})
    assert (first.verdict, first.recipe, first.needs) == ("supported", "r", "")
    assert wording.text([first.found]) == "+1.2 points (+0.2 to +2.2), 3 runs an arm [1]"
    assert (second.verdict, second.recipe, second.needs) == ("undecided", "s", "about 17 runs an arm")


@pytest.mark.parametrize(
    ("change", "needs"),
    [
        (
            {**UNDECIDED, "standard_error": 0.8, "example_part": 0.8},
            "more test examples: no number of runs would decide it",
        ),
        ({"estimate": 0.0, "p": 1.0}, "nothing more: differences that do not support it are within 1 point of none"),
    ],
)
def test_what_an_undecided_claim_needs(change, needs):
    row, _ = found(claim(ONE), {**ROW, "standard_error": 0.3, **change}, ROW | {"recipe": "s"})
    assert (row.verdict, row.needs) == ("undecided", needs)


def test_of_several_worlds_more_worlds_are_needed():
    row, _ = found(
        claim(ONE),
        {**ROW, **UNDECIDED, "standard_error": 0.8, "interval": "worlds", "worlds": 6.0},
        ROW | {"recipe": "s"},
    )
    assert re.fullmatch(r"about \d+ worlds", row.needs)


def test_one_cluster_of_examples():
    row, _ = found(claim(ONE), {**ROW, **ONE_RUN, "runs_a": 3, "runs_b": 3, "clusters": 1, "standard_error": math.nan})
    assert (row.verdict, row.needs) == ("not testable in this study", "a second cluster of test examples")


def test_several_comparisons():
    planned = claim(ONE, ClaimComparison(model="m", first="nine", second="mnli"))
    row, _ = found(planned, ROW, {**ROW, "estimate": -2.0})
    assert row.verdict == "contradicted"
    text = wording.text([row.found])
    assert text.startswith("1 of 2 comparisons as claimed, 1 the other way: nine minus none on zero-shot +1.2 points ")
    assert "; nine minus none on zero-shot -2.0 points " in text and text.endswith(" [2]")
    assert 'href="#estimate-2"' in wording.in_html([row.found]) and "square brackets" not in claims.VERDICTS
    row, _ = found(planned, *[{**ROW, **ONE_RUN, "standard_error": math.nan, "degrees": math.nan}] * 2)
    assert wording.text([row.found]).startswith("2 comparisons, none with a verdict: nine minus none")


def test_what_is_lacking():
    nothing = {"small": Lacking(("nine", "mnli"), ("bucc",)), "m": Lacking(("nine",), ("bucc", "tatoeba", "xnli"))}
    (row,) = found(claim(lacking=nothing))
    assert (row.verdict, row.model) == ("not testable in this study", "")
    assert row.needs == "the mixtures nine and mnli; the target bucc"
    row, _ = found(claim(ONE, lacking={"m": Lacking((), ("bucc",))}), ROW)
    assert (row.verdict, row.needs) == ("not testable in this study", "the target bucc")


def test_one_run_an_arm():
    row, _ = found(claim(ONE), {**ROW, **ONE_RUN, "standard_error": math.nan, "degrees": math.nan})
    assert (row.verdict, row.needs) == ("not testable in this study", "a second run (seed) of every arm")


def test_facts_of_the_setup():
    assert [row.verdict for row in found(claim(holds=True))] == ["true of this study"]
    assert [row.verdict for row in found(claim(holds=False))] == ["not true of this study"]


def test_rows_of_other_claims_worlds_and_runs_do_not_count():
    row, _ = found(
        claim(ONE), ROW, {**ROW, "name": "claim 22"}, {**ROW, "world": 3}, {**ROW, "runs_used": "without collapsed"}
    )
    assert row.verdict == "supported" and wording.text([row.found]).endswith("[1]")


def test_the_figure_is_shown_as_unverified():
    rows = found(claim(ONE), ROW)
    header, (first, _) = claims.cells(rows)
    assert first[header.index("reported (unverified)")] == "+8.7"
    assert "| reported (unverified) |" in layout.markdown(claims.cells(rows), "")
    assert claims.frame(rows)["figure"].tolist() == ["+8.7", "+8.7"]


def test_a_comparison_that_has_no_row():
    planned = claim(ONE, ClaimComparison(model="m", first="nine", second="mnli"))
    row, _ = found(planned, ROW)
    assert row.verdict == "not testable in this study"
