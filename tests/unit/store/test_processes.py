"""Processes: alive, ended, or elsewhere, where this machine cannot tell."""

import subprocess
from dataclasses import replace

import pytest
from xstilts.store import processes

HOST = processes.Machine(host="node1", machine="f00d", boot="first", namespace="pid:[4026531836]")
CONTAINER = replace(HOST, namespace="pid:[4026532177]")


def test_this_process_is_alive():
    assert processes.process().state == "alive"


def test_an_ended_process_has_ended_whether_its_parent_knows_or_not():
    child = subprocess.Popen(["sleep", "60"])
    process = processes.process(child.pid)
    assert process.state == "alive"
    child.kill()
    # a zombie, until it is waited for
    while process.state == "alive":
        pass
    assert child.returncode is None
    child.wait()
    assert process.state == "ended"
    with pytest.raises(ProcessLookupError):
        processes.process(child.pid)


def test_a_number_that_is_given_again_is_another_process():
    here = processes.process()
    assert replace(here, began=here.began - 1).state == "ended"


@pytest.mark.parametrize(
    ("here", "state"),
    [
        # a second container, or the host itself, sees other processes under the same numbers
        (replace(HOST, namespace="pid:[4026532177]"), "elsewhere"),
        (replace(HOST, host="node2"), "elsewhere"),
        (replace(HOST, host="node2", boot="second"), "elsewhere"),
        # clones of one image, and systems without an id
        (replace(HOST, boot="second", machine="beef"), "elsewhere"),
        (replace(HOST, boot="second"), "ended"),
    ],
)
def test_of_other_machines_it_is_known_only_that_they_were_started_again(monkeypatch, here, state):
    monkeypatch.setattr(processes, "machine", lambda: here)
    assert processes.Process(machine=HOST, number=1, began=1.0).state == state


def test_a_container_that_was_started_again_cannot_be_told_from_another_one(monkeypatch):
    monkeypatch.setattr(processes, "machine", lambda: replace(CONTAINER, boot="second"))
    assert processes.Process(machine=CONTAINER, number=1, began=1.0).state == "elsewhere"


def test_without_an_id_of_the_system_nothing_is_known(monkeypatch):
    nameless = replace(HOST, machine="")
    monkeypatch.setattr(processes, "machine", lambda: replace(nameless, boot="second"))
    assert processes.Process(machine=nameless, number=1, began=1.0).state == "elsewhere"
