"""The work directory of a training run: a lock, and checkpoints to resume from. It is no output of the DAG."""

import contextlib
import fcntl
import json
import logging
import os
import platform
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import nn

from xstilts.models import distributed

log = logging.getLogger(__name__)

_STATE = "state.json"
# checkpoints that stay: should the last one be damaged, the one before it is used
_KEPT = 2


@contextlib.contextmanager
def lock(work: Path) -> Iterator[None]:
    """Hold the work directory for this process alone; wait, and say so, while another one has it.

    The operating system releases the lock when its process ends, however it ends.
    """
    work.mkdir(parents=True, exist_ok=True)
    with open(work / "lock", "a+", encoding="utf-8") as file:
        announced = False
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if not announced:
                    file.seek(0)
                    log.warning("%s is in use by %s; waiting for it to end", work, file.read().strip() or "a process")
                announced = True
                time.sleep(1)
        file.seek(0)
        file.truncate()
        file.write(f"process {os.getpid()} on {platform.node()}\n")
        file.flush()
        yield


def remove(work: Path) -> None:
    """Delete a work directory whose run is complete."""
    shutil.rmtree(work, ignore_errors=True)


def save_checkpoint(
    work: Path,
    step: int,
    model: nn.Module,
    optimiser: torch.optim.Optimizer,
    state: dict[str, Any],
    group: distributed.Group,
) -> None:
    """Write a checkpoint whole, then delete those before the last two; all processes call it, the first one writes.

    Args:
        work: the work directory.
        step: optimiser steps done.
        model: those of its parameters that are trained are saved.
        optimiser: its moments are saved, in the order of its parameters.
        state: JSON values of the training loop.
        group: the processes.
    """
    weights = distributed.gather(_trained(model), group)
    states = optimiser.state_dict()["state"].items()
    moments = distributed.gather(
        {f"{number}.{name}": value for number, values in states for name, value in values.items()}, group
    )
    if group.leads:
        scratch = Path(tempfile.mkdtemp(dir=work, prefix=".checkpoint."))
        save_file(_contiguous(weights), scratch / "model.safetensors")
        save_file(_contiguous(moments), scratch / "optimiser.safetensors")
        (scratch / _STATE).write_text(json.dumps({**state, "step": step}), encoding="utf-8")
        target = work / f"checkpoint-{step:09d}"
        shutil.rmtree(target, ignore_errors=True)
        os.replace(scratch, target)
        for older in checkpoints(work)[:-_KEPT]:
            shutil.rmtree(older)
    group.wait()


def checkpoints(work: Path) -> list[Path]:
    """Return the checkpoints of a work directory, oldest first."""
    return sorted(path for path in work.glob("checkpoint-*") if (path / _STATE).exists())


def resume(work: Path, model: nn.Module, optimiser: torch.optim.Optimizer) -> dict[str, Any] | None:
    """Load the newest readable checkpoint into model and optimiser and return its state; None if there is none."""
    for left_over in work.glob(".checkpoint.*"):
        shutil.rmtree(left_over, ignore_errors=True)
    for path in reversed(checkpoints(work)):
        try:
            weights = load_file(path / "model.safetensors")
            moments = load_file(path / "optimiser.safetensors")
            state = json.loads((path / _STATE).read_text(encoding="utf-8"))
        except (SafetensorError, OSError, ValueError) as error:
            log.warning("%s is not readable (%s); trying the one before it", path, error)
            continue
        with torch.no_grad():
            for name, parameter in _trained(model).items():
                parameter.copy_(distributed.alike(weights[name], parameter))
        _load_moments(optimiser, moments)
        log.info("resuming at step %d", state["step"])
        return state
    return None


def _trained(model: nn.Module) -> dict[str, nn.Parameter]:
    """Return the parameters that are trained, by name."""
    return {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}


def _load_moments(optimiser: torch.optim.Optimizer, moments: dict[str, torch.Tensor]) -> None:
    content = optimiser.state_dict()
    parameters = [parameter for group in optimiser.param_groups for parameter in group["params"]]
    content["state"] = {}
    for key, value in moments.items():
        number, _, name = key.partition(".")
        content["state"].setdefault(int(number), {})[name] = distributed.alike(value, parameters[int(number)])
    optimiser.load_state_dict(content)


def _contiguous(values: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Return tensors that safetensors can write: contiguous, and none sharing memory with another."""
    return {name: value.detach().clone().contiguous() for name, value in values.items()}
