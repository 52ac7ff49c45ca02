"""The table of estimates on studies whose predictions are made by hand."""

import numpy as np
import pytest
from xstilts.evaluation import estimates, power
from xstilts.evaluation.intervals import Components
from xstilts.store.answer import Contrast

from tests.builders.compared import MIXTURES, PAWSX, ROWS, TATOEBA, XNLI, answer, collect, contrast, only, right, study
from tests.builders.predicted import Predicted


def test_study_that_compares_nothing_has_no_rows(tmp_path):
    frame = collect(study(tmp_path, {("s", "none"): [60]}))
    assert frame.empty
    estimates.write(frame, tmp_path / estimates.FILE)
    assert list(estimates.read(tmp_path / estimates.FILE)) == [column.name for column in estimates.COLUMNS]


def test_runs_are_random_and_the_arms_of_a_model_say_how_much(tmp_path):
    """Pooled over all arms with one intermediate task, compared or not; those with several, or none, stand apart."""
    scores = {("s", "nine"): [70, 72, 74], ("s", "mnli"): [60, 60, 60], ("s", "squad_v1"): [50, 56, 62],
              ("s", "none"): [60, 61, 62], ("l", "nine"): [10, 50, 90]}  # fmt: skip
    row = only(contrast(study(tmp_path, scores), "nine", "mnli"), model="s")
    assert row["estimate"] == pytest.approx(12) and (row["runs_a"], row["runs_b"]) == (3, 3)
    # squared deviations 8 over two degrees of freedom, and 0 and 72 over four
    assert row["run_sd"] == pytest.approx(np.sqrt((4 + 18) / 2))
    assert row["run_part"] == pytest.approx(np.sqrt((4 + 18) / 3))
    assert row["interval"] == "runs and examples" and row["low"] < 12 < row["high"]
    row = only(contrast(study(tmp_path / "2", scores), "nine", "none"), model="s")
    # 2 over the two degrees of freedom of `none`
    assert row["run_sd"] == pytest.approx(np.sqrt((4 + 1) / 2))
    assert row["run_part"] == pytest.approx(np.sqrt((4 + 1) / 3))
    row = only(contrast(study(tmp_path / "3", scores), "mnli", "squad_v1"), model="s")
    assert row["run_part"] == pytest.approx(np.sqrt(18 * 2 / 3))


def test_differences_of_the_same_examples_are_paired(tmp_path):
    """Arms that differ on one example of a hundred vary by it alone, however the others are."""
    scores = {("s", "nine"): [61, 61, 61], ("s", "mnli"): [60, 60, 60]}
    row = only(contrast(study(tmp_path, scores), "nine", "mnli"))
    # a share of 1 % of differences: its variance over 100 rows, n - 1 below
    assert row["standard_error"] == pytest.approx(100 * np.sqrt(0.01 * 0.99 / 99), rel=0.1)
    assert (row["n"], row["clusters"], row["languages"], row["targets"]) == (100, 100, 1, 1)


def test_one_run_an_arm_has_a_range_over_examples_and_no_verdict(tmp_path):
    scores = {("s", "nine"): [95], ("s", "mnli"): [10]}
    row = only(contrast(study(tmp_path, scores), "nine", "mnli", expected="higher", primary=True))
    assert row["interval"] == "examples only" and row["low"] > 50
    assert (row["verdict"], row["emerged"]) == ("", "") and np.isnan(row["p"]) and np.isnan(row["p_holm"])
    assert np.isnan(row["runs_needed"]) and np.isnan(row["detectable"])


def test_one_cluster_of_examples_carries_no_verdict(tmp_path):
    scores = {("s", "nine"): [80, 81, 82], ("s", "none"): [60, 60, 60]}
    for target in (XNLI, TATOEBA):
        made = study(tmp_path / target.task, scores, {target.task: target}, clusters=ROWS)
        row = only(contrast(made, "nine", "none"))
        assert (row["clusters"], row["verdict"], row["interval"]) == (1, "", "examples only")


