"""The line on how far a run is: what is wanted, what runs, how long the rest takes."""

import json
import os
import re
import time

import pytest
from conftest import ROOT, plan_of
from xstilts.planning import time_left
from xstilts.planning.settings import from_config
from xstilts.store.manifest import manifest_path


@pytest.fixture(scope="module")
def plan(tmp_path_factory):
    return plan_of(ROOT / "studies/tiny.yaml", results=str(tmp_path_factory.mktemp("results")))


def make(results, name, seconds=None):
    path = manifest_path(results, name)
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


def test_all_is_wanted_parents_first(plan, tmp_path):
    found = [node.id for node in time_left.missing_nodes(plan, tmp_path)]
    # a training set's contexts are excluded by data that no prediction reads, but all nodes lead to one
    assert sorted(found) == sorted(plan.nodes)
    for place, name in enumerate(found):
        assert set(plan.nodes[name].parents) <= set(found[:place])


def test_what_only_a_result_needed_is_not_wanted(plan, tmp_path):
    """A model that was let go once its predictions were complete is not made again."""
    name = next(name for name in plan.predictions() if "four.s1.udpos" in name)
    make(tmp_path, name)
    (model,) = [parent for parent in plan.nodes[name].parents if parent.startswith("targets/")]
    found = {node.id for node in time_left.missing_nodes(plan, tmp_path)}
    assert set(plan.nodes) - found == {name, model, *(set(plan.nodes[name].parents) - found)}


@pytest.fixture
def watched(plan, tmp_path):
    return time_left.Watch(plan, from_config({"results": str(tmp_path)}))


def test_line(plan, tmp_path, watched):
    nodes = watched.nodes
    assert watched.line().endswith("running: none")
    first = nodes[0].id
    start(tmp_path, first)
    line = watched.line()
    assert line.startswith(f"0 of {len(nodes)} jobs done, about ")
    assert line.endswith(f"; running: {first.rpartition('-')[0]}")
    make(tmp_path, first, 1.0)
    assert watched.line().startswith(f"1 of {len(nodes)} jobs done")
    # a model whose results are there is done, also when it was let go
    results = plan.predictions()
    for name in results[1:]:
        make(tmp_path, name, 1.0)
    left = time_left.missing_nodes(plan, tmp_path)
    assert watched.line().startswith(f"{len(nodes) - len(left)} of {len(nodes)} jobs done")
    assert len(left) < len(nodes) / 2
    make(tmp_path, results[0], 1.0)
    assert watched.line() == f"{len(nodes)} of {len(nodes)} jobs done, about 10 s left; running: none"


def test_log_of_an_earlier_run_is_none_of_a_job_that_runs(plan, tmp_path, watched):
    first = watched.nodes[0].id
    start(tmp_path, first)
    os.utime(tmp_path / f"logs/{first}.log", (1e9, 1e9))
    assert watched.line().endswith("running: none")


def test_what_runs_has_the_less_left_the_longer_it_runs(plan, tmp_path, watched, monkeypatch):
    """However often its log is written."""
    name = next(node.id for node in watched.nodes if node.stage == "intermediate")
    monkeypatch.setattr(
        time_left, "_expected", lambda nodes, *_: {node.id: 900.0 if node.id == name else 0.0 for node in nodes}
    )
    monkeypatch.setattr(time_left, "_rest", lambda nodes, left, at_once: left[name])
    clock = [time.time()]
    monkeypatch.setattr(time_left.time, "time", lambda: clock[0])
    lines = []
    for _ in range(3):
        start(tmp_path, name)
        lines.append(watched.line())
        clock[0] += 300
    assert [re.search(r"about (\d+) min", line)[1] for line in lines] == ["15", "10", "5"]


def test_operations_are_known_of_what_computes_with_a_model(watched):
    work = watched._operations()
    assert set(work) == {
        node.id for node in watched.nodes if node.stage in ("intermediate", "targets", "predictions", "embeddings")
    }
    assert all(value > 0 for value in work.values())


def test_time_left_follows_what_was_measured(plan, tmp_path):
    """Jobs that took ten times as long make what is left take ten times as long, but for their starts."""
    nodes = time_left.missing_nodes(plan, tmp_path)
    work = {node.id: 1e9 for node in nodes if node.stage == "targets"}
    done = next(node for node in nodes if node.id in work)
    others = [name for name in work if name != done.id]
    expected = {}
    for took in (16.0, 106.0):
        make(tmp_path, done.id, took)
        expected[took] = time_left._expected(nodes, [done], work, tmp_path)
    assert all(expected[16.0][name] == pytest.approx(6 + 10) for name in others)
    assert all(expected[106.0][name] == pytest.approx(6 + 100) for name in others)


def test_jobs_that_wait_for_each_other_are_no_faster_together(plan, tmp_path):
    nodes = time_left.missing_nodes(plan, tmp_path)
    left = {node.id: 10.0 for node in nodes}
    depth = 0
    name = next(name for name in plan.predictions() if "four.s1.udpos" in name)
    while name:
        depth += 1
        name = next(
            (parent for parent in plan.nodes[name].parents if parent.split("/")[0] in ("targets", "intermediate")), None
        )
    assert time_left._rest(nodes, left, 1) == 10.0 * len(nodes)
    assert time_left._rest(nodes, left, 10_000) >= 10.0 * (depth + 3)
