"""Transfer gaps by hand."""

import numpy as np
import pytest
from scipy import stats
from xstilts.evaluation.analyses import transfer_gap

from tests.builders.compared import PAWSX, TATOEBA, XNLI, analysed, answer, only, right, study
from tests.builders.predicted import Predicted

SCORES = {("s", "none"): [60, 62, 64], ("s", "mnli"): [66, 68, 70], ("l", "mnli"): [80, 82, 84]}


def test_gap_of_every_arm_and_its_change(tmp_path):
    targets = {"xnli": XNLI, "pawsx": PAWSX, "tatoeba": TATOEBA}
    frame, estimates = analysed(study(tmp_path, SCORES, targets), transfer_gap)
    # 90 in English; what is not trained has no gap
    gaps = frame[frame["kind"] == "gap"].set_index(["model", "mixture", "target"])["estimate"]
    assert gaps.to_dict() == {
        (model, mixture, target): 90 - seeds[1] for (model, mixture), seeds in SCORES.items()
        for target in ("", "xnli", "pawsx")
    }  # fmt: skip
    changes = frame[frame["kind"] == "change"]
    assert set(zip(changes["model"], changes["mixture"], strict=True)) == {("s", "mnli")}
    assert changes["estimate"].tolist() == [-6, -6, -6]
    row = only(frame, kind="gap", model="s", mixture="none", target="xnli")
    assert (row["runs_a"], row["runs_b"], row["n"]) == (3, 0, 200)
    of_table = only(estimates, row=row["row"])
    assert (of_table["name"], of_table["a"], of_table["b"], of_table["primary"]) == ("transfer gap", "none", "", False)


def test_its_interval_is_over_runs_and_examples(tmp_path):
    """Languages are drawn apart: of 100 examples 90 and 62 % right have these variances, of runs 4."""
    _, estimates = analysed(study(tmp_path, {("s", "none"): [60, 62, 64]}), transfer_gap)
    row = only(estimates, target="xnli")
    of_examples = (90 * 10 + 62 * 38) / 99
    assert row["run_sd"] == pytest.approx(2) and row["run_part"] == pytest.approx(2 / np.sqrt(3))
    # what a run does to single examples is in the variance between runs, and not in that of examples
    assert np.sqrt(0.7 * of_examples) < row["example_part"] < np.sqrt(1.1 * of_examples)
    half = stats.t.ppf(0.975, row["degrees"]) * row["standard_error"]
    assert (row["low"], row["high"]) == pytest.approx((28 - half, 28 + half)) and row["verdict"] == "higher"


def test_controls_are_in_no_gap(tmp_path):
    made = Predicted(tmp_path, {"xnli": XNLI}, {"none": (), "nine": ("mnli", "qqp"), "mnli": ("mnli",)})
    for mixture in made.mixtures:
        made.add(("s", mixture), 1, "xnli", right(en=90, de=60, fr=70, qao=10))
    frame, _ = analysed(made, transfer_gap, answer=answer(controls=("qao",)))
    assert only(frame, kind="gap", mixture="none")["estimate"] == pytest.approx(90 - 65)


def test_a_target_in_its_source_language_alone_has_none(tmp_path):
    made = Predicted(tmp_path, {"xnli": XNLI}, {"none": ()})
    made.add(("s", "none"), 1, "xnli", right(en=90))
    assert analysed(made, transfer_gap)[0].empty
