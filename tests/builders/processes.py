"""Groups of processes, forked from this one, which has torch already."""

import os
import signal
import socket
import sys
import time
import traceback
from collections.abc import Callable

from xstilts.models import distributed
from xstilts.models.distributed import Group


def together(size: int, action: Callable[[Group], None]) -> None:
    """Run a function in each process of a group; fail unless all end well. None waits for one that failed."""
    with socket.socket() as free:
        free.bind(("", 0))
        place = {"MASTER_ADDR": "localhost", "MASTER_PORT": str(free.getsockname()[1])}
    running = {_fork({**place, "RANK": str(rank), "WORLD_SIZE": str(size)}, size, action) for rank in range(size)}
    failed = False
    while running:
        ended = {process: status for process, status in (os.waitpid(each, os.WNOHANG) for each in running) if process}
        running -= ended.keys()
        if any(ended.values()) and not failed:
            failed = True
            for other in running:
                os.kill(other, signal.SIGKILL)
        time.sleep(0.01)
    assert not failed


def _fork(environment: dict[str, str], size: int, action: Callable[[Group], None]) -> int:
    child = os.fork()
    if child == 0:
        code = 1
        try:
            # a thread begun in a fork of a process that had some finds torch's pool of them gone
            os.environ.update(environment, HF_DEACTIVATE_ASYNC_LOAD="1")
            group = distributed.join(size)
            action(group)
            group.leave()
            code = 0
        except BaseException:
            # the whole capture of pytest is this process's, too, and ends with it
            traceback.print_exc(file=sys.__stderr__)
        finally:
            os._exit(code)
    return child
