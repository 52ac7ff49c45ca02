"""The main table on scores and estimates made by hand, and its gains against those of the estimates."""

import math

import pandas as pd
import pytest
from xstilts.evaluation import estimates, scores
from xstilts.reporting import main_table
from xstilts.store.answer import Answer, Contrast
from xstilts.store.study_plan import PlannedTarget

from tests.builders.estimates import CONTRAST, ONE_RUN
from tests.builders.estimates import estimates as made_estimates
from tests.builders.predicted import Predicted, correct
from tests.builders.study_plans import study_plan
from tests.unit.reporting import test_tables

GAIN = {**CONTRAST, "name": "gain over none", "model": "m", "a": "mnli", "b": "none", "primary": False}
XNLI = {**GAIN, "target": "xnli", "targets": 1, "low": 1.1, "high": 6.9}
TATOEBA = {**XNLI, "target": "tatoeba"}
MEAN = {**GAIN, "target": "", "targets": 2, "low": 2.0, "high": 6.0}


def shown(frame, *rows, **changes):
    return main_table.of_study(frame, made_estimates(*rows), study_plan(**changes))


def second(*rows, frame=None):
    """Return the cells of the second mixture, whose gain is 4 everywhere."""
    _, cells = shown(test_tables.scores() if frame is None else frame, *rows).cells
    return cells[1][3:]


def test_gains_carry_half_their_interval():
    table = shown(test_tables.scores(), XNLI, MEAN, {**MEAN, "targets": 3, "low": -9.0})
    header, rows = table.cells
    assert header == ["model", "recipe", "mixture", "xnli", "tatoeba", "mean"]
    assert rows == [
        ["m", "r", "none", "61.0", "31.0", "46.0"],
        ["m", "r", "mnli", "65.0 (+4.0 ± 2.9)", "35.0 (+4.0)", "50.0 (+4.0 ± 2.0)"],
    ]
    assert table.caption == (
        "zero-shot means over languages other than the source language (itself where there is no other), in percent; in"
        " brackets the gain over no intermediate training ± half its 95 % interval over runs and examples, not"
        " corrected for their number. 2 runs an arm; 10 test examples a target."
    )
    assert table.legend == ""


def test_an_arm_without_a_target_has_no_mean_beside_those_of_others():
    """A mean over other targets is no higher and no lower."""
    frame = test_tables.scores()
    lacking = frame[(frame["mixture"] == "mnli") | (frame["target"] == "xnli")]
    table = shown(lacking)
    assert [row[3:] for row in table.cells[1]] == [["61.0", "–", "–"], ["65.0 (+4.0)", "35.0", "50.0 (+4.0)"]]
    said = "; no mean over targets where one is lacking. "
    assert said in table.caption and said not in shown(frame).caption
    assert shown(lacking[lacking["target"] == "xnli"]).cells[0][-1] == "mean"


def test_one_run_an_arm_has_no_interval():
    table = shown(test_tables.scores(), {**XNLI, **ONE_RUN}, {**TATOEBA, **ONE_RUN}, {**MEAN, **ONE_RUN})
    assert table.cells[1][1][3:] == ["65.0 (+4.0)", "35.0 (+4.0)", "50.0 (+4.0)"]
    assert (
        "intermediate training (without an interval where an arm has one run or only collapsed ones). 2 runs"
        in table.caption
    )
    # the file has the range over examples
    assert table.frame.query("target == 'xnli'")[["low", "high", "interval"]].values.tolist() == [
        [pytest.approx(math.nan, nan_ok=True)] * 2 + [""], [1.1, 6.9, "examples only"],
    ]  # fmt: skip


@pytest.mark.parametrize(
    "other",
    [
        {"a": "nine"}, {"b": "mnli"}, {"model": "l"}, {"recipe": "s"}, {"world": 3.0}, {"outcome": "benchmark"},
        {"runs_used": "without collapsed"}, {"target": "tatoeba minus xnli", "targets": 2},
        {"model": "", "mixture": "none", "a": "m", "b": "l"},
    ],
)  # fmt: skip
def test_intervals_of_other_differences_are_not_those_of_the_gain(other):
    assert second(XNLI | other) == ["65.0 (+4.0)", "35.0 (+4.0)", "50.0 (+4.0)"]


def test_contrasts_have_the_intervals_of_gains_too():
    assert second({**XNLI, "name": "help", "primary": True})[0] == "65.0 (+4.0 ± 2.9)"


