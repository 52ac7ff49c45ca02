"""What a merge takes: bytes of disk and of the host's memory. It needs no GPU."""

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from xstilts.errors import counted
from xstilts.planning import estimate, measured_size, model_size
from xstilts.planning.nodes import Node, Plan
from xstilts.planning.registry import Registry
from xstilts.store.specs.models import MergedSpec, TrainingSpec

# bytes of the host's memory beside the model: libraries, and a file of merged weights
_PROCESS = 6e9


@dataclass(frozen=True)
class MergeSize:
    """What a merge takes, in bytes.

    Attributes:
        disk: of the model that stays.
        beside: of the whole models that are on the disk while it is made (``models/merging.py``).
        host: of the host's memory: one model at a time, in float32.
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
    numerics = spec.numerics
    shape = measured_size.of_node(estimate.base_of(node, plan), plan, numerics.attention)
    if shape is None:
        config = estimate.config_of(node, plan, registry, results)
        shape = model_size.read(config, numerics.submodel, numerics.attention)
    stored = (2.0 if numerics.dtype == "bfloat16" else 4.0) * shape.parameters
    added = 4.0 * shape.parameters
    members = [plan.nodes[member].spec for member in spec.members]
    # an adapter is added to weights in float32
    laid_down = [added if isinstance(one, TrainingSpec) and one.method.is_adapter else stored for one in members]
    return MergeSize(disk=stored, beside=stored + sum(laid_down), host=added + _PROCESS)


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
