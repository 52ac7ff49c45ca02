"""Whole trainings by the loop, of made-up texts and nodes that stand nowhere, each in a process of its own."""

import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow
import pyarrow.parquet
import torch

from xstilts.data.dataset import Split
from xstilts.hardware import Hardware
from xstilts.models import distributed
from xstilts.models.distributed import Group
from xstilts.store.files import file_sha256
from xstilts.store.sampling import Sampling
from xstilts.store.specs.models import IntermediateSpec, Numerics
from xstilts.training import loop
from xstilts.training.gpu_checks.models import schedule_of, tokens_of
from xstilts.training.gpu_checks.trainings import FULL, LABELS, LEARNING_RATE, OPTIMISATION, SEED, TASK

# a run's work directory, the model that it saves, and what it leaves to be read
WORK, _OUT, _LEFT = "work", "out", "left.json"


@dataclass(frozen=True)
class Size:
    """How large a training is: its vocabulary, the longest of its texts, their number in a step, and steps."""

    vocabulary: int
    longest: int
    batch_size: int
    steps: int


@dataclass(frozen=True)
class Left:
    """What a training leaves: the SHA-256s of what it saved, and the most bytes that it had on a GPU."""

    digests: Mapping[str, str]
    peak: int


def environment(is_reproducible: bool) -> dict[str, str]:
    """Return the variables of a training's process."""
    # cuBLAS then adds in the same order every time (its documentation, results reproducibility)
    return {"CUBLAS_WORKSPACE_CONFIG": ":4096:8"} if is_reproducible else {}


def train(
    model: Path, place: Path, size: Size, hardware: Hardware, is_reproducible: bool, memory: float | None = None
) -> None:
    """Train a model, or go on with what is there.

    Args:
        model: the folder of the model to start from.
        place: where the run has its work directory, and leaves what ``left`` reads.
        size: of the training.
        hardware: what it may use.
        is_reproducible: whether kernels have to be those that add in the same order every time.
        memory: bytes that it may take on a GPU; None for all that there are.
    """
    torch.use_deterministic_algorithms(is_reproducible)
    device, work, out = distributed.device(), place / WORK, place / _OUT
    if memory is not None and device.type == "cuda":
        torch.cuda.set_per_process_memory_fraction(memory / torch.cuda.mem_get_info()[1])
    work.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir()
    loop.train(_run(model, work, size, hardware, device), place, out)
    peak = torch.cuda.max_memory_allocated() if device.type == "cuda" else 0
    digests = {path.name: file_sha256(path) for path in sorted(out.iterdir())}
    (place / _LEFT).write_text(json.dumps({"digests": digests, "peak": peak}), encoding="utf-8")


def left(place: Path) -> Left:
    """Return what a training has left."""
    return Left(**json.loads((place / _LEFT).read_text(encoding="utf-8")))


def _run(model: Path, work: Path, size: Size, hardware: Hardware, device: torch.device) -> loop.Run:
    lengths = np.random.default_rng(0).integers(5, size.longest, size=8 * size.batch_size)
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
        schedule=schedule_of(tokens, task, size.steps), workplace=work, hardware=hardware, group=Group(), device=device,
    )  # fmt: skip
