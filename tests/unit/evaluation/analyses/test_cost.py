"""Cost of arms by hand, from the provenance of their trainings."""

import json

import numpy as np
import pytest
from xstilts.evaluation.analyses import cost

from tests.builders import provenance
from tests.builders.compared import PAWSX, XNLI, analysed, only, study

CPU = {"processor": "a processor", "gpu": None, "gpus": 0}
GPU = {"processor": "a processor", "gpu": "a GPU", "gpus": 2}
TARGETS = {"xnli": XNLI, "pawsx": PAWSX}
SCORES = {("s", "none"): [60, 62], ("s", "mnli"): [66, 68]}


def measured(made, seconds, hardware=CPU, nodes=("intermediate", "targets")):
    """Write the provenance of trainings: ten seconds of the intermediate phase, and of targets those given."""
    for node in made.nodes:
        stage = node.partition("/")[0]
        if stage in nodes:
            spent = 10.0 if stage == "intermediate" else seconds
            provenance.leave(made.results / node, wall_seconds=spent, cpu_seconds=spent / 2, **hardware)
    return made


def test_seconds_a_run_by_phase(tmp_path):
    frame, _ = analysed(measured(study(tmp_path, SCORES, TARGETS), 4.0), cost)
    mnli, none = only(frame, mixture="mnli"), only(frame, mixture="none")
    # CPU-seconds: half of the wall time; two targets a run
    assert (mnli["intermediate"], mnli["target"], mnli["unit"]) == (5, 4, "CPU-seconds")
    assert (mnli["trainings"], mnli["measured"], mnli["runs"], mnli["hardware"]) == (6, 6, 2, "a processor")
    assert (none["intermediate"], none["target"], none["trainings"]) == (0, 4, 4)
    assert (mnli["outcome"], mnli["estimate"]) == ("zero-shot", 6) and np.isnan(none["estimate"])


def test_seconds_of_gpus_are_those_of_each(tmp_path):
    frame, _ = analysed(measured(study(tmp_path, SCORES, TARGETS), 4.0, GPU), cost)
    row = only(frame, mixture="mnli")
    assert (row["intermediate"], row["target"], row["unit"], row["hardware"]) == (20, 16, "GPU-seconds", "a GPU")


def test_what_is_not_known_is_missing(tmp_path):
    frame, _ = analysed(measured(study(tmp_path, SCORES, TARGETS), 4.0, nodes=["intermediate"]), cost)
    row = only(frame, mixture="mnli")
    assert row["intermediate"] == 5 and np.isnan(row["target"]) and (row["trainings"], row["measured"]) == (6, 2)
    assert only(frame, mixture="none")["unit"] == ""
    frame, _ = analysed(study(tmp_path / "2", SCORES), cost)
    assert frame["measured"].tolist() == [0, 0] and set(frame["unit"]) == {""}
    # nothing is trained before the targets, and that is known
    assert only(frame, mixture="none")["intermediate"] == 0


def test_times_of_two_kinds_are_not_added(tmp_path):
    made = measured(study(tmp_path, SCORES), 4.0, nodes=["intermediate"])
    frame, _ = analysed(measured(made, 4.0, GPU, nodes=["targets"]), cost)
    row = only(frame, mixture="mnli")
    assert (row["unit"], row["hardware"]) == ("mixed", "a GPU, a processor")
    assert np.isnan(row["intermediate"]) and np.isnan(row["target"])


def test_provenance_of_an_earlier_version_names_no_hardware(tmp_path):
    hardware = ("processor", "processors", "gpu", "gpus")
    stated = {name: value for name, value in provenance.PROVENANCE.items() if name not in hardware}
    (tmp_path / "provenance.json").write_text(json.dumps(stated | {"cpu_seconds": 2.0}))
    assert cost.cost_of(tmp_path) == cost.Cost(2.0, "CPU-seconds", "")
    assert cost.cost_of(tmp_path / "nowhere") is None


def test_a_merged_arm_costs_the_trainings_that_it_is_merged_from(tmp_path):
    """None of its own: what the merge itself took is in neither phase. A member's training counts in both arms."""
    mixtures = {"none": (), "mnli": ("mnli",), "squad_v1": ("squad_v1",), "both": ("mnli", "squad_v1")}
    arms = SCORES | {("s", "both"): [70, 72]}
    made = study(tmp_path, arms, TARGETS, mixtures, merged={"both": ["mnli", "squad_v1"]})
    frame, _ = analysed(measured(made, 4.0, nodes=["intermediate", "targets", "merged"]), cost)
    alone, merged = only(frame, mixture="mnli"), only(frame, mixture="both")
    assert (alone["intermediate"], merged["intermediate"], merged["target"]) == (5, 10, 4)
    # in each of two runs two intermediate trainings, and those of two targets
    assert (merged["trainings"], merged["measured"], merged["estimate"]) == (8, 8, 10)


def test_a_training_of_two_targets_counts_once(tmp_path):
    """Targets that train on the same rows have one training."""
    shared = {"xnli": XNLI, "pawsx": XNLI}
    frame, _ = analysed(measured(study(tmp_path, SCORES, shared), 4.0), cost)
    assert only(frame, mixture="mnli")["target"] == pytest.approx(2)
