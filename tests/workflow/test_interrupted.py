"""`xstilts run` is asked to end, or its Snakemake is killed: jobs save, and the same command continues."""

import contextlib
import shutil
import signal
import subprocess
import sys
import time

import psutil
import pytest
from xstilts.store import runs

from tests.builders.projects import Project

SECONDS = 300
# a training in small
JOB = """
import pathlib, signal, sys, time
def save(*_):
    pathlib.Path("saved").touch()
    sys.exit(75)
for number in (signal.SIGINT, signal.SIGTERM):
    signal.signal(number, save)
pathlib.Path("started").touch()
time.sleep(300)
"""
SNAKEFILE = """
rule all:
    output: "made"
    shell: "python job.py"
"""


def wait_for(condition):
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.fixture
def project(tmp_path):
    """A project whose workflow is one long job."""
    project = Project(tmp_path / "project")
    (project.folder / "Snakefile").write_text(SNAKEFILE)
    (project.folder / "job.py").write_text(JOB)
    return project


@contextlib.contextmanager
def running(project):
    """Run the workflow; once its job has begun, give the process of the run and what is registered."""
    process = subprocess.Popen(
        [sys.executable, "-m", "xstilts", "run", "--cores", "1"], cwd=project.folder, env=project.environment(),
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip
    try:
        wait_for(lambda: (project.folder / "started").exists() or process.poll() is not None)
        (run,) = runs.live(project.results)
        yield process, run
    finally:
        # what it started writes to the same pipe
        started = psutil.Process(process.pid).children(recursive=True) if process.poll() is None else []
        for each in (process, *started):
            each.kill()
        process.communicate()


def in_a_container(project):
    """Run the workflow where other processes cannot be seen; None where this machine does not let us."""
    apart = ["unshare", "--pid", "--fork", "--mount-proc"]
    if not shutil.which(apart[0]) or subprocess.run([*apart, "true"], capture_output=True).returncode:
        return None
    return subprocess.run(
        [*apart, sys.executable, "-m", "xstilts", "run", "--cores", "1"], cwd=project.folder,
        env=project.environment(), capture_output=True, text=True, timeout=SECONDS,
    )  # fmt: skip


def test_jobs_save_and_the_same_command_continues(project):
    with running(project) as (process, run):
        # Snakemake leads the run
        assert run.process.number != process.pid
        for second in (project.xstilts("run", "--cores", "1", check=False), in_a_container(project)):
            assert second is None or second.returncode == 2
            assert second is None or f"error: a run is alive in this folder ({run})" in second.stderr
        process.send_signal(signal.SIGTERM)
        text, _ = process.communicate(timeout=SECONDS)
    assert process.returncode == 75, text
    assert (project.folder / "saved").exists()
    assert "the same command continues" in text
    assert "Traceback" not in text
    assert not list((project.folder / runs.LOCKS).glob("*"))
    assert not list((project.results / ".runs").glob("*"))


def test_a_killed_snakemake_is_said_and_the_same_command_continues(project):
    with running(project) as (process, run):
        snakemake = psutil.Process(run.process.number)
        jobs = snakemake.children(recursive=True)
        snakemake.kill()
        process.wait(SECONDS)
        for job in jobs:
            job.kill()
        text, _ = process.communicate(timeout=SECONDS)
    assert process.returncode == 2
    assert "error: Snakemake was ended by SIGKILL" in text
    assert "Traceback" not in text
    assert list((project.folder / runs.LOCKS).glob("*"))
    second = in_a_container(project)
    assert second is None or "of a run which cannot be seen from here" in second.stderr
    (project.folder / "job.py").write_text("import pathlib; pathlib.Path('made').touch()")
    again = project.xstilts("run", "--cores", "1", "--", "made")
    assert "an earlier run was killed; unlocking and resuming" in again.stderr
    assert (project.folder / "made").exists()
