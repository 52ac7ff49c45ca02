"""The parts of ``check-gpu``, and how one is run: in a process of its own, for so many seconds at most."""

import os
import signal
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from xstilts.training.gpu_checks.checks import NOT_REACHED, NOT_RUN, Check, read

# a dry run may share its processors with anything
_DRY_RUN_SECONDS = 600


@dataclass(frozen=True)
class Part:
    """A part.

    Attributes:
        module: the module of this package that has it.
        seconds: after which it is ended.
        has_equalities: whether something has to be equal in it, which fails where the part does not come to its end.
    """

    module: str
    seconds: int
    has_equalities: bool = False


# all of them take eight minutes at most; the first one reads the libraries from a disk that may be slow
PARTS = {
    "environment": Part("environment", 60),
    "rates": Part("rates", 25),
    "GPU = CPU": Part("same_as_cpu", 50, has_equalities=True),
    "resuming": Part("resuming", 50, has_equalities=True),
    "attention": Part("attention", 30),
    "training": Part("training_speed", 115),
    "several processes": Part("together", 35, has_equalities=True),
    "loading": Part("loading", 50),
    "out of memory": Part("out_of_memory", 25, has_equalities=True),
    "compiled": Part("compiled", 40),
}


def rows_of(part: Part, scratch: Path) -> Path:
    """Return the file with the rows of a part."""
    return scratch / f"{part.module}.jsonl"


def run(part: Part, command: Sequence[str], scratch: Path, is_dry_run: bool) -> tuple[list[Check], str | None]:
    """Run a part, and return its rows, and why it did not come to its end; None where it did.

    Args:
        part: the part.
        command: what writes its rows (``rows_of``) as they come.
        scratch: folder for them, and for what the command prints.
        is_dry_run: whether it computes on the CPU, in its own time.
    """
    seconds = _DRY_RUN_SECONDS if is_dry_run else part.seconds
    log = scratch / f"{part.module}.log"
    with log.open("wb") as file:
        # with a group of processes of its own, in which are those that it starts
        process = subprocess.Popen(command, stdout=file, stderr=subprocess.STDOUT, start_new_session=True)
        try:
            code = process.wait(seconds)
            reason = _last_line(log) or f"it ended with {code}" if code else None
        except subprocess.TimeoutExpired:
            reason = f"ended after {seconds} s"
        finally:
            _kill(process.pid)
            process.wait()
    found = read(rows_of(part, scratch))
    if reason is not None:
        verdict = NOT_REACHED if part.has_equalities else NOT_RUN
        found.append(Check("all of it", reason, "comes to its end", verdict))
    return found, reason


def _kill(group: int) -> None:
    try:
        os.killpg(group, signal.SIGKILL)
    except ProcessLookupError:
        # all of it has ended
        return


def _last_line(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
    return lines[-1].strip() if lines else ""
