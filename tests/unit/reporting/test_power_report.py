"""The table and the sentences of what a study can find, and the same as JSON."""

import dataclasses
import re

import pytest
from xstilts.evaluation import pilots
from xstilts.evaluation.comparisons import comparisons
from xstilts.evaluation.planned_examples import PlannedExamples, planned_examples
from xstilts.evaluation.prospects import prospects
from xstilts.reporting import power_report
from xstilts.reporting.power_report import PowerReport, ReportedHours

from tests.builders.pilots import pilot
from tests.builders.plans import plan_study

STUDY = {
    "description": "x",
    "source": "miniature",
    "models": ["mini-small", "mini-large"],
    "recipes": {"mini": {"intermediate": {}, "target": {}}},
    "mixtures": {"none": None, "mnli": None, "squad_v1": None, "nine": {"tasks": ["nine"], "steps": 9}},
    "targets": {"tydiqa": None, "xnli": None},
    "seeds": [1, 2, 3],
    "limits": {"train_rows": 100, "test_rows": 250},
}
MULTI = {"mixture": ["nine", "none"], "targets": ["tydiqa"], "models": ["mini-small"], "primary": True}
OTHER = {**MULTI, "primary": False}
EPOCHS = {"multi": "nine", "single": "best"}
BOTH = {"equal epochs": EPOCHS, "equal steps": EPOCHS}
FAMILY = {"mini": {"small": "mini-small", "large": "mini-large"}}


def report(folder, noise_of=None, rows=None, runs=(3, 5), hours=None, primary=None, claims=False, **changes):
    plan = plan_study(folder, STUDY | changes).study_plan
    plan = plan if claims else dataclasses.replace(plan, claims={})
    examples = planned_examples(plan)
    if rows is not None:
        examples = {
            name: PlannedExamples(dict.fromkeys(one.rows, rows), one.parallel) for name, one in examples.items()
        }
    asked = comparisons(plan, {name: planned.rows for name, planned in examples.items()})
    found = prospects(plan, asked, examples, noise_of or pilots.stated(1.0))
    own = len(STUDY["seeds"] if "seeds" not in changes else changes["seeds"])
    runs = sorted({*runs, own})
    reported = hours and ReportedHours(hours, primary, {one: primary for one in asked if one.primary and primary})
    return PowerReport(plan, found, runs, own, "As stated.", "h100" if hours else None, reported, "Name a GPU type.")


def not_answered(*arguments, **changes):
    return " ".join(power_report.to_json(report(*arguments, **changes))["not_answered"])


def test_the_table_has_the_figures_of_the_json(tmp_path):
    found = report(
        tmp_path,
        hours={3: 12.3, 5: 1234.5},
        contrasts={"multi": MULTI},
        answer={"budgets": BOTH, "families": FAMILY, "primary": []},
    )
    stated, lines = power_report.to_json(found), power_report.text(found).splitlines()
    rows = [line for line in lines if line.startswith("  ") and re.search(r"\d\.\d\d", line)]
    assert len(rows) == len(stated["comparisons"]) == 7
    for line, row in zip(rows, stated["comparisons"], strict=True):
        assert f"{row['a']} - {row['b']}" in line and row["recipe"] == "mini"
        needed = "none" if row["runs_needed"] is None else str(row["runs_needed"])
        assert line.split()[-3:] == [*(f"{row['detectable'][runs]:.2f}" for runs in ("3", "5")), needed]
        assert all(name in line for name in (row["budget"], row["family"], row["size"]))
        assert row["family"] or row["model"] in line
    assert [row["primary"] for row in stated["comparisons"]] == [True] + [False] * 6
    assert lines.index("primary") + 2 == lines.index("exploratory")
    (header,) = [line for line in lines if line.startswith("comparison ")]
    assert header.split()[-3:] == ["3*", "5", "needed"]
    (total,) = [line for line in lines if line.startswith("GPU-hours (h100) ")]
    assert total.split()[-2:] == ["12", "1234"] and stated["hours"] == {"3": 12.3, "5": 1234.5}
    assert max(map(len, lines)) <= 120


def test_hours_of_primary_comparisons_stand_below_those_of_the_study(tmp_path):
    found = report(
        tmp_path, hours={3: 90.0, 5: 150.0}, primary={3: 30.14, 5: 50.0}, contrasts={"multi": MULTI, "other": OTHER}
    )
    stated, lines = power_report.to_json(found), power_report.text(found).splitlines()
    rows = [line for line in lines if line.startswith("GPU-hours (h100) ")]
    assert [re.split(" {2,}", row)[1:] for row in rows] == [
        ["whole study", "90", "150"],
        ["primary comparisons", "30", "50"],
    ]
    assert stated["primary_hours"] == {"3": 30.1, "5": 50.0}
    assert [(row["primary"], row["hours"]) for row in stated["comparisons"]] == [
        (True, {"3": 30.1, "5": 50.0}),
        (False, None),
    ]
    assert "Those of the primary comparisons are of what these need alone" in " ".join(lines)


def test_without_primary_comparisons_there_are_no_hours_of_them(tmp_path):
    found = report(tmp_path, hours={3: 90.0, 5: 150.0}, contrasts={"other": OTHER})
    assert (
        "primary comparisons" not in power_report.text(found) and power_report.to_json(found)["primary_hours"] is None
    )


