"""Runs register, one at a time in a working directory; Snakemake's lock goes only if its holder has ended."""

import os
import subprocess
import time
from dataclasses import replace

import pytest
from xstilts.errors import UserError
from xstilts.store import processes, runs
from xstilts.store.processes import Process, process

ELSEWHERE = replace(processes.machine(), host="node2", boot="another", namespace="pid:[4026532177]")


@pytest.fixture
def results(tmp_path):
    return tmp_path / "results"


@pytest.fixture
def folder(tmp_path):
    """A working directory."""
    return tmp_path / "project"


@pytest.fixture
def killed(monkeypatch):
    """Return a function that registers a run of a process that did not end by itself."""
    never_left = []

    def register(results, folder, leader: Process) -> runs.Run:
        with monkeypatch.context() as patched:
            patched.setattr(processes, "process", lambda: leader)
            never_left.append(runs.registered(results, "studies/tiny.yaml", folder))
            return never_left[-1].__enter__()

    return register


def ended() -> Process:
    """Return a process whose number was given again."""
    return replace(process(), began=process().began - 1)


def elsewhere() -> Process:
    return Process(machine=ELSEWHERE, number=4711, began=1.0)


def lock(folder):
    """Leave a lock of Snakemake's."""
    (folder / runs.LOCKS).mkdir(parents=True)
    (folder / runs.LOCKS / "0.output.lock").write_text("results/x\n")


def silent(results, run, seconds):
    """Set back when a run was last heard of."""
    path = results / f".runs/{run.id}.json"
    os.utime(path, (time.time() - seconds,) * 2)


def names(found):
    return [run.id for run in found]


def test_a_run_is_registered_while_it_lasts(results, folder):
    with runs.registered(results, "studies/tiny.yaml", folder) as run:
        (found,) = runs.live(results)
        assert found == run
        assert (run.process, run.study, run.folder) == (process(), "studies/tiny.yaml", str(folder))
    assert runs.live(results) == []
    assert not list(results.glob(".runs/*"))
    assert not list(folder.glob(".snakemake/*"))


def test_a_failed_run_goes_too(results, folder):
    with pytest.raises(KeyError), runs.registered(results, "a.yaml", folder):
        raise KeyError
    assert not list(results.glob(".runs/*"))


def test_a_second_run_in_a_folder_is_refused_and_changes_nothing(results, folder, tmp_path):
    with runs.registered(results, "a.yaml", folder) as run:
        # whatever its results folder is
        for other in (results, tmp_path / "others"):
            with pytest.raises(UserError) as error, runs.registered(other, "b.yaml", folder):
                pass
            who = f"process {os.getpid()} on {processes.machine().host}, since {run.started}, a.yaml"
            assert str(error.value) == f"a run is alive in this folder ({who}); wait for it, or stop it first"
        assert names(runs.live(results)) == [run.id]


def test_runs_of_several_folders_share_results(results, folder, tmp_path):
    with (
        runs.registered(results, "a.yaml", folder) as first,
        runs.registered(results, "b.yaml", tmp_path / "b") as second,
    ):
        assert set(names(runs.live(results))) == {first.id, second.id}


def test_the_run_that_a_process_hands_over_is_one_run(results, folder):
    """`xstilts run` registers, then Snakemake leads the run: it may register under the same id, and is what counts."""
    with runs.registered(results, "a.yaml", folder) as run:
        child = subprocess.Popen(["sleep", "60"])
        runs.hand_over(results, folder, run, child.pid)
        (found,) = runs.live(results)
        assert (found.id, found.process.number) == (run.id, child.pid)
        with runs.registered(results, "a.yaml", folder, run.id) as again:
            assert runs.live(results) == [again]
        child.kill()
        child.wait()
        runs.hand_over(results, folder, run, child.pid)
    assert not list(results.glob(".runs/*"))


def test_a_killed_run_is_not_alive_and_is_forgotten(results, folder, killed):
    before = killed(results, folder, ended())
    assert runs.live(results) == []
    assert (results / f".runs/{before.id}.json").exists()
    with runs.registered(results, "a.yaml", folder) as run:
        assert names(runs.live(results)) == [run.id]
        assert [path.stem for path in results.glob(".runs/*")] == [run.id]


def test_a_run_elsewhere_lives_as_long_as_it_is_heard_of(results, folder, killed, tmp_path):
    run = killed(results, tmp_path / "other", elsewhere())
    silent(results, run, 240)
    assert names(runs.live(results)) == [run.id]
    silent(results, run, 360)
    assert runs.live(results) == []
    # its record stays for a day
    with runs.registered(results, "a.yaml", folder):
        assert (results / f".runs/{run.id}.json").exists()
    silent(results, run, 100_000)
    with runs.registered(results, "a.yaml", folder):
        assert not (results / f".runs/{run.id}.json").exists()