def test_baseline_without_training_does_not_vary(tmp_path):
    """All its runs are one node, of which the runs of the other side are no second measurement."""
    scores = {("s", "nine"): [80, 82, 84], ("s", "none"): [60, 60, 60]}
    row = only(contrast(study(tmp_path, scores, {"tatoeba": TATOEBA}), "nine", "none", expected="higher"))
    assert (row["runs_a"], row["runs_b"]) == (3, 1)
    assert row["run_part"] == pytest.approx(np.sqrt(4 / 3)) and row["run_sd"] == pytest.approx(2)
    assert (row["verdict"], row["emerged"]) == ("higher", "emerged")
    # two models that are not trained at all differ by examples alone, and that is no matter of runs
    row = only(contrast(study(tmp_path / "2", {("s", "none"): [60], ("l", "none"): [90]}, {"tatoeba": TATOEBA}),
                        "l", "s", axis="model"))  # fmt: skip
    assert (row["verdict"], row["run_part"], row["interval"]) == ("higher", 0, "runs and examples")
    # a mean of it and of a target that is trained varies with that one
    targets = {"tatoeba": TATOEBA, "xnli": XNLI}
    made = study(tmp_path / "3", {("s", "nine"): [80, 82, 84], ("s", "none"): [60, 62, 64]}, targets)
    row = only(contrast(made, "nine", "none"), target="")
    assert (row["runs_b"], row["run_sd"]) == (3, pytest.approx(np.sqrt((4 + 1) / 2)))


GAIN = "gain over none"


def test_every_mixture_has_its_gain_on_every_target_and_their_mean(tmp_path):
    scores = {("s", "none"): [60, 62], ("s", "mnli"): [63, 65], ("s", "nine"): [70, 72], ("l", "none"): [60],
              ("x", "nine"): [60]}  # fmt: skip
    made = study(tmp_path, scores, {"xnli": XNLI, "tatoeba": TATOEBA})
    frame = collect(made, unasked_names=[GAIN])
    assert set(frame["name"]) == {GAIN} and not frame["primary"].any()
    # a baseline of retrieval that is not trained is the first run's
    found = frame.set_index(["model", "a", "target"])["estimate"]
    assert found.to_dict() == {
        ("s", "mnli", "xnli"): 3, ("s", "mnli", "tatoeba"): 4, ("s", "mnli", ""): 3.5,
        ("s", "nine", "xnli"): 10, ("s", "nine", "tatoeba"): 11, ("s", "nine", ""): 10.5,
    }  # fmt: skip
    assert set(frame["b"]) == {"none"} and set(frame["outcome"]) == {"zero-shot"}
    assert frame.loc[frame["target"] == "", "targets"].tolist() == [2, 2]


def test_gains_that_a_study_asks_for_are_there_once(tmp_path):
    scores = {("s", mixture): [60, 62] for mixture in ("none", "mnli", "nine")}
    made = study(tmp_path, scores, {"xnli": XNLI, "pawsx": PAWSX, "tatoeba": TATOEBA})
    asked = {
        "all": Contrast("mixture", ("nine", "none")),
        # the mean of two of three targets is another difference
        "two": Contrast("mixture", ("mnli", "none"), ("xnli", "pawsx")),
        "back": Contrast("mixture", ("none", "mnli"), ("tatoeba",)),
    }
    frame = collect(made, unasked_names=[GAIN], contrasts=asked)
    found = {name: set(zip(rows["a"], rows["target"], strict=True)) for name, rows in frame.groupby("name")}
    assert found == {
        "all": {("nine", target) for target in ("", "xnli", "pawsx", "tatoeba")},
        "two": {("mnli", target) for target in ("", "xnli", "pawsx")},
        "back": {("none", "tatoeba")},
        GAIN: {("mnli", ""), ("mnli", "tatoeba")},
    }
    assert frame[frame["a"] == "mnli"].query("target == ''")["targets"].tolist() == [2, 3]


def test_gains_leave_controls_out(tmp_path):
    made = Predicted(tmp_path, {"xnli": XNLI}, MIXTURES)
    for mixture, percents in {"none": (60, 50), "nine": (66, 10)}.items():
        for seed in (1, 2):
            made.add(("s", mixture), seed, "xnli", right(en=90, de=percents[0], qao=percents[1]))
    assert only(collect(made, unasked_names=[GAIN]))["estimate"] == pytest.approx(-17)
    # its own comparison of the same two mixtures is equal to the gain, but for control languages
    controls = answer("none", ("none",), controls=("qao",))
    frame = collect(made, unasked_names=[GAIN], answer=controls)
    assert only(frame, outcome="zero-shot")["estimate"] == pytest.approx(6)
    assert GAIN not in set(frame["name"])


