"""Several processes train as one does: over NCCL on all GPUs, or, where there is one, two over gloo on the CPU.

Processes have as many texts each, but of unequal lengths, so that they need unequal numbers of passes.
"""

import json
import socket
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch

from xstilts.hardware import Hardware
from xstilts.models import distributed
from xstilts.models.backbone import load_backbone
from xstilts.store.specs.models import Numerics
from xstilts.training.gpu_checks import children, families
from xstilts.training.gpu_checks.checks import Check, equality, largest_difference
from xstilts.training.gpu_checks.families import LONGEST, VOCABULARY
from xstilts.training.gpu_checks.machine import Machine
from xstilts.training.gpu_checks.models import Steps, ready, tokens_of
from xstilts.training.gpu_checks.trainings import FULL, LORA

_STEPS, _RATE, _LIMIT = 6, 1e-3, 1e-4
# of a batch's about 180 tokens
_TOKENS_AT_ONCE = 64
_WAYS = ("sharded", "replicated")
# with weights that are sharded, and whole in each process
_CASES = tuple((family, method, way) for family, method in (("xlm-roberta", FULL), ("qwen3", LORA)) for way in _WAYS)
_ON_THE_CPU = {"CUDA_VISIBLE_DEVICES": ""}


def run(machine: Machine) -> Iterator[Check]:
    """Yield a row for each model: the largest difference between the losses of several processes and those of one."""
    for family in {family for family, *_ in _CASES}:
        families.folder_of(family, machine.scratch / "families")
    # asked of the driver's library alone, in a process that will be forked
    gpus = torch.cuda.device_count() if machine.has_gpu else 0
    size, where, environment = (gpus, "NCCL", {}) if gpus > 1 else (2, "gloo on the CPU", _ON_THE_CPU)
    alone, several = (_losses(machine, count, environment) for count in (1, size))
    for (family, method, way), one, other in zip(_CASES, alone, several, strict=True):
        yield equality(f"{size} over {where}: {family}, {method.name}, {way}", largest_difference(one, other), _LIMIT)


def _losses(machine: Machine, size: int, environment: Mapping[str, str]) -> list[list[float]]:
    """Return the losses of each case, as so many processes find them.

    Raises:
        ChildProcessError: if one of them ends with an error.
    """
    place = machine.scratch / f"losses-of-{size}.json"
    address = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(_free_port()), "WORLD_SIZE": str(size), **environment}
    processes = [
        children.start(_train, machine.scratch, place, size, RANK=str(rank), LOCAL_RANK=str(rank), **address)
        for rank in range(size)
    ]
    codes = [children.end(process) for process in processes]
    if any(codes):
        raise ChildProcessError(f"processes that trained together ended with {codes}")
    found: list[list[float]] = json.loads(place.read_text(encoding="utf-8"))
    return found


def _train(scratch: Path, place: Path, size: int) -> None:
    """Train each case as one of so many processes; the first one writes the losses."""
    group, device = distributed.join(size), distributed.device()
    numerics = Numerics(submodel=None, dtype="float32", precision="float32")
    tokens = tokens_of(np.random.default_rng(0).integers(5, LONGEST, size=32), VOCABULARY)
    losses = []
    for family, method, way in _CASES:
        held = replace(group, shards=size if way == "sharded" else 1)
        backbone = load_backbone(families.folder_of(family, scratch / "families"))
        model = ready(backbone, method, numerics, torch.device("cpu"))
        distributed.shard(model, held, model.reduced)
        model = model.to(device)
        steps = Steps(model, tokens, _STEPS, device, group=held, hardware=Hardware(_TOKENS_AT_ONCE), rate=_RATE)
        losses.append(steps.losses())
    if group.leads:
        place.write_text(json.dumps(losses), encoding="utf-8")
    if size > 1:
        torch.distributed.destroy_process_group()


def _free_port() -> int:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return int(taken.getsockname()[1])
