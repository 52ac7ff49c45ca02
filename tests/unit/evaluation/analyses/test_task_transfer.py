"""The matrix of task transfer by hand."""

import numpy as np
import pytest
from xstilts.evaluation.analyses import task_transfer
from xstilts.store.answer import Contrast
from xstilts.store.study_plan import Benchmark, BenchmarkTask

from tests.builders.compared import TATOEBA, XNLI, analysed, only, study

SCORES = {("s", "none"): [60, 62], ("s", "mnli"): [63, 65], ("s", "squad_v1"): [58, 60], ("s", "nine"): [70, 72],
          ("l", "mnli"): [80, 80]}  # fmt: skip
TARGETS = {"xnli": XNLI, "tatoeba": TATOEBA}


def test_gains_of_single_tasks_on_the_mean_and_on_each_target(tmp_path):
    frame, estimates = analysed(study(tmp_path, SCORES, TARGETS), task_transfer)
    small = frame[frame["model"] == "s"]
    # a baseline of retrieval that is not trained is the first run's
    assert small.set_index(["mixture", "target"])["estimate"].to_dict() == {
        ("mnli", ""): 3.5, ("mnli", "xnli"): 3, ("mnli", "tatoeba"): 4,
        ("squad_v1", ""): -1.5, ("squad_v1", "xnli"): -2, ("squad_v1", "tatoeba"): -1,
    }  # fmt: skip
    assert set(frame["outcome"]) == {"zero-shot"} and set(small["task"]) == {"mnli", "squad_v1"}
    on_xnli = only(small, mixture="mnli", target="xnli")
    assert (on_xnli["runs_a"], on_xnli["runs_b"], on_xnli["n"]) == (2, 2, 100)
    of_table = only(estimates, row=on_xnli["row"])
    assert (of_table["a"], of_table["b"], of_table["target"]) == ("mnli", "none", "xnli")
    shared = ("estimate", "low", "high", "interval", "verdict")
    assert [on_xnli[name] for name in shared] == [of_table[name] for name in shared]
    # a model without the baseline has no gain
    large = frame[frame["model"] == "l"]
    assert len(large) == 3 and large["estimate"].isna().all() and set(large["verdict"]) == {""}


def test_same_data_is_said(tmp_path):
    frame, _ = analysed(study(tmp_path, SCORES, TARGETS), task_transfer)
    shares = frame[frame["model"] == "s"].set_index(["task", "target"])["same_data"].to_dict()
    assert {key for key, share in shares.items() if share} == {("mnli", "xnli"), ("mnli", "")}


def test_a_primary_contrast_keeps_its_corrected_verdict(tmp_path):
    asked = {
        "mine": Contrast("mixture", ("mnli", "none"), ("xnli",), primary=True),
        "back": Contrast("mixture", ("none", "squad_v1"), ("xnli",), primary=True),
    }
    frame, estimates = analysed(study(tmp_path, SCORES, TARGETS), task_transfer, contrasts=asked)
    found = only(frame, model="s", mixture="mnli", target="xnli")
    assert only(estimates, row=found["row"])["name"] == "mine"
    # the other way round it is another row
    assert only(frame, model="s", mixture="squad_v1", target="xnli")["estimate"] == pytest.approx(-2)


def test_a_benchmark_has_its_own_mean(tmp_path):
    tasks = {
        name: BenchmarkTask(languages=("en", "de"), metrics=("accuracy",), group="x", layout=name) for name in TARGETS
    }
    benchmark = Benchmark("b", "B", "", tasks)
    frame, _ = analysed(study(tmp_path, SCORES, TARGETS), task_transfer, benchmark=benchmark)
    means = frame[(frame["target"] == "") & (frame["mixture"] == "mnli") & (frame["model"] == "s")]
    # English does not change, so half the gain is left
    assert means.set_index("outcome")["estimate"].to_dict() == {"benchmark": 1.75, "zero-shot": 3.5}


def test_no_single_task_no_rows(tmp_path):
    frame, _ = analysed(study(tmp_path, {("s", "none"): [60], ("s", "nine"): [70]}), task_transfer)
    assert frame.empty
    task_transfer.TABLE.write(frame, tmp_path / "x.parquet")
    assert task_transfer.TABLE.read(tmp_path / "x.parquet").empty


def test_one_run_has_a_range_and_no_verdict(tmp_path):
    frame, _ = analysed(study(tmp_path, {("s", "none"): [60], ("s", "mnli"): [70]}), task_transfer)
    found = only(frame, target="xnli")
    assert (found["interval"], found["verdict"]) == ("examples only", "") and found["low"] < 10 < found["high"]
    assert np.isfinite(found["row"])
