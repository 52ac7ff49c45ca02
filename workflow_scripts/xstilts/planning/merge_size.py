"""What a merge takes: bytes of disk and of the host's memory. It needs no GPU."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from xstilts.errors import counted
from xstilts.planning import estimate
from xstilts.planning.nodes import Node, Plan
from xstilts.planning.registry import Registry
from xstilts.planning.weight_bytes import bytes_of
from xstilts.store.specs.models import MergedSpec, TrainingSpec


@dataclass(frozen=True)
class MergeSize:
    """What a merge takes, in bytes.

    Attributes:
        disk: of the model that stays.
        beside: of the whole models that are on the disk while it is made (``models/merging.py``).
        host: of the host's memory: one model at a time, in float32, and a process.
    """

    disk: float
    beside: float
    host: float


def of_node(node: Node, plan: Plan, registry: Registry, results: Path) -> MergeSize:
    """Return what a merge takes.

    Raises:
        UserError: if the size of the model is not known.
    """
    spec = node.spec
    assert isinstance(spec, MergedSpec)
    shape = estimate.shape_of(node, plan, registry, results, spec.numerics)
    stored = float(bytes_of(spec.numerics.dtype) * shape.parameters)
    added = 4.0 * shape.parameters
    members = [plan.nodes[member].spec for member in spec.members]
    # an adapter is added to weights in float32
    laid_down = [added if isinstance(one, TrainingSpec) and one.method.is_adapter else stored for one in members]
    return MergeSize(disk=stored, beside=stored + sum(laid_down), host=added + estimate.PROCESS)


def megabytes(node: Node, plan: Plan, registry: Registry, results: Path) -> int:
    """Return what the job of a merge needs of the host's memory.

    Raises:
        UserError: as ``of_node``.
    """
    return round(of_node(node, plan, registry, results).host / 1e6)


def text(sizes: Iterable[MergeSize]) -> str:
    """Return in a line what all merges of a study take, on disk and at most beside; nothing without any."""
    found = list(sizes)
    if not found:
        return ""
    disk, beside = sum(size.disk for size in found) / 1e9, max(size.beside for size in found) / 1e9
    return (
        f"\nMerged: {counted(len(found), 'model')} without a training or a GPU, {disk:.1f} GB of disk beside the total;"
        f" while one is made, at most {beside:.1f} GB more.\n"
    )
