"""Metrics of a training while it runs: lines of JSON, each of the steps since the line before.

They stand in ``results/logs/<stage>/<node>.metrics.jsonl``, beside the job's log, and of a grid of learning rates in a
file for each rate. They are no part of the node, for how fast a training was is another number each time.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from xstilts.store.files import write_atomically

ENDING = ".metrics.jsonl"


@dataclass(frozen=True, kw_only=True)
class Line:
    """Some steps of a training.

    Attributes:
        step: optimiser steps done, from the first of the training.
        learning_rate: of the last step.
        gradient_norm: mean over the steps, before it is limited.
        loss: mean over the steps of each task.
        tokens: of the batches of all processes, without padding.
        seconds: that the steps took, without evaluations and checkpoints.
        tokens_per_second: the one by the other.
        operations_per_second: floating-point operations of products with the backbone's weights, by each process.
        memory_mb: the largest memory of the process so far, in MiB.
        gpu: name of the GPU; None without one.
        gpu_memory_mb: the largest memory that tensors had on it so far, in MiB.
        joules: energy of this process's GPU for the steps; None where the driver does not tell.
    """

    step: int
    learning_rate: float
    gradient_norm: float
    loss: Mapping[str, float]
    tokens: int
    seconds: float
    tokens_per_second: float
    operations_per_second: float
    memory_mb: float
    gpu: str | None = None
    gpu_memory_mb: float | None = None
    joules: float | None = None


@cache
def _adapter() -> TypeAdapter[Line]:
    # made when something is read, as that of provenance
    return TypeAdapter(Line)


def path_of(results: Path, node: str, part: str = "") -> Path:
    """Return the file of a node's metrics.

    Args:
        results: the results folder.
        node: its id.
        part: which of several trainings of the node, such as ``rate-0.001``.
    """
    return results / "logs" / f"{node}{f'.{part}' if part else ''}{ENDING}"


def files_of(results: Path, node: str) -> list[Path]:
    """Return the files of a node's metrics that are there."""
    path = path_of(results, node)
    of_parts = path.parent.glob(f"{path.name.removesuffix(ENDING)}.*{ENDING}")
    return [*([path] if path.exists() else []), *sorted(of_parts)]


def text(line: Line) -> str:
    """Return a line of the file."""
    return json.dumps({name: value for name, value in asdict(line).items() if value is not None}) + "\n"


def read(path: Path) -> list[Line]:
    """Return the lines of a file, up to one that a killed process has not written to its end."""
    found = []
    for written in path.read_bytes().splitlines():
        try:
            found.append(_adapter().validate_json(written))
        except ValidationError:
            break
    return found


def cut(path: Path, step: int) -> None:
    """Delete the lines of steps behind one, from which a training goes on."""
    if path.exists():
        write_atomically(path, "".join(text(line) for line in read(path) if line.step <= step))


def tokens_per_second(lines: Sequence[Line]) -> float | None:
    """Return the tokens a second over all lines; None without one."""
    seconds = sum(line.seconds for line in lines)
    return sum(line.tokens for line in lines) / seconds if seconds else None
