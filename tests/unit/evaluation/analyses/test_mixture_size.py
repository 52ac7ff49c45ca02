"""Outcomes by number of tasks, and leave-one-out, by hand."""

import pytest
from xstilts.evaluation.analyses import mixture_size

from tests.builders.compared import TATOEBA, XNLI, analysed, only, study

MIXTURES = {
    "none": (), "mnli": ("mnli",), "squad_v1": ("squad_v1",), "two": ("mnli", "squad_v1"),
    "three": ("mnli", "squad_v1", "qqp"), "german": ("mnli@de",),
}  # fmt: skip
SCORES = {("s", "none"): [50, 52], ("s", "mnli"): [60, 62], ("s", "squad_v1"): [40, 42], ("s", "two"): [64, 66],
          ("s", "three"): [70, 74], ("s", "german"): [55, 57], ("l", "two"): [80, 82],
          ("l", "mnli"): [70, 72]}  # fmt: skip


def test_sizes_of_the_largest_mixture(tmp_path):
    frame, estimates = analysed(study(tmp_path, SCORES, mixtures=MIXTURES), mixture_size)
    sizes = frame[(frame["kind"] == "size") & (frame["model"] == "s")]
    columns = ["mixture", "tasks", "score", "runs", "estimate"]
    found = sizes.set_index("mixture")[columns[1:]].fillna(-99).T.to_dict("list")
    # a baseline has no gain; a task in another language is no part
    assert found == {
        "none": [0, 51, 2, -99], "mnli": [1, 61, 2, 10], "squad_v1": [1, 41, 2, -10], "two": [2, 65, 2, 14],
        "three": [3, 72, 2, 21],
    }  # fmt: skip
    assert set(sizes["whole"]) == {"three"} and set(sizes["left_out"]) == {""} and set(sizes["target"]) == {"xnli"}
    of_table = only(estimates, row=only(sizes, mixture="two")["row"])
    assert (of_table["a"], of_table["b"]) == ("two", "none")
    # the large model was not trained on the largest mixture
    assert set(frame.loc[frame["kind"] == "size", "model"]) == {"s"}


def test_what_a_mixture_loses_with_a_task(tmp_path):
    frame, estimates = analysed(study(tmp_path, SCORES, mixtures=MIXTURES), mixture_size)
    lost = frame[frame["kind"] == "leave one out"]
    found = lost.set_index(["model", "whole", "left_out", "mixture"])["estimate"].to_dict()
    assert found == {
        ("s", "two", "squad_v1", "mnli"): 4, ("s", "two", "mnli", "squad_v1"): 24, ("s", "three", "qqp", "two"): 7,
        ("l", "two", "squad_v1", "mnli"): 10,
    }  # fmt: skip
    row = only(lost, whole="three")
    assert (row["tasks"], row["score"], row["n"]) == (2, 65, 100)
    of_table = only(estimates, row=row["row"])
    assert (of_table["name"], of_table["a"], of_table["b"]) == ("leave one out", "three", "two")
    assert not of_table["primary"]


def test_scores_are_means_over_targets_and_runs(tmp_path):
    scores = {arm: values for arm, values in SCORES.items() if arm[0] == "s"}
    targets = {"xnli": XNLI, "tatoeba": TATOEBA}
    frame, _ = analysed(study(tmp_path, scores, targets, MIXTURES), mixture_size)
    sizes = frame[(frame["kind"] == "size") & (frame["mixture"] == "none")].set_index("target")["score"]
    # a baseline of retrieval that is not trained is the first run's
    assert sizes.to_dict() == pytest.approx({"": 50.5, "xnli": 51, "tatoeba": 50})


def test_mixtures_that_do_not_nest_have_no_rows(tmp_path):
    scores = {("s", mixture): [50, 52] for mixture in ("none", "mnli", "german")}
    assert analysed(study(tmp_path, scores, mixtures=MIXTURES), mixture_size)[0].empty
