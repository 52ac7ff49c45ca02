"""The table of worlds, and what the other tables of estimates show of a study of several worlds."""

import math

import pandas as pd
from xstilts.reporting import verdict_tables
from xstilts.store.study_plan import Cell

from tests.builders.study_plans import study_plan

AGREEMENT = {
    "name": "gain", "primary": False, "kind": "difference", "scale": "points", "budget": "", "family": "", "size": "",
    "model": "m", "recipe": "r", "mixture": "", "a": "mnli", "b": "none", "outcome": "zero-shot", "target": "",
    "targets": 2, "worlds": 3.0, "estimate": 1.25, "low": -0.5, "high": 3.0, "interval": "worlds", "world_sd": 0.7,
    "verdict": "undecided", "higher": 1, "lower": 1, "equivalent": 0, "undecided": 1, "no verdict": 0, "pairs": 3,
    "alike": 0, "opposite": 1,
}  # fmt: skip
ANSWER = {
    "name": "answer", "primary": True, "kind": "interaction", "scale": "log-odds", "family": "mini", "model": "",
    "budget": "equal epochs", "target": "xnli", "no verdict": 1,
}  # fmt: skip


def test_cells():
    header, (only,) = verdict_tables.world_rows(pd.DataFrame([AGREEMENT]))
    assert dict(zip(header, only, strict=True)) == {
        "comparison": "gain: mnli − none", "in": "m, r", "on": "zero-shot, 2 targets", "mean": "+1.2",
        "95 % interval": "-0.5 to +3.0", "verdict": "undecided", "sd": "0.7", "worlds": "3", "higher": "1",
        "lower": "1", "equivalent": "0", "undecided": "1", "pairs": "3", "alike": "0", "opposite": "1",
    }  # fmt: skip


def test_pairs_of_all_comparisons_are_added_up():
    frame = pd.DataFrame([AGREEMENT, AGREEMENT | {"alike": 3, "opposite": 0}])
    said = "Of 6 pairs, all comparisons together, 3 are alike (undecided beside undecided, too) and 1 opposite."
    assert verdict_tables.agreement(frame) == said


def test_primary_comparisons_come_first_and_worlds_without_verdict_have_a_column():
    header, (first, second) = verdict_tables.world_rows(pd.DataFrame([AGREEMENT, AGREEMENT | ANSWER]))
    assert first[:4] == ["answer *: mnli − none", "mini, large − small, r, equal epochs", "xnli", "+1.25 log-odds"]
    assert [row[header.index("no verdict")] for row in (first, second)] == ["1", "0"]


ROW = AGREEMENT | {
    "row": 1,
    "expected": "", "emerged": "", "chosen": "", "runs_a": 3, "runs_b": 3, "n": 90, "collapsed": 0, "runs_used": "all",
    "runs_needed": 12.0,
}  # fmt: skip


def test_other_tables_have_the_rows_over_worlds():
    frame = pd.DataFrame([ROW | {"world": math.nan}, ROW | {"world": 4, "interval": "runs and examples"}])
    header, (only,) = verdict_tables.contrast_rows(frame)
    assert only[header.index("verdict")] == "undecided (12 worlds)"
    of_answer = frame.assign(family="mini", name="answer")
    assert len(verdict_tables.answer_rows(of_answer)[1]) == 1
    header, (only,) = verdict_tables.contrast_rows(frame[1:].assign(world=math.nan))
    assert only[header.index("verdict")] == "undecided (12 runs)"


def test_tables_say_what_their_intervals_are_over():
    cells = tuple(Cell("m", "r", "full", "none", 1, "xnli", "predictions/x", world) for world in (1, 2))
    assert "over runs and examples" in verdict_tables.intervals(study_plan())
    assert "over worlds" in verdict_tables.intervals(study_plan(cells=cells))
