"""Processes that a part starts: forks of one that has imported all, and has touched no GPU itself."""

import os
import traceback
from collections.abc import Callable
from typing import Any

import torch

from xstilts.errors import TerminatedError


def start(function: Callable[..., None], *arguments: Any, **environment: str) -> int:
    """Start a function in a process of its own, with one thread and variables of its own, and return its number.

    The process ends with 75 (``os.EX_TEMPFAIL``) where it was asked to end, as the commands do.

    Raises:
        RuntimeError: if this process has used a GPU, which a fork of it could not.
    """
    if torch.cuda.is_initialized():
        raise RuntimeError("a fork of a process that has used a GPU cannot use it")
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        os.environ.update(environment)
        torch.set_num_threads(1)
        function(*arguments)
        code = 0
    except TerminatedError:
        code = os.EX_TEMPFAIL
    except BaseException:
        traceback.print_exc()
    finally:
        os._exit(code)


def has_ended(child: int) -> bool:
    """Tell whether a process has ended; its exit code is still there to be read."""
    return os.waitid(os.P_PID, child, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def end(child: int, number: int | None = None) -> int:
    """Wait for a process, after it was sent a signal where one is given, and return its exit code."""
    if number is not None:
        os.kill(child, number)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def run(function: Callable[..., None], *arguments: Any, **environment: str) -> None:
    """Run a function in a process of its own to its end.

    Raises:
        ChildProcessError: if it ends with an error.
    """
    code = end(start(function, *arguments, **environment))
    if code:
        raise ChildProcessError(f"a process that runs {function.__qualname__} ended with {code}")