def test_a_clock_that_is_ahead_makes_no_run_dead(results, killed, tmp_path, monkeypatch):
    """File times are compared with each other, not with the clock of this machine."""
    run = killed(results, tmp_path / "other", elsewhere())
    monkeypatch.setattr(time, "time", lambda: 4e9)
    assert names(runs.live(results)) == [run.id]
    silent_until = os.stat(results / f".runs/{run.id}.json").st_mtime + 1e6
    os.utime(results / f".runs/{run.id}.json", (silent_until, silent_until))
    assert names(runs.live(results)) == [run.id]


def test_a_run_is_heard_of(results, folder, monkeypatch):
    monkeypatch.setattr(runs, "_PAUSE", 0.01)
    with runs.registered(results, "a.yaml", folder) as run:
        path = results / f".runs/{run.id}.json"
        silent(results, run, 1000)
        deadline = time.monotonic() + 10
        while time.time() - path.stat().st_mtime > 100:
            assert time.monotonic() < deadline
            time.sleep(0.01)


def test_the_oldest_run_comes_first(results, killed, tmp_path, monkeypatch):
    """Whose started last may delete nothing that one before it reads."""
    times = iter(["2026-01-02T00:00:00Z", "2026-01-01T00:00:00Z"])
    monkeypatch.setattr(time, "strftime", lambda *_: next(times))
    later, earlier = (killed(results, tmp_path / name, elsewhere()) for name in "ab")
    assert names(runs.live(results)) == [earlier.id, later.id]


def test_without_a_lock_nothing_is_left_locked(results, folder, killed):
    assert not runs.is_left_locked(results, folder)
    killed(results, folder, elsewhere())
    assert not runs.is_left_locked(results, folder)
    (folder / runs.LOCKS).mkdir()
    assert not runs.is_left_locked(results, folder)


def test_the_lock_of_a_killed_run_is_left(results, folder, killed):
    lock(folder)
    killed(results, folder, ended())
    assert runs.is_left_locked(results, folder)


def test_the_lock_of_a_live_run_stays(results, folder):
    lock(folder)
    with runs.registered(results, "a.yaml", folder), pytest.raises(UserError, match="a run is alive in this folder"):
        runs.is_left_locked(results, folder)


def test_who_held_a_lock_stays_known_after_its_run(results, folder):
    """Snakemake was killed, and `xstilts run` ends in order."""
    with runs.registered(results, "a.yaml", folder) as run:
        child = subprocess.Popen(["sleep", "60"])
        runs.hand_over(results, folder, run, child.pid)
        lock(folder)
        child.kill()
        child.wait()
    assert runs.live(results) == []
    assert runs.is_left_locked(results, folder)


@pytest.mark.parametrize("seconds", [360, 100_000])
def test_the_lock_of_a_run_elsewhere_stays_however_long_it_is_silent(results, folder, killed, seconds):
    lock(folder)
    silent(results, killed(results, folder, elsewhere()), seconds)
    with pytest.raises(UserError) as error:
        runs.is_left_locked(results, folder)
    text = str(error.value)
    assert "process 4711 on node2, since " in text
    assert text.endswith("(ps -p 4711); if it has ended, run here: snakemake --unlock")
    assert "\n" not in text


def test_a_lock_of_a_run_elsewhere_that_is_heard_of_stays(results, folder, killed):
    lock(folder)
    killed(results, folder, elsewhere())
    with pytest.raises(UserError, match=r"a run is alive in this folder \(process 4711 on node2"):
        runs.is_left_locked(results, folder)


@pytest.mark.parametrize("content", [None, "", "{}", '{"id": 1}'])
def test_a_lock_of_whom_nobody_knows_stays(results, folder, content):
    lock(folder)
    if content is not None:
        (folder / ".snakemake/run.json").write_text(content)
    with pytest.raises(UserError, match="and not who holds it.*then run: snakemake --unlock"):
        runs.is_left_locked(results, folder)


def test_a_run_elsewhere_in_the_same_folder_is_refused_while_it_is_heard_of(results, folder, killed):
    before = killed(results, folder, elsewhere())
    with pytest.raises(UserError) as error, runs.registered(results, "a.yaml", folder):
        pass
    assert "process 4711 on node2" in str(error.value)
    assert str(error.value).endswith(f"alive for 5 minutes, or until you delete {results}/.runs/{before.id}.json")
    silent(results, before, 360)
    with runs.registered(results, "a.yaml", folder) as run:
        assert names(runs.live(results)) == [run.id]


def test_damaged_records_are_passed_over(results, folder, caplog):
    (results / ".runs").mkdir(parents=True)
    (results / ".runs/abc.json").write_text("{")
    with runs.registered(results, "a.yaml", folder) as run:
        assert names(runs.live(results)) == [run.id]
    assert f"{results}/.runs/abc.json: not the record of a run" in caplog.text
