"""Predictions that a training job makes ahead, and what happens where that fails or is interrupted."""

import os
import shutil
import signal

import pytest
from xstilts.commands import TEMPORARY_FAILURE, main
from xstilts.evaluation import nodes
from xstilts.store import node, study_plan
from xstilts.store.manifest import path_of
from xstilts.training import ahead

from tests.builders.plans import make, node_of, spec_text
from tests.builders.projects import STUDY, plan_of


@pytest.fixture(scope="module")
def ready(tmp_path_factory):
    """A plan, results in which the tokens of a target are made, and plan.json."""
    folder = tmp_path_factory.mktemp("ahead")
    plan = plan_of(STUDY)
    target = node_of(plan, "targets", "tiny.quick.none.s1.mnli")
    predictions = node_of(plan, "predictions", "tiny.quick.none.s1.xnli")
    for parent in (*target.parents, *predictions.parents):
        if parent != target.id:
            make(plan, parent, folder / "results")
    (folder / "plan.json").write_text(study_plan.text(plan.study_plan))
    return target, predictions, folder


@pytest.fixture
def train(ready, tmp_path):
    """Return a function that runs the training's job, and the folders of model and predictions."""
    target, predictions, made = ready
    shutil.copytree(made, tmp_path / "run")
    results = tmp_path / "run/results"
    command = ["train", "--spec", spec_text(target.spec), "--output", str(path_of(results, target.id))]
    command += ["--plan", str(tmp_path / "run/plan.json")]
    return lambda: main(command), results / target.id, results / predictions.id, predictions.spec


def test_they_stand_at_their_own_paths_without_a_manifest(train, monkeypatch):
    run, _, folder, spec = train
    placed, ready = [], nodes.for_inference
    monkeypatch.setattr(nodes, "for_inference", lambda *given: placed.append(given) or ready(*given))
    assert run() == 0
    assert len(placed) == 1
    assert node.is_whole(folder, spec) and not (folder / "manifest.json").exists()


@pytest.mark.parametrize("error", [RuntimeError("CUDA out of memory"), OSError("no space left on device")])
def test_where_they_fail_the_training_is_complete(train, monkeypatch, caplog, error):
    def fail(*_):
        raise error

    run, model, folder, _ = train
    monkeypatch.setattr(ahead.nodes, "make_predictions", fail)
    assert run() == 0
    assert (model / "manifest.json").exists() and not folder.exists()
    assert str(error) in caplog.text


def test_interrupted_they_are_left_to_their_jobs(train, monkeypatch):
    run, model, folder, _ = train
    before = ahead.node.is_whole

    def interrupt(*arguments):
        os.kill(os.getpid(), signal.SIGTERM)
        return before(*arguments)

    monkeypatch.setattr(ahead, "_make", lambda *_: interrupt(folder, None))
    monkeypatch.setattr(ahead, "_asked", lambda *_: [(folder / "manifest.json", train[3])] * 2)
    assert run() == TEMPORARY_FAILURE
    assert (model / "manifest.json").exists() and not folder.exists()
