"""`xstilts run` is asked to end, or its Snakemake is killed: jobs save, and the same command continues."""

import contextlib
import signal
import subprocess
import sys
import time

import psutil
import pytest
from xstilts.store import runs

from tests.builders.projects import Project

SECONDS = 60
# a training in small
JOB = """
import pathlib, signal, sys, time
def save(*_):
    pathlib.Path("saved").touch()
    sys.exit(75)
for number in (signal.SIGINT, signal.SIGTERM):
    signal.signal(number, save)
pathlib.Path("started").touch()
time.sleep(120)
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
        process.kill()
        process.communicate()


def test_jobs_save_and_the_same_command_continues(project):
    with running(project) as (process, run):
        # Snakemake leads the run
        assert run.process.number != process.pid
        refused = project.xstilts("run", "--cores", "1", check=False)
        assert refused.returncode == 2
        assert f"error: a run is alive in this folder ({run})" in refused.stderr
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
    (project.folder / "job.py").write_text("import pathlib; pathlib.Path('made').touch()")
    again = project.xstilts("run", "--cores", "1", "--", "made")
    assert "an earlier run was killed; unlocking and resuming" in again.stderr
    assert (project.folder / "made").exists()