def test_claims_are_a_group_of_their_own(tmp_path):
    lines = power_report.text(report(tmp_path, claims=True, contrasts={"multi": MULTI})).splitlines()
    first = lines.index("claims") + 1
    assert lines[lines.index("primary") + 1].startswith("  multi: nine - none ") and "exploratory" not in lines
    # of the two models' comparisons
    assert [line.split(":")[0].strip() for line in lines[first : first + 6]] == ["2", "2", "4", "4", "5", "5"]
    assert lines[first].startswith("  2: nine - best single ") and max(map(len, lines)) <= 120


def test_claims_are_not_counted_as_exploratory_comparisons(tmp_path):
    """Claim 4 has comparisons on TyDiQA and on XNLI."""
    found = report(tmp_path, claims=True, contrasts={"multi": MULTI}, models=["mini-small"])
    said = " ".join(power_report.to_json(found)["not_answered"])
    assert "1 point in 3 claims (finds " in said and "exploratory" not in said
    assert "of n in a model, the one that is hardest to find is shown, at 5 % / n." in " ".join(
        power_report.text(found).split()
    )


def test_hours_that_are_not_known_have_a_reason(tmp_path):
    found = report(tmp_path, contrasts={"multi": MULTI})
    text = power_report.text(found)
    assert re.search(r"^GPU-hours +whole study +- +-$", text, re.M) and "GPU-hours: Name a GPU type." in text
    assert power_report.to_json(found)["hours"] is None
    assert power_report.to_json(found)["primary_hours"] is None


def test_one_run_has_no_verdict(tmp_path):
    found = report(tmp_path, seeds=[1], contrasts={"multi": MULTI})
    text, (row,) = power_report.text(found), power_report.to_json(found)["comparisons"]
    assert "1 run an arm (*)" in text and row["detectable"]["1"] is None
    assert "with one run an arm nothing gets a verdict" in text and "1 point in" not in text


def test_one_run_beside_several_says_why_it_finds_nothing(tmp_path):
    said = "-: with one run an arm nothing gets a verdict"
    assert said in power_report.text(report(tmp_path, runs=(1, 2), contrasts={"multi": MULTI}))
    assert said not in power_report.text(report(tmp_path, runs=(2, 3), contrasts={"multi": MULTI}))


def test_differences_that_matter_and_are_not_found(tmp_path):
    """Of primary ones by name and of others by number: the runs that it takes, or examples where none do."""
    contrasts = {"multi": MULTI, "other": OTHER}
    few = not_answered(tmp_path, contrasts=contrasts)
    assert re.search(
        r"1 point in nine - none, primary \(tydiqa, finds \d\.\d\d; mini-small\)\. No number of runs does: the examples"
        r" alone are too few\. It takes \d+\.\d times as many, or more\. 1 point in 1 exploratory comparison ",
        few,
    )
    many = report(tmp_path, rows=10**7, contrasts=contrasts)
    needed = int(many.prospects[0].runs_needed)
    sentences = " ".join(power_report.to_json(many)["not_answered"])
    assert f"It takes {needed} runs an arm." in sentences and "No number" not in sentences
    enough = not_answered(tmp_path, rows=10**7, contrasts=contrasts, seeds=list(range(needed)))
    assert "1 point" not in enough


def test_smallest_difference_is_the_answers(tmp_path):
    answer = {"budgets": BOTH, "families": FAMILY, "primary": [], "smallest": 50}
    found = report(tmp_path, answer=answer)
    text = power_report.text(found)
    assert "find 50 points, the smallest difference that matters" in text and "points in" not in text


@pytest.mark.parametrize(
    ("answer", "said", "unsaid"),
    [
        (None, "Whether several tasks are better than a single one: state it as `answer`", "Whether size"),
        ({"budgets": BOTH, "families": {"mini": {"small": "mini-small"}}}, "mini: it has no large model", "the budget"),
        ({"budgets": BOTH, "families": FAMILY}, "only mnli, squad_v1 are there alone", "Whether size"),
        ({"budgets": {"equal steps": EPOCHS}, "families": FAMILY}, "it compares at equal steps only", "Whether size"),
        (
            {"budgets": {"equal steps": {"multi": "nine", "single": "mnli"}}, "families": FAMILY},
            "it compares at equal steps only",
            "there alone",
        ),
    ],
)
def test_arms_that_are_missing(answer, said, unsaid, tmp_path):
    answer = answer and {**answer, "primary": []}
    found = not_answered(tmp_path, answer=answer, contrasts={"multi": MULTI})
    assert said in found and unsaid not in found


def test_pilots_own_differences(tmp_path):
    rows = [{"estimate": 5.1}, {"target": "", "targets": 2, "run_sd": 2.0}]
    contrasts = {"multi": MULTI, "all": {**MULTI, "primary": False, "targets": None, "models": ["mini-large"]}}
    plan = plan_study(tmp_path, STUDY | {"contrasts": contrasts}).study_plan
    found = report(
        tmp_path,
        pilots.read([pilot(tmp_path / "pilot", *rows, plan=plan)], planned_examples(plan)),
        contrasts=contrasts,
    )
    text, share = power_report.text(found), found.prospects[0].power(3)
    assert f"+5.1 ({share:.0%})" in text
    assert (
        "nine - none (mini-small; tydiqa): the pilots' difference was +5.1 points; so large a one is found with power"
        f" {share:.0%} at 3 runs."
    ) in " ".join(text.split())
    first, second = power_report.to_json(found)["comparisons"]
    assert first["pilot_difference"] == 5.1 and first["power"]["3"] == share and second["pilot_difference"] is None
    assert [first["variance"], second["variance"]] == ["same comparison", "same outcome"]
    assert re.search(r"^  all: .* -  +same outcome$", text, re.M)
