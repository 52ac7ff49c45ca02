"""Locks of nodes: many may read a node, or one process makes or deletes it.

A lock is the file ``results/.locks/<stage>/<node>``, outside the node's folder, which is renamed. The operating system
releases it when its process ends, however it ends. A lock saves work and never makes a result right: on a file system
without locks, jobs go on as if they had them (``node.making`` says how that ends well).
"""

import contextlib
import errno
import fcntl
import logging
import os
import platform
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import IO

log = logging.getLogger(__name__)

FOLDER = ".locks"
# what a file system without locks answers, such as NFS without its lock service
_WITHOUT_LOCKS = (errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP)


def path_of(folder: Path) -> Path:
    """Return the lock of a node's folder, ``results/<stage>/<node>``."""
    return folder.parents[1] / FOLDER / folder.parent.name / folder.name


@contextlib.contextmanager
def held(folder: Path, shared: bool = False, wait: bool = True) -> Iterator[bool]:
    """Hold the lock of a node, and give whether it is held.

    Args:
        folder: of the node.
        shared: to read the node, together with others; else to make or delete it, alone.
        wait: whether to wait, and say so, while another process has it.
    """
    path = path_of(folder)
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "a+", encoding="utf-8") as file:
        mine = _take(file, fcntl.LOCK_SH if shared else fcntl.LOCK_EX, folder, wait)
        alone = mine and not shared
        if alone:
            _note(file, f"process {os.getpid()} on {platform.node()}")
        try:
            yield mine
        finally:
            if alone:
                _note(file, "")


def _take(file: IO[str], kind: int, folder: Path, wait: bool) -> bool:
    try:
        fcntl.flock(file, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        if not wait:
            return False
        file.seek(0)
        log.warning("%s is in use by %s; waiting for it to end", folder, file.read().strip() or "a job that reads it")
        fcntl.flock(file, kind)
    except OSError as error:
        if error.errno not in _WITHOUT_LOCKS:
            raise
        _say_once(folder.parents[1], error.strerror)
    return True


@cache
def _say_once(results: Path, why: str) -> None:
    log.warning("%s: its file system has no locks (%s); two runs at once may make the same node twice", results, why)


def _note(file: IO[str], text: str) -> None:
    """Say in the lock who has it."""
    file.seek(0)
    file.truncate()
    file.write(text)
    file.flush()
