"""Processes that a part forks: what they end with, and what they have of their own."""

import os
import signal
import time

import pytest
import torch
from xstilts.errors import TerminatedError
from xstilts.training.gpu_checks import children


def terminated():
    raise TerminatedError("interrupted")


def failing():
    raise ValueError("no")


@pytest.mark.parametrize(("function", "code"), [(int, 0), (failing, 1), (terminated, os.EX_TEMPFAIL)])
def test_a_process_ends_as_a_command_does(function, code, capfd):
    assert children.end(children.start(function)) == code
    assert ("ValueError: no" in capfd.readouterr().err) == (code == 1)


def test_a_process_that_fails_is_named():
    with pytest.raises(ChildProcessError, match="runs failing ended with 1"):
        children.run(failing)


def test_variables_are_those_of_the_process_alone(tmp_path):
    children.run(lambda: (tmp_path / "seen").write_text(os.environ["SOME_RANK"]), SOME_RANK="3")
    assert (tmp_path / "seen").read_text() == "3" and "SOME_RANK" not in os.environ


def test_a_process_is_killed_and_known_to_have_ended():
    child = children.start(time.sleep, 60)
    assert not children.has_ended(child)
    os.kill(child, signal.SIGKILL)
    while not children.has_ended(child):
        time.sleep(0.01)
    assert children.end(child) == -signal.SIGKILL


def test_a_process_that_has_used_a_gpu_forks_none(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_initialized", lambda: True)
    with pytest.raises(RuntimeError, match="has used a GPU"):
        children.start(int)
