"""What goes wrong on a cluster: the run ends with the same files, nothing is left half made, and a line says why."""

import signal
import time

import pytest

from tests.builders.projects import locked

pytestmark = pytest.mark.cluster


def held(training):
    """Hold the lock of the training, whose job then runs until the test lets it go on."""
    return locked(training.results, training.results / training.training)


def test_cancelled_job_is_started_again(slurm, training):
    with held(training):
        run = training.run_literally()
        run.reaches(training.waits, "the job waits for its lock")
        slurm.ask("scancel", *slurm.jobs("running"))
        run.reaches(lambda: "SLURM status is: 'CANCELLED'" in run.text, "Snakemake sees it")
    assert run.end() == 0, run.text
    assert training.is_as_before()
    # it lacked nothing, and asks for no more than before
    first, second = slurm.asked(2)
    assert first == second


def test_job_of_a_lost_node_is_started_again_by_slurm(slurm, training):
    with held(training):
        run = training.run_literally()
        run.reaches(training.waits, "the job waits for its lock")
        before = slurm.jobs("running")
        slurm.set_node("down")
        wait = time.monotonic() + 3
        run.reaches(lambda: time.monotonic() > wait, "the node is down for a while")
        slurm.set_node("resume")
    assert run.end() == 0, run.text
    assert training.is_as_before()
    assert slurm.jobs()[: len(before)] == before or set(before) <= set(slurm.jobs())
    assert run.text.count("has been submitted") == 1


def test_controller_away_for_half_a_minute(slurm, training):
    with held(training):
        run = training.run_literally()
        run.reaches(training.waits, "the job waits for its lock")
        slurm.end("slurmctld")
        wait = time.monotonic() + 30
        run.reaches(lambda: time.monotonic() > wait, "half a minute without the controller")
        slurm.start_controller()
    assert run.end() == 0, run.text
    assert training.is_as_before()


def test_interrupted_run_cancels_its_jobs(slurm, training):
    with held(training):
        run = training.run_literally()
        run.reaches(training.waits, "the job waits for its lock")
        run.signal(signal.SIGINT)
        assert run.end() != 0
        assert not slurm.jobs("running", "pending")
    assert not list((training.folder / ".snakemake/locks").glob("*"))
    run = training.run_literally()
    assert run.end() == 0, run.text
    assert training.is_as_before()


def test_second_copy_of_a_running_job_waits_for_the_first(slurm, training):
    """Snakemake is killed, its job goes on, and the same command submits the job once more."""
    with held(training):
        run = training.run_literally()
        run.reaches(training.waits, "the job waits for its lock")
        first = slurm.jobs("running")
        run.signal(signal.SIGKILL)
        run.process.wait()
        training.snakemake("--unlock")
        training.log.unlink()
        run = training.run_literally()
        run.reaches(training.waits, "the second copy waits, too")
        assert len(slurm.jobs("running")) == len(first) + 1
    assert run.end() == 0, run.text
    assert training.is_as_before()
