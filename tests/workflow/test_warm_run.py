"""Jobs of a run are forked from its warm process: the same results, and nothing outlives the run."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest
from xstilts.warm import client, server

from tests.builders.projects import checkout, locked

pytestmark = pytest.mark.skipif(not hasattr(os, "pidfd_open"), reason="the warm process needs Linux")
SECONDS = 120
STARTER = """
import os, sys
from xstilts.warm import client, server
server.start()
print(os.environ[client.VARIABLE], flush=True)
sys.stdin.read()
"""


class Run:
    """A process that has started a warm process, as Snakemake does, and waits."""

    def __init__(self, project) -> None:
        self.project = project
        # the number of threads that Snakemake gives jobs
        self.environment = project.environment(**dict.fromkeys(server.ONE_THREAD, "1"))
        self.starter = subprocess.Popen(
            [sys.executable, "-c", STARTER],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=self.environment,
            text=True,
        )
        self.sockets = Path(self.starter.stdout.readline().strip())
        self.environment[client.VARIABLE] = str(self.sockets)
        (self.server,) = psutil.Process(self.starter.pid).children()

    def start(self, *arguments: str, **more: str) -> subprocess.Popen:
        command = [sys.executable, "-m", "xstilts", *arguments]
        return subprocess.Popen(
            command, cwd=self.project.folder, env={**self.environment, **more}, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip

    def job(self) -> psutil.Process:
        """Wait for the process of a job."""
        wait_for(self.server.children)
        return self.server.children()[0]

    def end(self) -> None:
        self.starter.stdin.close()
        self.starter.stdout.close()
        self.starter.wait(SECONDS)


def wait_for(condition):
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def is_gone(process: psutil.Process) -> bool:
    try:
        return process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


@pytest.fixture
def run(project):
    started = Run(project)
    yield started
    started.end()
    assert not started.sockets.exists()
    assert is_gone(started.server)


def arguments(command, spec, output):
    return [command, "--spec", json.dumps(spec), "--output", str(output)]


def made(project, stage, containing):
    """Return the manifest of a node that the run has made."""
    (path,) = [path for path in (project.results / stage).glob("*/manifest.json") if containing in path.parent.name]
    return path


def training(project):
    manifest = made(project, "targets", "full.mnli.s1-")
    output = project.results / "targets/again-00000000/manifest.json"
    return json.loads(manifest.read_text())["spec"], output


def test_an_arm_has_the_same_bytes_by_itself(project):
    """The study ran with a warm process; its training and its prediction once more, each in a process of its own."""
    for stage, command, name in [
        ("targets", "train", "full.mnli.s1-"),
        ("predictions", "predict", "full.mnli.s1.on.xnli"),
    ]:
        path = made(project, stage, name)
        manifest, provenance = path.read_bytes(), path.with_name("provenance.json").read_text()
        shutil.rmtree(path.parent)
        project.xstilts(*arguments(command, json.loads(manifest)["spec"], path))
        assert path.read_bytes() == manifest
        # the imports, which take seconds, are not the job's
        forked, fresh = (json.loads(text) for text in (provenance, path.with_name("provenance.json").read_text()))
        assert 0 < forked["cpu_seconds"] < fresh["cpu_seconds"] / 2
        for costs in (forked, fresh):
            assert 100 < costs["peak_memory_mb"] < 2000


def test_jobs_are_forked_from_the_server(run):
    spec, output = training(run.project)
    with locked(output.parent):
        client_of_job = run.start(*arguments("train", spec, output))
        job = run.job()
        assert os.getpgid(job.pid) == job.pid
        # the work is not done here
        assert psutil.Process(client_of_job.pid).memory_info().rss < 64 << 20
    text, _ = client_of_job.communicate(timeout=SECONDS)
    assert client_of_job.returncode == 0, text
    assert output.exists()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_training_saves_when_it_is_asked_to_end(run, number):
    spec, output = training(run.project)
    spec = {**spec, "sampling": {**spec["sampling"], "steps": 5000}}
    spec["early_stopping"] = {**spec["early_stopping"], "patience": 5000}
    job = run.start(*arguments("train", spec, output))
    wait_for(lambda: list(run.project.results.glob("work/targets/again-00000000/best-*")) or job.poll() is not None)
    job.send_signal(number)
    text, _ = job.communicate(timeout=SECONDS)
    assert job.returncode == 75, text
    assert list(run.project.results.glob("work/targets/again-00000000/checkpoint-*/state.json"))


@pytest.mark.parametrize("victim", ["server", "starter"])
def test_killed_it_leaves_nothing(run, victim):
    spec, output = training(run.project)
    with locked(output.parent):
        client_of_job = run.start(*arguments("train", spec, output))
        job = run.job()
        run.server.kill() if victim == "server" else run.starter.kill()
        client_of_job.communicate(timeout=SECONDS)
        assert client_of_job.returncode
        wait_for(lambda: is_gone(job))
    run.end()
    wait_for(lambda: not run.sockets.exists())
    wait_for(lambda: is_gone(run.server))


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_an_ended_snakemake_leaves_nothing(project, number):
    """Killed, or interrupted by Ctrl-C: its jobs, their clients and the warm process end."""
    checkout(project.folder)
    path = made(project, "targets", "full.mnli.s1-")
    shutil.rmtree(path.parent)
    goal = path.relative_to(project.folder)
    with locked(path.parent):
        command = [sys.executable, "-m", "snakemake", "--cores", "1", str(goal)]
        process = subprocess.Popen(
            command, cwd=project.folder, env=project.environment(), stderr=subprocess.DEVNULL, start_new_session=True
        )
        snakemake = psutil.Process(process.pid)
        wait_for(lambda: len(snakemake.children(recursive=True)) >= 3)
        (warm,) = [child for child in snakemake.children() if "serve" in child.cmdline()]
        wait_for(warm.children)
        (client_of_job,) = [one for one in snakemake.children(recursive=True) if "train" in one.cmdline()[3:4]]
        sockets = Path(client_of_job.environ()[client.VARIABLE])
        alive = snakemake.children(recursive=True)
        # Ctrl-C is for all processes of the terminal
        os.killpg(process.pid, number) if number == signal.SIGINT else os.kill(process.pid, number)
        assert process.wait(SECONDS)
        for other in alive:
            wait_for(lambda other=other: is_gone(other))
    assert not sockets.exists()