def test_verdicts_and_what_was_expected(tmp_path):
    scores = {("s", "nine"): [80, 81, 82], ("s", "mnli"): [60, 61, 62]}
    for expected, emerged in (("higher", "emerged"), ("lower", "the opposite"), (None, "")):
        row = only(contrast(study(tmp_path / emerged, scores), "nine", "mnli", expected=expected))
        assert (row["verdict"], row["emerged"], row["expected"]) == ("higher", emerged, expected or "")
        assert np.isnan(row["runs_needed"]) and 0 < row["detectable"] < 20
    noisy = {("s", "nine"): [50, 70, 60], ("s", "mnli"): [40, 70, 61]}
    row = only(contrast(study(tmp_path / "u", noisy), "nine", "mnli", expected="higher"))
    assert row["verdict"] == row["emerged"] == "undecided" and row["runs_needed"] > 3
    same = {("s", "nine"): [60] * 9 + [61], ("s", "mnli"): [60] * 10}
    made = study(tmp_path / "e", same)
    row = only(contrast(made, "nine", "mnli", expected="higher"))
    assert row["verdict"] == row["emerged"] == "equivalent"
    # a claim that it is not higher has come true then
    assert only(contrast(made, "nine", "mnli", expected="not higher"))["emerged"] == "emerged"


def test_primary_comparisons_are_corrected_for_each_other(tmp_path):
    """A contrast on several targets is judged by their mean, in every model."""
    scores = {("s", "nine"): [62, 66, 64], ("s", "mnli"): [58, 62, 60], ("l", "nine"): [70, 71, 72],
              ("l", "mnli"): [60, 61, 62]}  # fmt: skip
    made = study(tmp_path, scores, {"xnli": XNLI, "pawsx": PAWSX})
    gain = Contrast("mixture", ("nine", "mnli"), primary=True)
    frame = collect(made, contrasts={"gain": gain, "back": Contrast("mixture", ("mnli", "nine"), ("xnli",))})
    primary = frame[frame["primary"]]
    assert primary[["name", "model", "target"]].values.tolist() == [["gain", "s", ""], ["gain", "l", ""]]
    high, low = primary["p"]
    assert primary["p_holm"].tolist() == pytest.approx([max(high, 2 * low), 2 * low])
    assert frame.loc[~frame["primary"], "p_holm"].isna().all()
    (one,) = frame[(frame["name"] == "back") & (frame["model"] == "s")].to_dict("records")
    assert (one["target"], one["targets"]) == ("xnli", 1)
    alone = collect(made, contrasts={"gain": Contrast("mixture", ("nine", "mnli"), ("xnli",), primary=True)})
    assert alone["primary"].all() and set(alone["target"]) == {"xnli"}


def test_what_runs_could_find_is_at_the_level_of_the_verdict(tmp_path):
    """Two primary comparisons each at 2.5 %, and others at 5 %; one without a second run is not tested."""
    scores = {("s", "nine"): [62, 69, 64], ("s", "mnli"): [58, 65, 60], ("l", "nine"): [61, 67, 62],
              ("l", "mnli"): [60, 65, 62], ("m", "nine"): [60], ("m", "mnli"): [50]}  # fmt: skip
    made = study(tmp_path, scores, {"xnli": XNLI, "pawsx": PAWSX})
    frame = collect(made, contrasts={"gain": Contrast("mixture", ("nine", "mnli"), primary=True)})
    found = frame[frame["model"] != "m"].to_dict("records")
    assert [row["primary"] for row in found].count(True) == 2 and "undecided" in frame.loc[
        frame["primary"], "verdict"
    ].values
    for row in found:
        level = 0.05 / 2 if row["primary"] else 0.05
        of_row = Components(row["run_variance"], row["run_degrees"], row["example_part"] ** 2, row["clusters"])
        assert power.with_runs(of_row, 3) == pytest.approx((row["standard_error"], row["degrees"]))
        expected = power.detectable(row["standard_error"], row["degrees"], level=level)
        assert row["detectable"] == pytest.approx(expected)
        if row["verdict"] == "undecided":
            assert row["runs_needed"] == power.runs_needed(of_row, max(abs(row["estimate"]), 1), level=level)


