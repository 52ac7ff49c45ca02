"""The first paragraph on tables of estimates made by hand: it says what verdicts carry, and no more."""

import dataclasses
import math
import re
import textwrap

import pytest
from xstilts.evaluation.estimates import TABLE
from xstilts.reporting import paragraph, wording
from xstilts.reporting.wording import Stated
from xstilts.store.answer import Answer, Budget, Family
from xstilts.store.sampling import Sampling
from xstilts.store.specs import to_json
from xstilts.store.specs.models import IntermediateSpec
from xstilts.store.study_plan import Cell, PlannedNode

from tests.builders.estimates import (
    CONTRAST,
    EQUIVALENT,
    INTERACTION,
    LARGE,
    LOG_ODDS,
    LOWER,
    ONE_RUN,
    UNDECIDED,
    estimates,
)
from tests.builders.predicted import training_spec
from tests.builders.projects import ROOT
from tests.builders.study_plans import XNLI, planned, study_plan

BUDGET = Budget(multi="nine", single="best", singles=("mnli", "squad_v1"))
ASKED = Answer(
    budgets={"equal epochs": BUDGET},
    families={"mini": Family(small="mini-small", large="mini-large")},
    recipes=("r",),
)
ORACLE = {"b": "oracle single", "primary": False}
SCARCE = {**CONTRAST, "name": "scarce", "b": "none", "target": "tydiqa", "expected": "higher", "emerged": "emerged"}
MINIATURE = dataclasses.replace(XNLI, source="miniature")
REAL = {"xnli": dataclasses.replace(XNLI, source="download")}


def said(*rows, answer=ASKED, **changes):
    frame = estimates(*rows)
    assert TABLE.problem(frame) is None
    return paragraph.text(study_plan(**{"answer": answer, "targets": REAL} | changes), frame)


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ({}, "+1.2 points (+0.2 to +2.2), 3 runs an arm: nine is higher [1]"),
        (LOWER, "-2.0 points (-3.0 to -1.0), 3 runs an arm: nine is lower [1]"),
        (EQUIVALENT, "+0.1 points (-0.6 to +0.8), 3 runs an arm: equivalent within 1 point [1]"),
        (
            UNDECIDED,
            "+0.4 points (-0.9 to +1.7), 3 runs an arm: undecided, about 17 runs an arm would likely decide it [1]",
        ),
        (
            {**UNDECIDED, "runs_needed": 9517.0},
            "undecided, and it would take more than 1000 runs an arm to decide it [1]",
        ),
        (
            {**UNDECIDED, "runs_needed": math.inf},
            "undecided, and no number of runs would decide it, only more test examples [1]",
        ),
        ({"runs_a": 3, "runs_b": 1}, "3 runs against 1: nine is higher"),
        ({"estimate": -0.04, "low": -0.04}, "+0.0 points (+0.0 to +2.2)"),
        ({"primary": False}, "nine is higher, exploratory [1]"),
    ],
)
def test_verdicts(row, words):
    assert words in said(row)


def test_equivalence_names_the_smallest_difference_that_matters():
    assert "equivalent within 0.5 points" in said(EQUIVALENT, answer=dataclasses.replace(ASKED, smallest=0.5))


def test_one_run_an_arm_has_no_verdict():
    text = said(ONE_RUN)
    assert "[+0.2, +2.2], one run an arm: a range over examples, no verdict [1]" in text
    assert "without a verdict, because an arm has one run: mini small [1]" in text
    assert not re.search(r"is higher|is lower|equivalent|undecided", text)
    assert "Random in these ranges are the test examples alone" in text
    assert "in square brackets stand ranges over 95 % of draws of test examples." in text
    assert "One comparison is primary, all else" in text and "Holm" not in said(ONE_RUN, {**LARGE, **ONE_RUN})


def test_gains_that_nothing_asks_for_are_not_in_it():
    gain = {**CONTRAST, "name": "gain over none", "b": "none", "interval": "examples only", "primary": True}
    assert said({}, gain) == said({})


def test_one_cluster_of_examples_is_the_reason():
    one_cluster = {**ONE_RUN, "runs_a": 2, "runs_b": 2, "clusters": 1, "low": 1.2, "high": 1.2}
    text = said(one_cluster)
    assert "2 runs an arm: no verdict, because all examples are one cluster [1]" in text
    assert "without a verdict, because all examples are one cluster: mini small [1]." in text
    assert "second run" not in text and "one run" not in text and "Nothing is random in these ranges" in text
    both = said(ONE_RUN, {**LARGE, **one_cluster}, {**INTERACTION, **UNDECIDED})
    assert (
        "undecided: mini interaction [3]; without a verdict, because an arm has one run: mini small [1]; without a"
        " verdict, because all examples are one cluster: mini large [2]." in both
    )


