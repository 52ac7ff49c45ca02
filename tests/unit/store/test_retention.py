"""What is kept, and what is deleted once nobody needs it."""

import json
import os
import time

from xstilts.store import lock, retention, runs
from xstilts.store.specs import to_json
from xstilts.store.study_plan import PlannedNode
from xstilts.store.study_plan import text as study_plan_text

from tests.builders.projects import STUDY, plan_of
from tests.builders.study_plans import planned, study_plan


def make(results, *names):
    for name in names:
        (results / name).mkdir(parents=True)
        (results / name / "manifest.json").write_text("{}")


TARGET = next(iter(plan_of(STUDY).stage("targets").values()))


def trained(*parents: str) -> PlannedNode:
    """Return a training, of which all weights are trained, that starts from other nodes."""
    return planned(**{**to_json(TARGET.spec), "parents": {str(place): parent for place, parent in enumerate(parents)}})


PLAN = study_plan(
    {
        "intermediate/a": trained(),
        "targets/x": trained("intermediate/a"),
        "targets/y": trained("intermediate/a"),
        "predictions/x1": planned(parents={"model": "targets/x"}),
        "predictions/x2": planned(parents={"model": "targets/x"}),
        "predictions/y1": planned(parents={"model": "targets/y"}),
    }
)


def test_weights_stay_until_all_their_users_are_complete(tmp_path):
    make(tmp_path, "intermediate/a", "targets/x", "targets/y", "predictions/x1")
    assert retention.delete_unneeded(tmp_path, PLAN, ["targets/x"], "intermediate") == []
    make(tmp_path, "predictions/x2")
    assert retention.delete_unneeded(tmp_path, PLAN, ["targets/x"], "all") == []
    assert retention.delete_unneeded(tmp_path, PLAN, ["targets/x"], "intermediate") == ["targets/x"]
    assert not (tmp_path / "targets/x").exists()
    assert (tmp_path / "intermediate/a").exists()


def test_weights_stay_for_jobs_that_look_at_their_nodes_again(tmp_path, monkeypatch):
    """A model that is made again is read by jobs whose nodes are there, for Snakemake starts them all the same."""
    monkeypatch.setenv(runs.VARIABLE, "one")
    make(tmp_path, "intermediate/a", "targets/x", "predictions/x1", "predictions/x2")
    old = time.time() - 60
    for name in ("predictions/x1", "predictions/x2"):
        os.utime(tmp_path / name / "manifest.json", (old, old))
    runs.note_jobs(tmp_path, ["targets/x", "predictions/x1"])
    (tmp_path / "targets/x/manifest.json").write_text("{}")
    assert runs.waiting(tmp_path) == {"predictions/x1"}
    assert retention.delete_unneeded(tmp_path, PLAN, ["targets/x"], "intermediate") == []
    # the job has ended
    (tmp_path / "predictions/x1/manifest.json").write_text("{}")
    assert retention.delete_unneeded(tmp_path, PLAN, ["targets/x"], "intermediate") == ["targets/x"]


def test_what_a_training_cost_outlives_its_weights(tmp_path):
    make(tmp_path, "intermediate/a", "targets/x", "predictions/x1", "predictions/x2")
    kept = ("history.json", "provenance.json")
    for name in (*kept, "record.json", "model.safetensors"):
        (tmp_path / "targets/x" / name).write_text("{}")
    (tmp_path / "targets/x/tokenizer").mkdir()
    assert retention.delete_unneeded(tmp_path, PLAN, ["targets/x"], "intermediate") == ["targets/x"]
    assert sorted(path.name for path in (tmp_path / "targets/x").iterdir()) == list(kept)
    # it is deleted once
    assert retention.delete_unneeded(tmp_path, PLAN, ["targets/x"], "intermediate") == []


def test_the_intermediate_phase_goes_last(tmp_path):
    make(tmp_path, "intermediate/a", "targets/x", "predictions/x1", "predictions/x2")
    assert retention.delete_unneeded(tmp_path, PLAN, ["targets/x"], "none") == ["targets/x"]
    make(tmp_path, "targets/y", "predictions/y1")
    assert retention.delete_unneeded(tmp_path, PLAN, ["targets/y"], "none") == ["targets/y", "intermediate/a"]


def of_another_study(results, folder, plan, started=0):
    """Write the plan of another study on the same results."""
    path = results / f"studies/other/{folder}/plan.json"
    path.parent.mkdir(parents=True)
    path.write_text(study_plan_text(plan))
    os.utime(path, (started, started))