def test_collapse_of_an_arm_that_is_not_compared_widens_no_interval(tmp_path):
    scores = {("s", "nine"): [66, 67, 68], ("s", "mnli"): [60, 61, 62], ("s", "squad_v1"): [60, 61]}
    made = study(tmp_path, scores)
    made.add(("s", "squad_v1"), 3, "xnli", right(en=90, de=20), collapsed=True)
    row = only(contrast(made, "nine", "mnli"))
    assert (row["estimate"], row["collapsed"], row["runs_used"]) == (pytest.approx(6), 0, "all")
    # squared deviations 2 of mnli and 0.5 of the other, over three degrees of freedom; and 1
    assert row["run_sd"] == pytest.approx(np.sqrt((1 + 2.5 / 3) / 2)) and row["verdict"] == "higher"
    # where it is compared, the pool has it
    all_runs, without = contrast(made, "squad_v1", "mnli").to_dict("records")
    assert all_runs["run_sd"] == pytest.approx(np.sqrt((2 + 2 * 547) / 4), rel=0.01)
    assert without["run_sd"] == pytest.approx(np.sqrt(2.5 / 3))
    assert all_runs["collapsed"] == without["collapsed"] == 1


def test_arm_of_which_all_runs_collapsed_has_no_verdict(tmp_path):
    """A collapse behind the target's own training is none of the target."""
    made = study(tmp_path, {("s", "squad_v1"): [40, 50, 60], ("s", "none"): [60, 61, 62]})
    for seed in (1, 2, 3):
        for mixture in ("nine", "mnli"):
            made.add(("s", mixture), seed, "xnli", right(en=20, de=20), collapsed=True)
    for pair in (("nine", "mnli"), ("mnli", "none")):
        row = only(contrast(made, *pair, expected="higher"))
        assert (row["interval"], row["verdict"], row["emerged"]) == ("examples only", "", "")
        assert row["collapsed"] in (3, 6) and row["run_sd"] >= 0 and np.isnan(row["p"])
    # of the arms in its pool it says no more
    assert only(contrast(made, "squad_v1", "none"))["run_sd"] == pytest.approx(np.sqrt((100 + 1) / 2))


def test_collapsed_runs_are_in_and_then_left_out(tmp_path):
    made = study(tmp_path, {("s", "nine"): [70, 72], ("s", "mnli"): [60, 62]})
    made.add(("s", "nine"), 3, "xnli", right(en=30, de=20), collapsed=True)
    made.add(("s", "mnli"), 3, "xnli", right(en=90, de=64))
    frame = contrast(made, "nine", "mnli", primary=True)
    all_runs, without = frame.to_dict("records")
    assert (all_runs["runs_used"], all_runs["runs_a"], all_runs["primary"]) == ("all", 3, True)
    assert all_runs["estimate"] == pytest.approx((70 + 72 + 20) / 3 - 62)
    assert (without["runs_used"], without["runs_a"], without["primary"]) == ("without collapsed", 2, False)
    assert without["estimate"] == pytest.approx(71 - 62)
    # the pool is without it too: squared deviations 2 over one degree of freedom, and 8 over two
    assert without["run_sd"] == pytest.approx(np.sqrt((2 + 4) / 2))
    assert all_runs["collapsed"] == without["collapsed"] == 1
    # an arm of which no run is left has no second row; nor has a comparison of other arms
    only_run = study(tmp_path / "2", {("s", "mnli"): [60, 62]})
    for seed in (1, 2):
        only_run.add(("s", "nine"), seed, "xnli", right(en=30, de=20), collapsed=True)
    assert contrast(only_run, "nine", "mnli")["runs_used"].tolist() == ["all"]


def test_an_arm_is_compared_on_the_targets_that_it_has(tmp_path):
    """The mean over targets is none of an arm that lacks one."""
    made = Predicted(tmp_path, {"xnli": XNLI, "pawsx": PAWSX}, MIXTURES)
    for arm in (("s", "mnli"), ("s", "nine"), ("s", "none")):
        for seed in (1, 2):
            made.add(arm, seed, "xnli", right(en=90, de=60 + seed), 50.0)
            if arm[1] != "nine":
                made.add(arm, seed, "pawsx", right(en=90, de=70 + seed), 50.0)
    rows = collect(made, ["gain over none"])
    assert {(row["a"], row["target"]) for row in rows.to_dict("records")} == {
        ("mnli", ""), ("mnli", "xnli"), ("mnli", "pawsx"), ("nine", "xnli"),
    }  # fmt: skip
