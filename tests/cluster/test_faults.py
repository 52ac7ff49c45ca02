"""What goes wrong on a cluster: the run ends with the same files, nothing is left half made, and a line says why."""

import contextlib
import re
import signal
import subprocess
import time
from pathlib import Path

import pandas as pd
import pytest
from xstilts.store.manifest import path_of

from tests.builders.clusters import ClusterProject, Run
from tests.builders.mirrors import Mirror
from tests.builders.projects import locked, plan_of
from tests.builders.slurm import wait_for

pytestmark = pytest.mark.cluster


def held(training):
    """Hold the lock of the training, whose job then runs until the test lets it go on."""
    return locked(training.results / training.training)


def lengthen(training, epochs):
    """Have the training take longer, without an early end."""

    def change(study):
        study["recipes"]["quick"]["early_stopping"] = {"evaluate_every": 10, "patience": 1000}
        study["recipes"]["quick"]["target"]["epochs"] = epochs

    training.change(change)
    training.locate()


def says(training, text):
    """Tell whether the training's last try has said something."""
    return training.log.exists() and text in training.log.read_text()


@contextlib.contextmanager
def waiting_run(training):
    """Hold the lock, and give a run whose job waits for it."""
    with held(training):
        run = training.run_literally()
        run.reaches(training.waits, "the job waits for its lock")
        yield run


def test_cancelled_job_is_started_again(slurm, training):
    with waiting_run(training) as run:
        slurm.signal(slurm.jobs(training.folder, "running"))
        run.reaches(lambda: "Trying to restart job" in run.text, "Snakemake sees it")
    assert run.end() == 0, run.text
    assert training.is_as_before()
    # it lacked nothing, and asks for no more than before
    first, second = slurm.jobs(training.folder)
    assert (first.memory, first.time) == (second.memory, second.time)


def test_job_has_one_snakemake_and_its_warm_process_which_end_with_it(slurm, training):
    with waiting_run(training):
        (snakemake,) = [one for one in training.processes() if {"snakemake", "remote"} <= set(one.cmdline())]
        (server,) = [
            one for one in training.processes() if {"serve", "--socket"} <= set(one.cmdline()) and one.children()
        ]
        (job,) = server.children()
        slurm.signal(slurm.jobs(training.folder, "running"))
        for process in (snakemake, server, job):
            wait_for(lambda one=process: not one.is_running(), "the end of all that the job has started")


def test_job_that_lacks_memory_gets_twice_as_much(slurm, training):
    training.change_rules(("found or megabytes", "600"))
    run = training.run_literally()
    assert run.end() == 0, run.text
    assert training.is_as_before()
    jobs = slurm.jobs(training.folder)
    assert [job.memory for job in jobs] == ["600M", "1200M", "2400M"][: len(jobs)] and len(jobs) > 1
    assert len({job.time for job in jobs}) == 1


def test_job_at_its_time_limit_gets_twice_as_long(slurm, training):
    training.change_rules(("round(30 + 120 * hours if known else otherwise)", "1"), ("return 10 *", "return 0 *"))
    lengthen(training, epochs=2000)
    run = training.run_literally()
    run.reaches(lambda: says(training, "resuming at step"), "the second try, which goes on")
    first, second = slurm.jobs(training.folder)
    assert first.memory == second.memory
    assert (first.time, second.time) == ("1:00", "2:00")


@pytest.mark.parametrize("options", [["--signal=TERM"], []], ids=["steps asked", "job cancelled"])
def test_training_that_is_asked_to_end_saves_and_goes_on(slurm, training, options):
    """With the option scancel asks the steps alone, not the batch script; a preempted job ends as a cancelled one."""
    lengthen(training, epochs=20)
    run = training.run_literally()
    run.reaches(lambda: says(training, "dev accuracy"), "a few steps")
    slurm.signal(slurm.jobs(training.folder, "running"), *options)
    assert run.end() == 0, run.text
    assert says(training, "resuming at step")
    assert not training.half_written()


def test_job_of_a_lost_node_is_started_again_by_slurm(slurm, training):
    with waiting_run(training) as run:
        slurm.lose_node()
        wait = time.monotonic() + 3
        run.reaches(lambda: time.monotonic() > wait, "the node is down for a while")
        slurm.find_node()
    assert run.end() == 0, run.text
    assert training.is_as_before()
    # the same job, which ran twice
    assert len(slurm.jobs(training.folder)) == 1


def test_controller_away_for_half_a_minute(slurm, training):
    with waiting_run(training) as run:
        slurm.end("slurmctld")
        wait = time.monotonic() + 30
        run.reaches(lambda: time.monotonic() > wait, "half a minute without the controller")
        slurm.start_controller()
    assert run.end() == 0, run.text
    assert training.is_as_before()


def test_interrupted_run_cancels_its_jobs(slurm, training):
    with waiting_run(training) as run:
        run.signal(signal.SIGINT)
        assert run.end() != 0
        assert not slurm.jobs(training.folder, "running", "pending")
    assert not list((training.folder / ".snakemake/locks").glob("*"))
    run = training.run_literally()
    assert run.end() == 0, run.text
    assert training.is_as_before()


