"""Tables of the answer and of contrasts: what people read of each estimate."""

import math

import pandas as pd
import pytest
from xstilts.evaluation.estimates import COLUMNS, TABLE
from xstilts.reporting import tables, verdict_tables

from tests.builders.study_plans import study_plan
from tests.unit.reporting.test_tables import scores

EMPTY = {"text": "", "integer": 1, "number": math.nan, "flag": False}


def estimates(*rows):
    """Return estimates with these values; of a contrast of two mixtures over three runs each, unless they say else."""
    usual = {
        "name": "gain", "kind": "difference", "scale": "points", "recipe": "r", "model": "m", "a": "nine", "b": "none",
        "outcome": "zero-shot", "target": "xnli", "n": 500, "runs_a": 3, "runs_b": 3, "runs_used": "all",
        "estimate": 1.5, "low": 0.25, "high": 2.75, "interval": "runs and examples", "verdict": "higher",
        "collapsed": 0,
    }  # fmt: skip
    empty = {column.name: math.nan if column.optional else EMPTY[column.type] for column in COLUMNS}
    frame = pd.DataFrame([empty | usual | row for row in rows])
    assert TABLE.problem(frame) is None
    return frame


ANSWER = {"name": "answer", "budget": "equal epochs", "family": "f", "size": "small", "b": "best single"}


def contrast(**values):
    header, (row,) = verdict_tables.contrast_rows(estimates(values))
    return dict(zip(header, row, strict=True))


def test_contrast():
    assert contrast(expected="higher", emerged="emerged", model="") == {
        "row": "1", "contrast": "gain: nine − none", "model": "–", "recipe": "r", "mixture": "–", "target": "xnli",
        "difference": "+1.5", "95 % interval": "+0.2 to +2.8", "runs": "3 / 3", "n": "500", "verdict": "higher",
        "expected": "higher", "came out": "emerged",
    }  # fmt: skip


def test_gains_that_no_contrast_asks_for_are_in_no_table_of_verdicts():
    frame = estimates({"name": "gain over none", "expected": "higher", "emerged": "emerged"})
    assert verdict_tables.contrast_rows(frame)[1] == verdict_tables.answer_rows(frame)[1] == []
    assert verdict_tables.claim_rows(frame)[1] == [] and verdict_tables.expectations(frame) == ""


def test_one_run_has_a_range_and_no_verdict():
    row = contrast(interval="examples only", verdict="", runs_a=1, expected="higher")
    assert (row["95 % interval"], row["verdict"], row["came out"]) == ("[+0.2, +2.8]", "–", "")
    assert "square brackets a range over examples alone" in verdict_tables.intervals(study_plan())


def test_undecided_says_how_many_runs_would_do():
    assert contrast(verdict="undecided", runs_needed=12.0)["verdict"] == "undecided (12 runs)"
    assert contrast(verdict="undecided", runs_needed=9517.0)["verdict"] == "undecided (more than 1000 runs)"
    assert contrast(verdict="undecided", runs_needed=math.inf)["verdict"] == "undecided (more examples)"


def test_collapsed_runs_are_counted():
    assert contrast(collapsed=1)["runs"] == "3 / 3, 1 collapsed"
    assert contrast(collapsed=1, runs_a=2, runs_used="without collapsed")["runs"] == "2 / 3, without collapsed"


@pytest.mark.parametrize(("scale", "expected"), [("nats", "+1.500 nats"), ("log-odds", "+1.50 log-odds")])
def test_other_scales_are_named(scale, expected):
    assert contrast(scale=scale)["difference"] == expected


def test_a_rounded_zero_has_no_sign():
    row = contrast(estimate=-0.04, low=-0.3, high=-0.01)
    assert (row["difference"], row["95 % interval"]) == ("+0.0", "-0.3 to +0.0")


def test_primary_comparisons_come_first_and_are_marked():
    frame = estimates({"target": "xnli"}, {"target": "", "targets": 2, "primary": True}, ANSWER)
    _, rows = verdict_tables.contrast_rows(frame)
    assert [(row[1], row[5]) for row in rows] == [("gain *: nine − none", "mean of 2"), ("gain: nine − none", "xnli")]


def test_answer():
    small = {**ANSWER, "primary": True, "target": "", "targets": 3, "chosen": "mnli 2, squad_v1 1"}
    frame = estimates({}, {**ANSWER, "size": ""}, small, {**small, "kind": "interaction", "size": "", "chosen": ""})
    header, rows = verdict_tables.answer_rows(frame)
    first, second, third = (dict(zip(header, row, strict=True)) for row in rows)
    assert first["multi − single"] == "nine − best single (mnli 2, squad_v1 1)"
    assert (first["family"], first["size"], first["equal"]) == ("f *", "small", "epochs")
    assert (first["outcome"], second["size"], third["outcome"]) == ("zero-shot, 3 targets", "large − small", "xnli")


def test_expectations_are_counted():
    rows = [("a", "xnli", "emerged"), ("b", "xnli", "undecided"), ("c", "", "the opposite"),
            ("d", "udpos", "equivalent"), ("e", "xnli", "")]  # fmt: skip
    frame = estimates(
        *({"name": name, "target": target, "emerged": emerged, "expected": "higher"} for name, target, emerged in rows),
        {"emerged": "emerged", "expected": "higher", "runs_used": "without collapsed"}, {},
    )  # fmt: skip
    assert verdict_tables.expectations(frame) == (
        "Expected differences: 5, of which 1 emerged, 1 went the other way, 1 too small to matter, 1 undecided,"
        " 1 without a verdict, because an arm has one run, all examples are one cluster, all runs of an arm"
        " collapsed, or nothing varies. Not as expected: c on the mean, d on udpos."
    )
    assert verdict_tables.expectations(estimates({})) == ""


@pytest.mark.parametrize("kind", ["md", "csv", "tex"])
def test_tables_are_written(tmp_path, kind):
    plan = study_plan(tables=("main", "by_language", "answer", "contrasts"))
    tables.write(tables.of_study(scores(), None, estimates({}, ANSWER), plan), plan.title, tmp_path)
    for name in ("answer", "contrasts"):
        text = (tmp_path / f"{name}.{kind}").read_text(encoding="utf-8")
        assert kind == "csv" or ("runs and examples" in text and "exploratory" in text)
    frame = pd.read_csv(tmp_path / "answer.csv")
    assert list(frame) == [column.name for column in COLUMNS] and frame["name"].tolist() == ["answer"]
