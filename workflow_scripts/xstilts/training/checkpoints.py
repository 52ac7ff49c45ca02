"""Checkpoints of a training run in its work directory, to resume from. The directory is no output of the DAG.

A checkpoint is a folder with weights, moments (``shards.py``) and ``state.json``, which states the run, the step and
the SHA-256 of all that the run needs to continue, itself with them; it is written last. A checkpoint that does not fit
is passed over: the one before it is used, and without any the run starts anew.
"""

import copy
import hashlib
import json
import logging
import os
import shutil
import tempfile
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any, Self

import torch
from safetensors import SafetensorError
from safetensors.torch import save_file
from torch import nn

from xstilts.models import distributed
from xstilts.store.files import file_sha256, file_sha256_once, sync, sync_one
from xstilts.training import shards

log = logging.getLogger(__name__)

_STATE = "state.json"
# checkpoints that stay: should the last one be damaged, the one before it is used
_KEPT = 2


def remove(work: Path) -> None:
    """Delete a work directory whose run is complete."""
    shutil.rmtree(work, ignore_errors=True)


class Writer:
    """Writes the checkpoints of a run while it goes on: copies are made at once, a thread writes them, one at a time.

    On leaving it waits until the last one is written, also where the run ends with an error.
    """

    def __init__(self, work: Path, run: str, seconds: float, group: distributed.Group) -> None:
        """Start the clock; all processes do.

        Args:
            work: the work directory.
            run: digest of all that decides the run, which alone may resume from its checkpoints.
            seconds: from one checkpoint to the next.
            group: the processes. Those of the first replica write their own shards, the first one of them the rest.
        """
        self._work, self._run, self._seconds, self._group = work, run, seconds, group.with_own_connections()
        self._thread, self._writing, self._saved_at = ThreadPoolExecutor(1), Future[None](), time.monotonic()
        self._writing.set_result(None)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self.wait()
        finally:
            self._thread.shutdown()

    def is_due(self) -> bool:
        """Whether it is time for the next checkpoint.

        Raises:
            OSError: as ``wait``, once the thread has failed.
        """
        if self._writing.done():
            self.wait()
        return time.monotonic() - self._saved_at >= self._seconds

    def wait(self) -> None:
        """Wait until the last checkpoint is written: its copies are in memory no more, nor is the oldest one needed.

        Raises:
            OSError: if it could not be, or what else the thread has failed with.
        """
        self._writing.result()

    def save(
        self,
        model: nn.Module,
        optimiser: torch.optim.Optimizer,
        state: Mapping[str, Any],
        beside: Sequence[Path],
    ) -> None:
        """Have a checkpoint written, then those before the last two deleted; all processes call it.

        Args:
            model: those of its parameters that are trained are saved.
            optimiser: its moments are saved, in the order of its parameters.
            state: JSON values of the training loop; ``step`` is the number of optimiser steps done.
            beside: folders in the work directory whose files the run needs too.
        """
        # the copies of one checkpoint alone are in memory
        self.wait()
        copies = shards.copies(model, optimiser) if self._group.is_first_replica else {}
        noted = copy.deepcopy(dict(state))
        self._writing = self._thread.submit(_write, self._work, self._run, copies, noted, beside, self._group)
        self._saved_at = time.monotonic()


def _write(
    work: Path,
    run: str,
    copies: Mapping[str, dict[str, torch.Tensor]],
    state: Mapping[str, Any],
    beside: Sequence[Path],
    group: distributed.Group,
) -> None:
    scratch: Path = group.share(Path(tempfile.mkdtemp(dir=work, prefix=".checkpoint.")) if group.leads else None)
    own = {}
    for kind, values in copies.items():
        path = scratch / shards.file_name(kind, group.shard, group.shards)
        save_file(values, path)
        sync_one(path)
        own[path.name] = file_sha256(path)
    hashes = group.all(own)
    if group.leads:
        stated = {
            "run": run,
            "state": state,
            "files": {name: sha256 for of_process in hashes for name, sha256 in of_process.items()},
            "beside": {
                path.relative_to(work).as_posix(): file_sha256_once(path)
                for folder in beside
                for path in sorted(folder.rglob("*"))
                if path.is_file()
            },
        }
        (scratch / _STATE).write_text(json.dumps({**stated, "digest": _digest(stated)}), encoding="utf-8")
        sync(scratch)
        target = _folder(work, state["step"])
        shutil.rmtree(target, ignore_errors=True)
        os.replace(scratch, target)
        sync_one(work)
        for older in checkpoints(work)[:-_KEPT]:
            shutil.rmtree(older)
    group.wait()