def test_collapse_of_all_runs_is_the_reason():
    text = said({**ONE_RUN, "runs_a": 3, "runs_b": 3, "run_sd": 0.0, "collapsed": 6})
    assert "3 runs an arm: no verdict, because all runs of an arm collapsed, or nothing varies [1]" in text
    assert "without a verdict, because all runs of an arm collapsed, or nothing varies: mini small [1]" in text


def test_only_what_was_said_says_what_is_random():
    """A claim, or an exploratory contrast, of one run an arm is not in the paragraph."""
    text = said({}, {**SCARCE, **ONE_RUN, "name": "claim 2", "primary": False})
    assert "Random in these intervals are the runs (the seed of both phases of training) and the test examples;" in text


def test_question_budget_and_choice():
    text = said({"chosen": "mnli 2, squad_v1 1"})
    assert (
        "do better than a single one: nine minus the best single task of mnli and squad_v1 (chosen anew in every run on"
        " dev rows of the source language), at equal epochs (nine takes more steps)." in text
    )
    assert "over 3 targets and 4 languages [1]" in text
    assert "(mnli 2, squad_v1 1 chosen): nine is higher" in text


@pytest.mark.parametrize(
    ("single", "words"),
    [("mean", "nine minus the mean of mnli and squad_v1, at"), ("mnli", "nine minus mnli, at")],
)
def test_other_single_tasks(single, words):
    budget = dataclasses.replace(BUDGET, single=single)
    assert words in said({}, answer=dataclasses.replace(ASKED, budgets={"equal epochs": budget}))


def test_one_budget_says_what_is_not_equal():
    steps = dataclasses.replace(ASKED, budgets={"equal steps": BUDGET})
    assert "at equal steps (nine sees the rows of each of its tasks less often)." in said(
        {"budget": "equal steps"}, answer=steps
    )


def test_two_budgets_are_both_there():
    other = dataclasses.replace(BUDGET, multi="nine_short")
    both = dataclasses.replace(ASKED, budgets={"equal epochs": BUDGET, "equal steps": other})
    text = said({}, {"budget": "equal steps", "primary": False, "a": "nine_short", **EQUIVALENT}, answer=both)
    assert "at equal epochs. " in text
    assert (
        "At equal steps it is nine_short minus the best single task of mnli and squad_v1: mini small +0.1 points"
        " (-0.6 to +0.8), 3 runs an arm: equivalent within 1 point, exploratory [2]." in text
    )


def test_sizes_and_interaction():
    text = said({}, {**LARGE, **UNDECIDED}, {**INTERACTION, **LOWER, "chosen": "mnli 3; mnli 3"}, LOG_ODDS)
    assert "In mini: the small model (mini-small) has +1.2 points" in text
    assert "; the large model (mini-large) has +0.4 points" in text
    assert (
        "In mini, the large model's difference minus the small one's: -2.0 points (-3.0 to -1.0), 3 runs an arm: the"
        " large model's difference is lower [3]; in log-odds -0.02 (-0.10 to +0.06) with the same sign [4]." in text
    )
    assert "The 3 primary comparisons are corrected for each other (Holm), all else is exploratory;" in text
    assert "undecided: mini large [2]." in text


def test_points_and_log_odds_of_opposite_signs():
    text = said({}, LARGE, {**INTERACTION, "estimate": 0.8}, LOG_ODDS)
    assert (
        "in log-odds -0.02 (-0.10 to +0.06) with the other sign: which size gains more may depend on the scale [4]"
        in text
    )
    assert "none is undecided." in text


def test_the_oracle_stands_beside_and_has_no_verdict():
    text = said({}, {**ORACLE, **LOWER})
    assert "so no honest choice: mini small -2.0 points (-3.0 to -1.0), 3 runs an arm [2]." in text
    assert text.count("nine is") == 1


def test_without_collapsed_runs():
    kept = {**UNDECIDED, "runs_used": "without collapsed", "runs_a": 2, "primary": False}
    text = said({"collapsed": 1}, kept, {**ORACLE, "collapsed": 1})
    assert "Runs that collapsed, in intermediate or target training, are counted in: mini small 1 run [1]" in text
    assert "; without them, mini small +0.4 points" in text
    assert (
        "(-0.9 to +1.7), 2 runs against 3: undecided, about 17 runs an arm would likely decide it, exploratory [2]."
        in text
    )
    assert "One comparison is primary" in text