def test_second_copy_of_a_running_job_waits_for_the_first(slurm, training):
    """Snakemake is killed, its job goes on, and the same command submits the job once more."""
    with waiting_run(training) as run:
        run.signal(signal.SIGKILL)
        run.process.wait()
        training.snakemake("--unlock")
        training.log.unlink()
        run = training.run_literally()
        run.reaches(training.waits, "the second copy waits, too")
        assert len(slurm.jobs(training.folder, "running")) == 2
    assert run.end() == 0, run.text
    assert training.is_as_before()


@pytest.mark.parametrize(
    "file",
    ["tokens/mnli.training.*/train/ids.npy", "models/*/model.safetensors", "predictions/*.mnli.mnli.*/*.parquet"],
    ids=["tokens", "model", "predictions"],
)
def test_damaged_file_ends_its_job_and_is_made_again(training, file):
    scores = training.scores()
    (path,) = training.results.glob(file)
    path.write_bytes(path.read_bytes()[:-20])
    next(training.results.glob("studies/study/*/scores.parquet")).unlink()
    run = Run(training, "scores")
    assert run.end() != 0
    node = path.relative_to(training.folder).parents[-4]
    assert re.search(rf"error: {re.escape(str(node))}: \S+ has \d+ bytes.*the next run makes it again", run.text)
    # in this run nothing makes it again
    assert "Trying to restart job" not in run.text
    again = Run(training, "scores")
    assert again.end() == 0, again.text
    assert training.is_as_before()
    assert training.scores().equals(scores)


def test_file_that_leaves_the_mirror_in_mid_run(slurm, finished_run, tmp_path):
    """A line names it, what does not need it is made, and with the file back the study ends with the same scores."""
    mirror = Mirror(tmp_path)
    mirror.made_up("mnli/train.json", "xnli/test-en.tsv", "xnli/test-de.tsv")
    file, aside = mirror.folder / "xnli/test-de.tsv", tmp_path / "aside"
    project = ClusterProject(tmp_path / "project")
    project.change(lambda study: study.update(source="mirror"))
    project.configure(mirror=str(mirror.folder))
    project.xstilts("index-mirror", str(mirror.folder))
    plan = plan_of(project.study_file, mirror=str(mirror.folder))
    (data,) = [node for node in plan.stage("data").values() if "xnli" in node.node]
    (intermediate,) = [path_of(project.results, node.id) for node in plan.stage("intermediate").values()]
    with locked(project.results / data.id):
        run = Run(project)
        run.reaches(lambda: list(project.results.glob("tokens/mnli.*/manifest.json")), "the tokens of another task")
        file.rename(aside)
    assert run.end() != 0
    assert intermediate.exists()
    assert run.text.count(f"error: {file}: missing, though the index names it; put it back, or accept") == 1
    assert "Trying to restart job" not in run.text and "Traceback" not in run.text
    aside.rename(file)
    again = Run(project)
    assert again.end() == 0, again.text
    # the same texts, from elsewhere
    kept, before = (one.scores().drop(columns=["source", "official"]) for one in (project, finished_run[0]))
    pd.testing.assert_frame_equal(kept, before)


def test_damaged_checkpoint_is_passed_over(training):
    checkpoint = training.results / "work" / training.training / "checkpoint-000000003"
    checkpoint.mkdir(parents=True)
    (checkpoint / "model.safetensors").write_bytes(b"cut")
    (checkpoint / "state.json").write_text("{}")
    run = training.run_literally()
    assert run.end() == 0, run.text
    assert "starting anew" in training.log.read_text()
    assert training.is_as_before()


@contextlib.contextmanager
def disk_of_its_own(results: Path):
    """Let the results lie on a file system without free space, which a function mounts anew with other options."""

    def mount(*options: str) -> None:
        subprocess.run(["mount", "-t", "tmpfs", "-o", ",".join(options), "tmpfs", results], check=True)

    aside = results.rename(results.with_name("aside"))
    results.mkdir()
    mount("size=1g")
    try:
        subprocess.run(["cp", "-a", f"{aside}/.", results], check=True)
        yield lambda *options: mount("remount", *options)
    finally:
        subprocess.run(["umount", "--lazy", results], check=True)


@pytest.mark.parametrize(
    ("broken", "remedy"),
    [(("size={used}k",), "free some space"), (("ro",), "let it be written to")],
    ids=["full", "read-only"],
)
def test_disk_that_takes_nothing(training, broken, remedy):
    with disk_of_its_own(training.results) as remount:
        # room for logs, not for weights
        used = sum(path.lstat().st_blocks for path in training.results.rglob("*")) // 2 + 300
        remount(*(option.format(used=used) for option in broken))
        run = training.run_literally()
        assert run.end() != 0
        remount("rw", "size=1g")
        assert remedy in run.text + (training.log.read_text() if training.log.exists() else "")
        again = training.run_literally()
        assert again.end() == 0, again.text
        assert training.is_as_before()