def test_mean_over_one_target_is_that_target():
    frame = test_tables.scores()
    assert second(XNLI, frame=frame[frame["target"] == "xnli"]) == ["65.0 (+4.0 ± 2.9)"] * 2


def test_gains_over_worlds():
    table = shown(test_tables.scores(), {**XNLI, "interval": "worlds"})
    assert "± half its 95 % interval over worlds, not" in table.caption


def test_a_mean_has_the_marks_of_its_cells_and_no_losses():
    frame = test_tables.scores(sample=("target == 'tatoeba'", True))
    loss = frame[frame["target"] == "tatoeba"].assign(target="lm_loss", metric="loss", score=2.5, official=False)
    table = shown(pd.concat([frame, loss]), {**XNLI, "target": "lm_loss", "low": -0.012, "high": 0.012})
    _, rows = table.cells
    assert rows[0][3:] == ["61.0", "31.0‡", "2.500†‡", "46.0‡"]
    assert rows[1][3:] == ["65.0 (+4.0)", "35.0 (+4.0)‡", "2.500 (+0.000 ± 0.012)†‡", "50.0 (+4.0)‡"]
    assert table.legend == "† not on the official split; ‡ a sample of the rows."


def test_controls_are_left_out_and_named():
    asked = Answer(budgets={}, families={}, recipes=(), controls=("de",))
    frame = pd.concat(
        [test_tables.scores(), test_tables.scores(language=("language == 'de'", "fr"), score=("n > 0", 11.0))]
    )
    frame = frame.drop_duplicates([*scores.AXES, "language"])
    table = shown(frame, answer=asked)
    assert table.cells[1][0][3:] == ["11.0", "11.0", "11.0"]
    assert "without the control languages de, in percent" in table.caption
    assert "10 test examples a target." in table.caption


def test_file_has_runs_examples_and_the_mean():
    frame = shown(test_tables.scores(n=("target == 'tatoeba'", 30)), MEAN).frame
    assert frame["target"].tolist() == ["xnli", "tatoeba", "mean"] * 2
    assert frame["runs"].tolist() == [2] * 6 and frame["n"].tolist() == [10, 30, 40] * 2
    last = frame.iloc[-1]
    assert (last["zero_shot"], last["gain"], last["low"], last["high"]) == (50, 4, 2, 6)
    assert last["interval"] == "runs and examples" and pd.isna(last["languages"])


TARGETS = {
    "xnli": PlannedTarget("xnli", "classification", "accuracy", "en", "tiny", ("xnli",)),
    "pawsx": PlannedTarget("pawsx", "classification", "accuracy", "en", "tiny", ("pawsx",)),
    "tatoeba": PlannedTarget("tatoeba", "bitext", "accuracy", "en", "tiny"),
}


@pytest.mark.parametrize("controls", [(), ("qao",)])
def test_gains_are_those_of_the_estimates(tmp_path, controls):
    """Of every cell and of the mean; whether the difference is asked for by a contrast or not."""
    made = Predicted(tmp_path, TARGETS, {"none": (), "mnli": ("mnli",), "nine": ("mnli", "qqp")})
    for number, mixture in enumerate(made.mixtures):
        for seed in (1, 2, 3):
            for place, target in enumerate(TARGETS):
                right = 40 + 7 * number * (place + 1) + (seed * (number + 2)) % 5
                languages = {"en": 90, "de": right, "qab": right - 9, "qao": 30 - 3 * number}
                answers = {language: correct(100, percent) for language, percent in languages.items()}
                made.add(("m", mixture), seed, target, answers, None if target == "tatoeba" else 50.0)
    plan = made.plan(
        answer=Answer(budgets={}, families={}, recipes=("r",), controls=controls),
        contrasts={"nine": Contrast("mixture", ("nine", "none"), ("xnli", "pawsx"))},
    )
    found = estimates.collect(plan, tmp_path)
    table = main_table.of_study(scores.collect(plan, tmp_path), found, plan)
    every = table.frame[table.frame["mixture"] != "none"]
    assert len(every) == 8 and every["interval"].eq("runs and examples").all()
    assert (every["gain"] - (every["low"] + every["high"]) / 2).abs().max() < 1e-9
    assert all(" ± " in cell for row in table.cells[1] if row[2] != "none" for cell in row[3:])
