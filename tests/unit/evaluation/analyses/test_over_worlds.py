"""Analyses of a study in two worlds: differences over worlds, scores and costs of all of them."""

import json
from dataclasses import replace

import pytest
from xstilts.evaluation.analyses import cost, learning_curves, mixture_size, task_transfer, transfer_gap

from tests.builders import provenance
from tests.builders.compared import MIXTURES, XNLI, analysed, only, right
from tests.builders.predicted import Predicted

# in percent, by world and mixture
SCORES = {4: {"none": 50, "mnli": 60, "nine": 70}, 5: {"none": 50, "mnli": 64, "nine": 60}}


@pytest.fixture
def made(tmp_path):
    made = Predicted(tmp_path, {"xnli": XNLI}, MIXTURES)
    for world, scores in SCORES.items():
        for mixture, percent in scores.items():
            for seed in (1, 2):
                made.add((str(world), mixture), seed, "xnli", right(en=90, de=percent + seed))
    made.cells = [replace(cell, model="s", world=int(cell.model)) for cell in made.cells]
    return made


def test_differences_are_those_over_worlds(made):
    row = only(analysed(made, task_transfer)[0], mixture="mnli")
    # 10 and 14: t with one degree of freedom is 12.706
    assert (row["estimate"], row["interval"]) == (12, "worlds")
    assert row["high"] == pytest.approx(12 + 12.706 * 2, rel=1e-4)
    frame, estimates = analysed(made, transfer_gap)
    assert len(frame) == 5 and only(frame, kind="gap", mixture="nine")["estimate"] == pytest.approx(90 - 66.5)
    assert only(estimates[estimates["world"] == 5], name="transfer gap", a="nine", b="")["estimate"] == 28.5


def test_scores_and_costs_are_means_over_seeds_and_worlds(made):
    row = only(analysed(made, mixture_size)[0], mixture="mnli")
    assert (row["score"], row["runs"], row["whole"], row["estimate"]) == (63.5, 4, "nine", 12)
    for world in SCORES:
        for seed in (1, 2):
            folder = made.results / f"intermediate/{world}.r.nine.s{seed}"
            provenance.leave(folder, cpu_seconds=float(world), gpu=None, gpus=0)
    row = only(analysed(made, cost)[0], mixture="nine")
    assert (row["intermediate"], row["runs"], row["measured"], row["trainings"]) == (4.5, 4, 4, 8)


def test_a_training_is_of_one_world(made):
    folder = made.results / "intermediate/5.r.nine.s2"
    folder.mkdir(parents=True)
    (folder / "history.json").write_text(json.dumps({"evaluations": [], "losses": [{"step": 1, "mnli": 2.0}]}))
    row = only(analysed(made, learning_curves)[0])
    assert (row["worlds"], row["seeds"], row["mixtures"]) == ("5", "2", "nine")
