"""Whole trainings by the loop, of made-up texts and nodes that stand nowhere, each in a process of its own."""

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pyarrow.parquet
import torch
from torch import nn
from torch.nn.modules.module import register_module_forward_pre_hook

from xstilts.data.dataset import Split
from xstilts.hardware import Hardware
from xstilts.models import distributed
from xstilts.models.distributed import Group
from xstilts.models.model import Model
from xstilts.store.files import file_sha256
from xstilts.store.sampling import Sampling
from xstilts.store.specs.models import IntermediateSpec, Numerics
from xstilts.training import devices, loop
from xstilts.training.gpu_checks.models import schedule_of, tokens_of
from xstilts.training.gpu_checks.trainings import FULL, LABELS, LEARNING_RATE, OPTIMISATION, SEED, TASK

# a run's work directory, the model that it saves, and what it leaves to be read
WORK, _OUT, _LEFT = "work", "out", "left.json"


@dataclass(frozen=True)
class Size:
    """How large a training is: its vocabulary, tokens of the shortest and longest text, texts of a step, and steps."""

    vocabulary: int
    shortest: int
    longest: int
    batch_size: int
    steps: int


@dataclass(frozen=True)
class Left:
    """What a training leaves: the SHA-256s of what it saved, and the most memory that it took (see ``train``)."""

    digests: Mapping[str, str]
    peak: int


def train(
    model: Path, place: Path, size: Size, hardware: Hardware, is_reproducible: bool, memory: float | None = None
) -> None:
    """Train a model, or go on with what is there, in a process that has computed nothing yet.

    Args:
        model: the folder of the model to start from.
        place: where the run has its work directory, and leaves what ``left`` reads.
        size: of the training.
        hardware: what it may use.
        is_reproducible: whether kernels are those that add in the same order every time, where there are such.
        memory: what it may take: bytes on a GPU; on a CPU, where none lacks, positions computed at once in their place.
            None for all that there is.
    """
    if is_reproducible:
        devices.use_reproducible_kernels()
    device, work, out = distributed.device(), place / WORK, place / _OUT
    if memory is not None and device.type == "cuda":
        torch.cuda.set_per_process_memory_fraction(memory / torch.cuda.mem_get_info()[1])
    computed = _positions(None if device.type == "cuda" else memory)
    work.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir()
    loop.train(_run(model, work, size, hardware, device), place, out)
    peak = torch.cuda.max_memory_allocated() if device.type == "cuda" else max(computed)
    digests = {path.name: file_sha256(path) for path in sorted(out.iterdir())}
    (place / _LEFT).write_text(json.dumps({"digests": digests, "peak": peak}), encoding="utf-8")


def _positions(limit: float | None) -> list[int]:
    """Return the list to which the positions of all that a model is trained on in this process are added.

    More at once than the limit have no memory.
    """
    found: list[int] = []

    def note(module: nn.Module, arguments: tuple[Any, ...]) -> None:
        if not isinstance(module, Model) or not module.training:
            return
        positions = arguments[1]["ids"].numel()
        if limit is not None and positions > limit:
            raise torch.OutOfMemoryError(f"{positions} positions at once, where {limit:.0f} are allowed")
        found.append(positions)

    register_module_forward_pre_hook(note)
    return found


def left(place: Path) -> Left:
    """Return what a training has left."""
    return Left(**json.loads((place / _LEFT).read_text(encoding="utf-8")))


def _run(model: Path, work: Path, size: Size, hardware: Hardware, device: torch.device) -> loop.Run:
    lengths = np.random.default_rng(0).integers(size.shortest, size.longest + 1, size=8 * size.batch_size)
    tokens = tokens_of(lengths, size.vocabulary)
    rows = [{"language": "en", "label": int(label)} for label in tokens.arrays["labels"]]
    path = work / "rows.parquet"
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), path)
    split, task = Split(tokens, path, "", LABELS), replace(TASK, batch_size=size.batch_size)
    spec = IntermediateSpec(
        version=1, parents={}, tasks=[task], sampling=Sampling(steps=size.steps), learning_rate=LEARNING_RATE,
        optimisation=OPTIMISATION, method=FULL, early_stopping=None, warm_start_head=None, seed=SEED,
        numerics=Numerics(submodel=None, dtype="float32", precision="bfloat16"),
    )  # fmt: skip
    return loop.Run(
        spec=spec, folders=[model], fingerprint={}, base=None, tasks=[task], data=[{"train": split, "dev": split}],
        schedule=schedule_of(tokens, task, size.steps), workplace=work, results=work.parent, hardware=hardware,
        group=Group(), device=device,
    )  # fmt: skip
