"""Locks of nodes: shared by those who read, exclusive for who makes or deletes; of no use where there are none."""

import errno
import os
import signal
import threading

import pytest
from xstilts.store import lock


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "results/tokens/x-0123456789ab"


def test_many_read_and_one_makes(folder):
    with lock.held(folder, shared=True) as first, lock.held(folder, shared=True) as second:
        assert first and second
        with lock.held(folder, wait=False) as alone:
            assert not alone
    with lock.held(folder) as alone:
        assert alone
        for shared in (True, False):
            with lock.held(folder, shared, wait=False) as another:
                assert not another
    assert not folder.exists() and (folder.parents[1] / ".locks/tokens/x-0123456789ab").exists()


@pytest.mark.parametrize("shared", [True, False])
def test_who_waits_says_for_whom(folder, caplog, shared):
    def wait():
        with lock.held(folder, shared) as mine:
            held.append(mine)

    held, waiting = [], threading.Thread(target=wait)
    with lock.held(folder):
        waiting.start()
        waiting.join(0.1)
        assert not held
    waiting.join()
    assert held == [True]
    assert f"{folder} is in use by process {os.getpid()} on" in caplog.text


def test_it_ends_with_its_process(folder):
    ready, begun = os.pipe()
    child = os.fork()
    if child == 0:
        with lock.held(folder):
            os.write(begun, b"!")
            signal.pause()
    assert os.read(ready, 1) == b"!"
    with lock.held(folder, wait=False) as alone:
        assert not alone
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    with lock.held(folder, wait=False) as alone:
        assert alone


def test_without_locks_it_goes_on_and_says_so_once(folder, caplog, monkeypatch):
    monkeypatch.setattr(lock.fcntl, "flock", without_locks)
    for _ in range(2):
        with lock.held(folder) as first, lock.held(folder, wait=False) as second:
            assert first and second
    assert caplog.text.count("its file system has no locks") == 1


def without_locks(*_):
    raise OSError(errno.ENOLCK, "No locks available")