def test_weights_stay_while_another_study_needs_them(tmp_path):
    """One that another checkout runs: until its own predictions are there, or it was started anew without them."""
    make(tmp_path, "intermediate/a", "targets/x", "predictions/x1", "predictions/x2")
    other = study_plan({"targets/x": trained(), "predictions/x3": planned(parents={"model": "targets/x"})})
    of_another_study(tmp_path, "aaaa", other)
    assert retention.delete_unneeded(tmp_path, PLAN, ["targets/x"], "intermediate") == []
    make(tmp_path, "predictions/x3")
    assert retention.delete_unneeded(tmp_path, PLAN, ["targets/x"], "intermediate") == ["targets/x"]
    # of its plans those count that its outputs are of, and that was started last
    make(tmp_path, "targets/x", "predictions/x4")
    for folder, started in (("bbbb", 1), ("cccc", 2)):
        wanting = {"targets/x": trained(), f"predictions/{folder}": planned(parents={"model": "targets/x"})}
        of_another_study(tmp_path, folder, study_plan(wanting), started)
    make(tmp_path, "predictions/cccc")
    (tmp_path / "studies/other/latest").symlink_to("bbbb")
    assert retention.delete_unneeded(tmp_path, PLAN, ["targets/x"], "intermediate") == []
    (tmp_path / "studies/other/latest").unlink()
    (tmp_path / "studies/other/broken").mkdir()
    (tmp_path / "studies/other/broken/plan.json").write_text('{"nodes": {"targets/x": ')
    assert retention.delete_unneeded(tmp_path, PLAN, ["targets/x"], "intermediate") == ["targets/x"]


def test_weights_stay_while_a_job_reads_them(tmp_path):
    make(tmp_path, "intermediate/a", "targets/x", "predictions/x1", "predictions/x2")
    with lock.held(tmp_path / "targets/x", shared=True):
        assert retention.delete_unneeded(tmp_path, PLAN, ["targets/x"], "intermediate") == []
    assert (tmp_path / "targets/x/manifest.json").exists()


def test_weights_stay_for_another_run_until_it_ends(tmp_path, monkeypatch):
    """A run has planned jobs that read them, and expects them to be there, even where another has done those jobs."""
    make(tmp_path, "intermediate/a", "targets/x", "predictions/x1", "predictions/x2")
    of_another_study(tmp_path, "shared", PLAN)
    with runs.registered(tmp_path, "studies/other.yaml", tmp_path) as run:
        assert retention.delete_unneeded(tmp_path, PLAN, ["targets/x"], "intermediate") == []
        monkeypatch.setenv(runs.VARIABLE, run.id)
        assert retention.delete_unneeded(tmp_path, PLAN, ["targets/x"], "intermediate") == ["targets/x"]
    make(tmp_path, "targets/x")
    retention.delete_left(tmp_path, PLAN, time.time() + 60, "intermediate")
    assert (tmp_path / "targets/x").exists()
    # what it has left goes when it has ended, if its jobs have read it
    retention.delete_left(tmp_path, PLAN, time.time() - 60, "intermediate")
    assert not (tmp_path / "targets/x").exists()


def test_weights_do_not_wait_for_a_run_of_a_study_without_them(tmp_path):
    make(tmp_path, "intermediate/a", "targets/x", "predictions/x1", "predictions/x2")
    of_another_study(tmp_path, "shared", PLAN)
    with runs.registered(tmp_path, "studies/third.yaml", tmp_path):
        assert retention.delete_unneeded(tmp_path, PLAN, ["targets/x"], "intermediate") == ["targets/x"]


def test_unused(tmp_path):
    make(tmp_path, "targets/x", "targets/old")
    past = tmp_path / "studies/pocket/aaaa"
    past.mkdir(parents=True)
    (past / "plan.json").write_text(json.dumps({"nodes": {"targets/old": {}}}))
    (past.parent / "latest").symlink_to("aaaa")
    (tmp_path / "work/targets/busy").mkdir(parents=True)
    found = retention.unused(tmp_path, ["targets/x"])
    assert [(item.path.relative_to(tmp_path).as_posix(), item.studies) for item in found] == [
        ("targets/old", ("pocket",)),
        ("studies/pocket/aaaa", ("pocket",)),
    ]
    assert found[0].size == 2
