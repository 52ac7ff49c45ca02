"""Runs that are killed or asked to end go on as if nothing had happened; what is saved gives the same outputs.

The last is what ``loop.train`` itself checks, and a run in which it is not so ends with an error.
"""

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

from xstilts.hardware import Hardware
from xstilts.training.checkpoints import checkpoints
from xstilts.training.gpu_checks import children, families, runs
from xstilts.training.gpu_checks.checks import DIFFERS, EQUAL, REPORTED, Check
from xstilts.training.gpu_checks.families import LONGEST, VOCABULARY
from xstilts.training.gpu_checks.machine import Machine
from xstilts.training.gpu_checks.runs import Size

_SIZE = Size(VOCABULARY, 5, LONGEST, batch_size=8, steps=16)
# a checkpoint after every step
_OFTEN = Hardware(checkpoint_seconds=0)


def run(machine: Machine) -> Iterator[Check]:
    """Yield a row for each way in which a run may end early, as the package trains and with reproducible kernels."""
    model = families.folder_of("xlm-roberta", machine.scratch / "families")
    for is_reproducible in (False, True):
        how = "reproducible kernels" if is_reproducible else "as is"
        place = machine.scratch / how.replace(" ", "-")
        whole, again = (_trained(model, place / name, Hardware(), is_reproducible) for name in ("whole", "again"))
        yield same(f"the same run again, {how}", whole, again, is_reproducible)
        interrupted = place / "interrupted"
        _interrupted(model, interrupted, is_reproducible, signal.SIGKILL)
        code = _interrupted(model, interrupted, is_reproducible, signal.SIGTERM)
        verdict = EQUAL if code == os.EX_TEMPFAIL else DIFFERS
        yield Check(f"SIGTERM, {how}", f"ends with {code}", f"{os.EX_TEMPFAIL}", verdict)
        resumed = _trained(model, interrupted, _OFTEN, is_reproducible)
        yield same(f"killed, interrupted, resumed, {how}", whole, resumed, is_reproducible)


def same(what: str, whole: runs.Left, other: runs.Left, is_reproducible: bool) -> Check:
    """Return the check that two runs have saved the same, which they have to with reproducible kernels."""
    is_same = whole.digests == other.digests
    verdict = (EQUAL if is_same else DIFFERS) if is_reproducible else REPORTED
    shown = "the same weights" if is_same else "other weights"
    return Check(what, shown, "bit for bit" if is_reproducible else "", verdict)


def _trained(model: Path, place: Path, hardware: Hardware, is_reproducible: bool) -> runs.Left:
    """Train to the end, and return what is left."""
    children.run(runs.train, model, place, _SIZE, hardware, is_reproducible)
    return runs.left(place)


def _interrupted(model: Path, place: Path, is_reproducible: bool, number: int) -> int:
    """Send a training a signal after its next checkpoint, and return its exit code.

    Raises:
        ChildProcessError: if it ends before.
    """
    before = checkpoints(place / runs.WORK)
    child = children.start(runs.train, model, place, _SIZE, _OFTEN, is_reproducible)
    while checkpoints(place / runs.WORK) == before:
        if children.has_ended(child):
            raise ChildProcessError(f"a training ended with {children.end(child)} before it could be interrupted")
        time.sleep(0.002)
    return children.end(child, number)