def test_a_verdict_without_collapsed_runs_is_not_corrected_and_says_so():
    """Whether the arm collapsed that is compared, or in some world one of its runs: the counts can be the same."""
    kept = {"runs_used": "without collapsed", "primary": False, "p_holm": math.nan}
    text = said({"collapsed": 2, "verdict": "undecided", "p_holm": 0.06, "runs_needed": 4.0}, kept)
    assert "mini small +1.2 points (+0.2 to +2.2), 3 runs an arm: nine is higher, exploratory [2]." in text


def test_only_what_was_said_counts_its_collapsed_runs():
    """Neither the large model, in which none collapsed, nor an exploratory contrast."""
    beside = {**SCARCE, "name": "beside", "primary": False, "collapsed": 2}
    kept = {"runs_used": "without collapsed", "primary": False}
    text = said({"collapsed": 1}, kept, LARGE, beside, {**beside, **kept})
    assert "Runs that collapsed, in intermediate or target training, are counted in: mini small 1 run [1]" in text
    assert "; without them, mini small +1.2 points" in text
    assert "mini large 0 runs" not in text and "beside" not in text


def test_only_collapsed_runs():
    assert "mini small 6 runs [1]; without them, nothing is left to compare." in said({"collapsed": 6})


def test_primary_contrasts_without_an_answer():
    text = said(SCARCE, {**SCARCE, "primary": False, "name": "beside"}, answer=None)
    assert text.startswith(
        "Primary contrast scarce, nine minus none on tydiqa (mini-small, r): +1.2 points (+0.2 to +2.2), 3 runs an"
        " arm: nine is higher, as expected [1]."
    )
    assert "beside" not in text


@pytest.mark.parametrize("emerged", ["the opposite", "equivalent"])
def test_what_was_expected_otherwise(emerged):
    text = said({**SCARCE, **LOWER, "emerged": emerged}, answer=None)
    assert "nine is lower, where higher was expected [1]" in text


def test_an_answer_without_an_outcome_says_so():
    """As where all languages are controls: there are rows of targets in the source language at most."""
    text = said()
    assert text.startswith(
        "The study asks whether several intermediate tasks together do better than a single one, and has"
    )
    assert "no outcome that answers it" in text and "states no question" not in text and "Random" not in text
    assert "no outcome that answers it" in said(SCARCE) and "Primary contrast scarce" in said(SCARCE)


def test_exploratory_contrasts_are_not_in_it():
    text = said({**SCARCE, "primary": False}, answer=None)
    assert text == "This study states no question: it has neither `answer` nor primary contrasts."


def test_worlds():
    over = {**UNDECIDED, "interval": "worlds", "worlds": 6.0}
    text = said(over, *({"interval": "runs and examples", "world": world} for world in (21, 22)))
    assert "(-0.9 to +1.7), 6 worlds, 3 runs an arm: undecided, about 17 worlds would likely decide it [1]" in text
    assert "Random in these intervals are the worlds, each with its own data" in text
    assert "nine is higher" not in text and "[2]" not in text


@pytest.mark.parametrize(
    ("nine", "mnli", "budget", "words"),
    [
        (598, 598, "equal steps", None),
        (None, 598, "equal epochs", None),
        (None, 598, "equal steps", "no steps of nine: that its epochs come to as many steps as the other arms have"),
        (None, None, "equal steps", "no steps of nine and mnli: that their epochs come to"),
    ],
)
def test_steps_that_the_study_does_not_state_are_said_to_be_taken_for_granted(nine, mnli, budget, words):
    nodes, cells = {}, []
    for mixture, steps in {"nine": nine, "mnli": mnli, "other": None}.items():
        spec = dataclasses.replace(training_spec(IntermediateSpec, [], 1, {}), sampling=Sampling(steps=steps))
        nodes[f"intermediate/{mixture}"] = PlannedNode("", (mixture,), to_json(spec))
        nodes[f"predictions/{mixture}"] = planned(mixture, parents={"model": f"intermediate/{mixture}"})
        cells.append(Cell("mini-small", "r", "full", mixture, 1, "xnli", f"predictions/{mixture}"))
    asked = {"budgets": {budget: dataclasses.replace(BUDGET, singles=("mnli",))}}
    text = said({"budget": budget}, answer=dataclasses.replace(ASKED, **asked), nodes=nodes, cells=tuple(cells))
    assert "nine is higher" in text
    assert words in text if words else "taken for granted" not in text


def test_made_up_data_is_said_first():
    assert said({}, targets={"xnli": MINIATURE}, made_up=True).startswith("The world of this study is synthetic")
    assert said({}, targets={"xnli": XNLI}, made_up=True).startswith("Made-up text and a random model")
    assert said({}).startswith("The study asks")


def test_other_outcomes_recipes_and_targets_are_not_in_it():
    rows = [{"outcome": "without retrieval"}, {"recipe": "other"}, {"target": "xnli"}]
    text = said({}, *({**row, "primary": False, **LOWER} for row in rows))
    assert "nine is lower" not in text


