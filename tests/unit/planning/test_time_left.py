"""How far a run is: what has to be made, what runs, how long the rest takes."""

import json
import os
import time

import pytest
from xstilts.planning import time_left
from xstilts.planning.settings import from_config
from xstilts.store.manifest import path_of
from xstilts.store.stages import STAGES

from tests.builders.projects import ROOT, plan_of


@pytest.fixture(scope="module")
def plan(tmp_path_factory):
    return plan_of(ROOT / "studies/tiny.yaml", results=str(tmp_path_factory.mktemp("results")))


@pytest.fixture
def watch(plan, tmp_path):
    return time_left.Watch(plan, from_config({"results": str(tmp_path)}))


def make(results, name, seconds=None):
    path = path_of(results, name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"splits": {"train": {"rows": 9, "instances": 9, "tokens": 90}}}))
    if seconds is not None:
        table = results / f"benchmarks/{name}.tsv"
        table.parent.mkdir(parents=True, exist_ok=True)
        table.write_text(f"s\th:m:s\n{seconds}\t0:00:01\n")


def start(results, name):
    log = results / f"logs/{name}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    log.write_text("")


def name_of(plan, node):
    """Return what the study calls a node, with its stage."""
    return f"{plan.nodes[node].stage}/{plan.made.names[node][0]}"


def prediction_after_training(plan):
    return next(cell.node for cell in plan.cells if (cell.mixture, cell.target) == ("four", "xquad"))


def minutes(progress):
    number, unit = progress.left.split()
    return int(number) / (60 if unit == "s" else 1)


def test_all_has_to_be_made_parents_first(plan, tmp_path):
    missing = [node.id for node in time_left.missing_nodes(plan, tmp_path)]
    # a training set's contexts are excluded by data that no prediction reads, but all nodes lead to one
    assert sorted(missing) == sorted(plan.nodes)
    for index, name in enumerate(missing):
        assert set(plan.nodes[name].parents) <= set(missing[:index])


def test_what_only_a_finished_result_needed_is_not_made(plan, tmp_path):
    """A model that was deleted once its predictions were complete is not made again."""
    name = prediction_after_training(plan)
    make(tmp_path, name)
    (model,) = [parent for parent in plan.nodes[name].parents if parent.startswith("targets/")]
    missing = {node.id for node in time_left.missing_nodes(plan, tmp_path)}
    assert {name, model} <= set(plan.nodes) - missing
    assert set(plan.nodes) - missing == {name, model, *(set(plan.nodes[name].parents) - missing)}


def test_progress(plan, tmp_path, watch):
    total = len(watch.nodes)
    before = watch.progress()
    assert sum(done for done, _ in before.stages.values()) == 0
    assert sum(jobs for _, jobs in before.stages.values()) == total + len(time_left.PRODUCTS)
    assert [stage for stage in STAGES if stage in before.stages] == list(before.stages)[:-1]
    assert before.running == {}
    first = watch.nodes[0]
    start(tmp_path, first.id)
    assert list(watch.progress().running) == [name_of(plan, first.id)]
    make(tmp_path, first.id, 1.0)
    after = watch.progress()
    assert after.running == {}
    assert after.stages[first.stage] == (1, before.stages[first.stage][1])
    # a model whose results are there is done, also when it was deleted
    for name in plan.predictions():
        make(tmp_path, name, 1.0)
    progress = watch.progress()
    assert sum(done for done, _ in progress.stages.values()) == total
    assert progress.left == "10 s"


def test_outputs_of_the_study_are_jobs_too(plan, tmp_path, watch):
    study = tmp_path / plan.folder
    (study / "logs").mkdir(parents=True)
    (study / "logs/scores.log").write_text("")
    progress = watch.progress()
    assert progress.stages[time_left.STUDY] == (0, 6)
    assert list(progress.running) == ["study/scores"]
    (study / "scores.parquet").write_text("")
    assert watch.progress().stages[time_left.STUDY] == (1, 6)
    # where there are scores, nothing before them is made again
    assert time_left.Watch(plan, from_config({"results": str(tmp_path)})).nodes == []


def test_a_figure_that_is_drawn_counts_for_all(plan, tmp_path, watch):
    (tmp_path / plan.folder / "logs").mkdir(parents=True)
    (tmp_path / plan.folder / "logs/figures.headline.log").write_text("")
    assert list(watch.progress().running) == ["study/figures"]


def test_log_of_an_earlier_run_is_none_of_a_job_that_runs(tmp_path, watch):
    first = watch.nodes[0].id
    start(tmp_path, first)
    os.utime(tmp_path / f"logs/{first}.log", (1e9, 1e9))
    assert watch.progress().running == {}


def test_manifests_of_jobs_by_their_names(plan, tmp_path, watch):
    names = watch.names()
    first = watch.nodes[0].id
    assert names[str(path_of(tmp_path, first))] == name_of(plan, first)


def test_time_left_follows_what_was_measured(plan, tmp_path, watch):
    """Where jobs take ten times as long, so does what is left, but for the starts of jobs."""
    node = next(node for node in watch.nodes if node.stage == "targets")
    make(tmp_path, node.id, 1006.0)
    slow = minutes(watch.progress())
    make(tmp_path, node.id, 10006.0)
    assert minutes(watch.progress()) / slow == pytest.approx(10, rel=0.05)


def test_what_runs_has_the_less_left_the_longer_it_runs(tmp_path, watch, monkeypatch):
    """However often its log is written."""
    make(tmp_path, next(node.id for node in watch.nodes if node.stage == "targets"), 10006.0)
    name = next(node.id for node in watch.nodes if node.stage == "intermediate")
    now = time.time()
    left = []
    for elapsed in (0, 300, 600):
        monkeypatch.setattr(time_left.time, "time", lambda seconds=elapsed: now + seconds)
        start(tmp_path, name)
        left.append(minutes(watch.progress()))
    assert left[0] - left[1] == pytest.approx(5, abs=1)
    assert left[1] - left[2] == pytest.approx(5, abs=1)


def test_jobs_that_wait_for_each_other_are_no_faster_together(plan, tmp_path, watch):
    """With as many at once as there are, what is left is the longest chain, not the mean of all."""
    make(tmp_path, next(node.id for node in watch.nodes if node.stage == "targets"), 10006.0)
    alone = minutes(watch.progress())
    for node in watch.nodes:
        start(tmp_path, node.id)
    together = minutes(watch.progress())
    trained = [node for node in watch.nodes if STAGES[node.stage].computes]
    assert alone / len(trained) < together < alone
