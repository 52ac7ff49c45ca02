"""What processes save of weights and moments, and read again: each shard in a file of its own.

A shard is a chunk of the first dimension, as ``torch.chunk`` cuts it (PyTorch FSDP, ``fully_shard``), so that all of
them one after the other are the whole. Files are safetensors: those of torch.distributed.checkpoint have pickled
metadata.
"""

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from torch import nn

from xstilts.models import distributed
from xstilts.models.distributed import Group

WEIGHTS, MOMENTS = "model", "optimiser"


def file_name(kind: str, shard: int, number: int) -> str:
    """Return the name of a shard's file of weights or of moments, as the hub names the files of a large model."""
    return f"{kind}.safetensors" if number == 1 else f"{kind}-{shard + 1:05d}-of-{number:05d}.safetensors"


def files(folder: Path, kind: str, number: int) -> list[Path]:
    """Return the files of so many shards, in their order."""
    return [folder / file_name(kind, shard, number) for shard in range(number)]


def trained(model: nn.Module) -> dict[str, nn.Parameter]:
    """Return the parameters that are trained, by name."""
    return {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}


def copies(model: nn.Module, optimiser: torch.optim.Optimizer) -> dict[str, dict[str, torch.Tensor]]:
    """Return copies in main memory of what this process holds of weights and moments, by kind and name.

    Args:
        model: those of its parameters that are trained are copied.
        optimiser: its moments, named by the number of their parameter.
    """
    states = optimiser.state_dict()["state"].items()
    moments = {f"{number}.{name}": value for number, values in states for name, value in values.items()}
    return {
        kind: {name: _copy(value) for name, value in values.items()}
        for kind, values in ((WEIGHTS, trained(model)), (MOMENTS, moments))
    }


def _copy(value: torch.Tensor) -> torch.Tensor:
    """Return a copy that safetensors can write: contiguous, and of memory of its own."""
    held = distributed.local(value.detach())
    return held.to("cpu", copy=True, memory_format=torch.contiguous_format)


def shapes(paths: Sequence[Path]) -> dict[str, tuple[int, ...]]:
    """Return the shapes of the whole tensors of which files have the shards."""
    found: dict[str, tuple[int, ...]] = {}
    with _opened(paths) as opened:
        for content in opened:
            for name in content.keys():  # noqa: SIM118
                shape = content.get_slice(name).get_shape()
                rows = [found.get(name, (0,))[0] + size for size in shape[:1]]
                found[name] = (*rows, *shape[1:])
    return found


def load(model: nn.Module, optimiser: torch.optim.Optimizer, folder: Path, number: int, group: Group) -> None:
    """Read what this process holds of weights and moments; all processes call it.

    Args:
        model: takes the weights.
        optimiser: takes the moments.
        folder: where the files are.
        number: number of shards that were saved. Where processes hold as many, each reads its own file; another number
            is cut anew from the whole, which a process has of one tensor at a time.
        group: the processes that read.
    """
    with _opened(files(folder, WEIGHTS, number)) as opened:
        for name, parameter in trained(model).items():
            _fill(parameter, _held(opened, name, parameter, group))
    parameters = [parameter for weights in optimiser.param_groups for parameter in weights["params"]]
    states: dict[int, dict[str, torch.Tensor]] = {}
    with _opened(files(folder, MOMENTS, number)) as opened:
        for key in opened[0].keys():  # noqa: SIM118
            index, _, name = key.partition(".")
            parameter = parameters[int(index)]
            value = _held(opened, key, parameter, group)
            # the number of steps is no moment
            if value.ndim:
                value = _fill(torch.empty_like(parameter), value)
            states.setdefault(int(index), {})[name] = value
    optimiser.load_state_dict({**optimiser.state_dict(), "state": states})


def _held(opened: Sequence[Any], name: str, example: torch.Tensor, group: Group) -> torch.Tensor:
    """Return what this process holds of a saved tensor that is divided as another one."""
    if len(opened) == group.shards:
        return opened[group.shard].get_tensor(name)
    shards = [content.get_tensor(name) for content in opened]
    whole = torch.cat(shards) if shards[0].ndim else shards[0]
    return distributed.local(distributed.alike(whole, example))


@torch.no_grad()
def _fill(tensor: torch.Tensor, held: torch.Tensor) -> torch.Tensor:
    """Return a tensor, of which this process's shard is overwritten."""
    distributed.local(tensor).copy_(held)
    return tensor


@contextlib.contextmanager
def _opened(paths: Sequence[Path]) -> Iterator[list[Any]]:
    """Give files of safetensors, of which only what is asked for is read."""
    with contextlib.ExitStack() as stack:
        yield [stack.enter_context(safe_open(path, framework="pt")) for path in paths]