def test_a_long_study_stays_short():
    families = {name: Family(small=f"{name}-small", large=f"{name}-large") for name in ("a", "b", "c")}
    rows = [
        {**row, "family": name, "primary": False}
        for name in families
        for row in ({}, LARGE, INTERACTION, LOG_ODDS, ORACLE)
    ]
    answer = dataclasses.replace(ASKED, families=families)
    assert len(paragraph.sentences(study_plan(answer=answer), estimates(*rows, SCARCE))) <= 12


def full():
    return estimates({}, {**LARGE, **UNDECIDED}, INTERACTION, LOG_ODDS, ORACLE, {**SCARCE, "a": "<nine>"})


def test_everything_stated_leads_to_a_row_that_is_there():
    sentences = paragraph.sentences(study_plan(answer=ASKED), full())
    stated = [part for sentence in sentences for part in sentence if isinstance(part, Stated)]
    assert {part.row for part in stated} == set(full()["row"])
    # apart from 95 %, the smallest difference, and how many comparisons are primary, whatever has digits is a row's
    words = "".join(part for sentence in sentences for part in sentence if isinstance(part, str))
    assert re.findall(r"\d+", words.replace("squad_v1", "")) == ["95", "1", "4"]


def test_html():
    html = wording.in_html(paragraph.sentences(study_plan(answer=ASKED), full()))
    assert '<a href="#estimate-1">3 targets and 4 languages</a>' in html
    assert "&lt;nine&gt; minus none" in html and "<nine>" not in html


def example():
    """A study like studies/scale.yaml of one family, and made-up estimates."""
    singles = ("mnli", "squad_v1", "hellaswag")
    capped = tuple(f"{single}_capped" for single in singles)
    answer = Answer(
        budgets={
            "equal steps": Budget(multi="nine", single="best", singles=singles),
            "equal epochs": Budget(multi="nine_capped", single="best", singles=capped),
        },
        families={"XLM-R": Family(small="xlm-roberta-large", large="xlm-roberta-xxl")},
        recipes=("lora", "jiant"),
        outcome="benchmark",
        primary=("interaction",),
    )
    usual = {
        "family": "XLM-R", "model": "xlm-roberta-large", "recipe": "lora", "budget": "equal steps", "primary": False,
        "outcome": "benchmark", "targets": 10, "languages": 50, "runs_a": 5, "runs_b": 5,
    }  # fmt: skip
    large = {"size": "large", "model": "xlm-roberta-xxl"}
    centred = {"estimate": -0.2, "low": -0.8, "high": 0.4}
    rows = [
        {"estimate": 1.31, "low": 0.42, "high": 2.2, "chosen": "squad_v1 4, hellaswag 1"},
        {**large, **UNDECIDED, "runs_needed": 11.0, "chosen": "squad_v1 5"},
        {**INTERACTION, **UNDECIDED, "primary": True, "estimate": -0.9, "low": -2.5, "high": 0.7, "runs_needed": 14.2},
        {**LOG_ODDS, "estimate": 0.03, "low": -0.05, "high": 0.11},
        {"b": "oracle single", "estimate": 1.02, "low": 0.11, "high": 1.93},
        {**large, "b": "oracle single", "estimate": 0.07, "low": -1.24, "high": 1.38},
        {"budget": "equal epochs", "a": "nine_capped", **EQUIVALENT},
        {**large, "budget": "equal epochs", "a": "nine_capped", **EQUIVALENT, **centred},
        {
            **CONTRAST, "name": "gain", "b": "none", "primary": True, "expected": "higher",
            "emerged": "emerged", "estimate": 3.42, "low": 2.51, "high": 4.33,
        },
    ]  # fmt: skip
    return study_plan(answer=answer, targets=REAL), estimates(*({**usual, **row} for row in rows))


def test_the_example_of_the_documents():
    page = (ROOT / "docs/question.md").read_text(encoding="utf-8")
    shown = page.split("<!-- paragraph -->\n")[1].split("\n<!-- end of paragraph -->")[0]
    assert shown == "\n".join(f"> {line}" for line in textwrap.wrap(paragraph.text(*example()), 118))


def test_runs_that_would_decide_are_for_a_difference():
    assert "So many runs would likely decide one if the true difference is the one seen, or the" in said(UNDECIDED)
    assert "So many worlds would" in said({**UNDECIDED, "interval": "worlds", "worlds": 6})
    assert "So many" not in said({**UNDECIDED, "runs_needed": math.inf}) + said({})
    # those of the oracle are not said
    assert "So many" not in said({}, {**ORACLE, **UNDECIDED})