def _folder(work: Path, step: int) -> Path:
    return work / f"checkpoint-{step:09d}"


def checkpoints(work: Path) -> list[Path]:
    """Return the checkpoints of a work directory, oldest first."""
    return sorted(path for path in work.glob("checkpoint-*") if (path / _STATE).exists())


def resume(
    work: Path, run: str, model: nn.Module, optimiser: torch.optim.Optimizer, group: distributed.Group
) -> dict[str, Any] | None:
    """Load the newest checkpoint that fits into model and optimiser, and return its state; None if there is none.

    Args:
        work: the work directory.
        run: digest of all that decides the run.
        model: takes the weights.
        optimiser: takes the moments.
        group: the processes, which all call it.
    """
    path = _newest(work, run, model, group)
    if path is None:
        return None
    stated = json.loads((path / _STATE).read_text(encoding="utf-8"))
    shards.load(model, optimiser, path, _shards(stated), group)
    state: dict[str, Any] = stated["state"]
    log.info("resuming at step %d", state["step"])
    return state


def _newest(work: Path, run: str, model: nn.Module, group: distributed.Group) -> Path | None:
    """Return the newest checkpoint that fits, and say of those after it what is wrong with them."""
    if group.leads:
        for left_over in work.glob(".checkpoint.*"):
            shutil.rmtree(left_over, ignore_errors=True)
    found = group.share(checkpoints(work) if group.leads else None)
    for path in reversed(found):
        faults = [fault for fault in group.all(_fault(path, run, model, group)) if fault is not None]
        if not faults:
            return path
        following = "starting anew" if path == found[0] else "trying the one before it"
        log.warning("%s: %s; %s", path, faults[0], following)
    return None


def _fault(path: Path, run: str, model: nn.Module, group: distributed.Group) -> str | None:
    """Return why a run cannot be resumed from a checkpoint; None if it can, as far as this process reads its files."""
    try:
        stated = json.loads((path / _STATE).read_text(encoding="utf-8"))
        if stated.pop("digest") != _digest(stated) or path != _folder(path.parent, stated["state"]["step"]):
            return f"{_STATE} is damaged"
        if stated["run"] != run:
            return "it is of another run"
        hashes = {path / name: sha256 for name, sha256 in stated["files"].items()}
        hashes |= {path.parent / name: sha256 for name, sha256 in stated["beside"].items()}
        for file, sha256 in list(hashes.items())[group.rank :: group.size]:
            if file_sha256(file) != sha256:
                return f"{file.name} is damaged"
        shapes = shards.shapes(shards.files(path, shards.WEIGHTS, _shards(stated)))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, SafetensorError) as error:
        return f"not readable ({error!r})"
    # another version of the code, or of a library, may call them otherwise
    if shapes != {name: tuple(parameter.shape) for name, parameter in shards.trained(model).items()}:
        return "its weights are not those of this model"
    return None


def _digest(stated: Mapping[str, Any]) -> str:
    """Return the SHA-256 of JSON values, among which may be numbers that are none (NaN)."""
    return hashlib.sha256(json.dumps(stated, sort_keys=True).encode()).hexdigest()


def _shards(stated: Mapping[str, Any]) -> int:
    """Return the number of shards of a checkpoint, each a file of weights and one of moments."""
    return len(stated["files"]) // 2
