"""Checkpoints of a training run in its work directory, to resume from. The directory is no output of the DAG.

A checkpoint is a folder with weights, moments and ``state.json``, which states the run, the step and the SHA-256 of
all that the run needs to continue, itself with them. One that does not fit is passed over: the one before it is used,
and without any the run starts anew.
"""

import hashlib
import json
import logging
import os
import shutil
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import nn

from xstilts.models import distributed
from xstilts.store.files import file_sha256, file_sha256_once, sync, sync_one

log = logging.getLogger(__name__)

_STATE, _WEIGHTS, _MOMENTS = "state.json", "model.safetensors", "optimiser.safetensors"
# checkpoints that stay: should the last one be damaged, the one before it is used
_KEPT = 2


def remove(work: Path) -> None:
    """Delete a work directory whose run is complete."""
    shutil.rmtree(work, ignore_errors=True)


def save_checkpoint(
    work: Path,
    run: str,
    model: nn.Module,
    optimiser: torch.optim.Optimizer,
    state: Mapping[str, Any],
    beside: Iterable[Path],
    group: distributed.Group,
) -> None:
    """Write a checkpoint whole, then delete those before the last two; all processes call it, the first one writes.

    Args:
        work: the work directory.
        run: digest of all that decides the run, which alone may resume from it.
        model: those of its parameters that are trained are saved.
        optimiser: its moments are saved, in the order of its parameters.
        state: JSON values of the training loop; ``step`` is the number of optimiser steps done.
        beside: folders in the work directory whose files the run needs too.
        group: the processes.
    """
    weights = distributed.gather(_trained(model), group)
    states = optimiser.state_dict()["state"].items()
    moments = distributed.gather(
        {f"{number}.{name}": value for number, values in states for name, value in values.items()}, group
    )
    if group.leads:
        scratch = Path(tempfile.mkdtemp(dir=work, prefix=".checkpoint."))
        save_file(_contiguous(weights), scratch / _WEIGHTS)
        save_file(_contiguous(moments), scratch / _MOMENTS)
        stated = {
            "run": run,
            "state": dict(state),
            "files": {name: file_sha256(scratch / name) for name in (_WEIGHTS, _MOMENTS)},
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
        group: the processes; the first one chooses.
    """
    path = group.share(_newest(work, run, model) if group.leads else None)
    if path is None:
        return None
    weights, moments = load_file(path / _WEIGHTS), load_file(path / _MOMENTS)
    with torch.no_grad():
        for name, parameter in _trained(model).items():
            parameter.copy_(distributed.alike(weights[name], parameter))
    _load_moments(optimiser, moments)
    state: dict[str, Any] = json.loads((path / _STATE).read_text(encoding="utf-8"))["state"]
    log.info("resuming at step %d", state["step"])
    return state


def _newest(work: Path, run: str, model: nn.Module) -> Path | None:
    """Return the newest checkpoint that fits, and say of those after it what is wrong with them."""
    for left_over in work.glob(".checkpoint.*"):
        shutil.rmtree(left_over, ignore_errors=True)
    found = checkpoints(work)
    for path in reversed(found):
        fault = _fault(path, run, model)
        if fault is None:
            return path
        following = "starting anew" if path == found[0] else "trying the one before it"
        log.warning("%s: %s; %s", path, fault, following)
    return None


def _fault(path: Path, run: str, model: nn.Module) -> str | None:
    """Return why a run cannot be resumed from a checkpoint; None if it can."""
    try:
        stated = json.loads((path / _STATE).read_text(encoding="utf-8"))
        if stated.pop("digest") != _digest(stated) or path != _folder(path.parent, stated["state"]["step"]):
            return f"{_STATE} is damaged"
        if stated["run"] != run:
            return "it is of another run"
        hashes = {path / name: sha256 for name, sha256 in stated["files"].items()}
        hashes |= {path.parent / name: sha256 for name, sha256 in stated["beside"].items()}
        for file, sha256 in hashes.items():
            if file_sha256(file) != sha256:
                return f"{file.name} is damaged"
        with safe_open(path / _WEIGHTS, framework="pt") as weights:
            shapes = {name: tuple(weights.get_slice(name).get_shape()) for name in weights.keys()}  # noqa: SIM118
    except (OSError, ValueError, KeyError, TypeError, AttributeError, SafetensorError) as error:
        return f"not readable ({error!r})"
    # another version of the code, or of a library, may call them otherwise
    if shapes != {name: tuple(parameter.shape) for name, parameter in _trained(model).items()}:
        return "its weights are not those of this model"
    return None


def _digest(stated: Mapping[str, Any]) -> str:
    """Return the SHA-256 of JSON values, among which may be numbers that are none (NaN)."""
    return hashlib.sha256(json.dumps(stated, sort_keys=True).encode()).hexdigest()


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
    """Return tensors that safetensors can write: contiguous; trained weights and moments share no memory."""
    return {name: value.detach().contiguous() for name, value in values.items()}
