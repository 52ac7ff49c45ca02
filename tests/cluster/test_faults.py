"""What goes wrong on a cluster: the run ends with the same files, nothing is left half made, and a line says why."""

import contextlib
import signal
import time

import pytest

from tests.builders.projects import locked

pytestmark = pytest.mark.cluster


def held(training):
    """Hold the lock of the training, whose job then runs until the test lets it go on."""
    return locked(training.results / training.training)


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


def test_job_that_lacks_memory_gets_twice_as_much(slurm, training):
    training.change_rules(("found.host_megabytes(gpu_type) if found else megabytes", "600"))
    run = training.run_literally()
    assert run.end() == 0, run.text
    assert training.is_as_before()
    jobs = slurm.jobs(training.folder)
    assert [job.memory for job in jobs] == ["600M", "1200M", "2400M"][: len(jobs)] and len(jobs) > 1
    assert len({job.time for job in jobs}) == 1


def test_job_at_its_time_limit_gets_twice_as_long(slurm, training):
    training.change_rules(("round(30 + 120 * hours if known else first)", "1"), ("return 10 *", "return 0 *"))
    with held(training):
        run = training.run_literally()
        run.reaches(lambda: "Trying to restart job" in run.text, "the time limit")
        run.reaches(lambda: len(slurm.jobs(training.folder)) == 2, "the second try")
        first, second = slurm.jobs(training.folder)
    assert first.memory == second.memory
    assert (first.time, second.time) == ("1:00", "2:00")


def test_training_that_is_asked_to_end_saves_and_goes_on(slurm, training):
    """As Slurm does half a minute before it ends a job that is at its time limit."""

    def longer(study):
        study["recipes"]["quick"]["early_stopping"] = {"evaluate_every": 10, "patience": 100}
        study["recipes"]["quick"]["target"]["epochs"] = 20

    training.change(longer)
    training.locate()
    run = training.run_literally()
    run.reaches(lambda: training.log.exists() and "dev accuracy" in training.log.read_text(), "a few steps")
    slurm.signal(slurm.jobs(training.folder, "running"), "--signal=TERM")
    assert run.end() == 0, run.text
    assert "resuming at step" in training.log.read_text()
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
