"""Signals to a run are passed on to Snakemake's processes: once, then they are killed."""

import os
import signal
import subprocess
import sys
import time

import pytest
from xstilts.training import interruption
from xstilts.training.interruption import Ending

# as Snakemake does: a job below a shell, and a process with a session of its own
SNAKEMAKE = """
import subprocess, sys
apart = subprocess.Popen(["bash", "-c", "trap 'touch disturbed' INT; touch apart; sleep 60"], start_new_session=True)
try:
    subprocess.run(["bash", "-c", f"trap '{sys.argv[1]}' INT; touch started; while :; do sleep 0.02; done"])
finally:
    apart.kill()
"""
SECONDS = 30


@pytest.fixture
def start(tmp_path):
    """Return a function that starts such a process; the job does something at Ctrl-C."""
    started = []

    def start(at_interrupt: str) -> subprocess.Popen:
        command = [sys.executable, "-c", SNAKEMAKE, at_interrupt]
        started.append(subprocess.Popen(command, cwd=tmp_path, process_group=0, stderr=subprocess.DEVNULL))
        deadline = time.monotonic() + SECONDS
        while not ((tmp_path / "started").exists() and (tmp_path / "apart").exists()):
            assert time.monotonic() < deadline
            time.sleep(0.01)
        return started[-1]

    # where these tests run in the background, Ctrl-C is ignored, and what they start would ignore it too
    # these may be ignored, as under `nohup`
    usual = {signal.SIGINT: signal.default_int_handler, signal.SIGHUP: signal.SIG_DFL}
    before = {number: signal.signal(number, handler) for number, handler in usual.items()}
    yield start
    for number, handler in before.items():
        signal.signal(number, handler)


def end(process, *numbers):
    """Send signals to this process, and pass them on until the other one has ended."""
    said = []
    with Ending(lambda: said.append("interrupted")) as ending:
        ending.pass_on(process.pid)
        assert process.poll() is None
        for number in numbers:
            os.kill(os.getpid(), number)
        deadline = time.monotonic() + SECONDS
        while process.poll() is None:
            assert time.monotonic() < deadline
            ending.pass_on(process.pid)
            time.sleep(0.02)
    assert said == ["interrupted"]
    return process.returncode


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_jobs_are_asked_once(start, tmp_path, number):
    process = start("echo saved >> said; sleep 0.2; exit 75")
    assert end(process, number) not in (0, -signal.SIGKILL)
    assert (tmp_path / "said").read_text() == "saved\n"
    # it has jobs of its own to end
    assert not (tmp_path / "disturbed").exists()


def test_a_second_signal_kills(start, tmp_path):
    process = start("echo saved >> said")
    assert end(process, signal.SIGTERM, signal.SIGTERM) == -signal.SIGKILL


def test_jobs_that_take_too_long_are_killed(start, monkeypatch):
    monkeypatch.setattr(interruption, "_GRACE", 0.2)
    process = start("echo saved >> said")
    assert end(process, signal.SIGTERM) in (-signal.SIGKILL, 1, -signal.SIGINT)


def test_nohup_goes_on():
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with Ending(lambda: None) as ending:
            os.kill(os.getpid(), signal.SIGHUP)
            assert not ending.received
    finally:
        signal.signal(signal.SIGHUP, before)
