"""Estimates of a study's jobs against what they took, where they ran on GPUs: hours, and memory of the device.

What a job took is in the provenance of its node (``store/provenance.py``): all of it, with loading, evaluations on dev
rows and saving, which the estimate leaves out. So a ratio above 1 is time that no formula has.
"""

import math
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from xstilts.errors import counted
from xstilts.planning import estimate, memory_plan
from xstilts.planning.gpu_types import GpuType
from xstilts.planning.nodes import Plan
from xstilts.planning.registry import Registry
from xstilts.planning.settings import Settings
from xstilts.store import provenance
from xstilts.store.stages import COMPUTING

_WIDTH = 58


@dataclass(frozen=True)
class Ran:
    """A node that was made on GPUs.

    Attributes:
        name: the study's first name for it.
        stage: its stage.
        gpu: what the driver calls them.
        estimated: GPU-hours by the estimate.
        took: GPU-hours.
        memory: bytes of a GPU by the estimate.
        peak: bytes that tensors had on it at most; None where that was not noted.
    """

    name: str
    stage: str
    gpu: str
    estimated: float
    took: float
    memory: float
    peak: float | None


def ran(plan: Plan, registry: Registry, settings: Settings, gpu_type: GpuType) -> tuple[list[Ran], int]:
    """Return the nodes of a study that were made on GPUs, and how many others were made.

    Raises:
        UserError: as ``memory_plan.of_node`` and ``provenance.read``.
    """
    found, others = [], 0
    for node in (node for stage in COMPUTING for node in plan.stage(stage).values()):
        made = provenance.read(Path(settings.results) / node.id)
        if made is None or made.gpu is None:
            others += made is not None
            continue
        cost = memory_plan.of_node(node, plan, registry, settings, gpu_type, made.gpus).cost
        hours = made.gpus * cost.hours(gpu_type, estimate.numerics_of(node.spec).precision)
        peak = None if made.peak_gpu_memory_mb is None else made.peak_gpu_memory_mb * 2**20
        name = plan.made.names[node.id][0]
        found.append(Ran(name, node.stage, made.gpu, hours, made.gpu_seconds / 3600, cost.memory, peak))
    return found, others


def text(found: Sequence[Ran], others: int, gpu_type: GpuType) -> str:
    """Return a line for each node, a line for each stage, and what the figures mean.

    Args:
        found: nodes that were made on GPUs.
        others: how many were made without one.
        gpu_type: the GPU type of the estimates.
    """
    if not found:
        return f"No node of this study was made on a GPU, and {counted(others, 'node')} without one.\n"
    lines = [_line("node", "hours", "took", "ratio", "GB", "peak", "ratio")]
    for stage in dict.fromkeys(each.stage for each in found):
        nodes = [each for each in found if each.stage == stage]
        lines += [_compared(f"  {each.name}", [each]) for each in nodes]
        lines.append(_compared(f"{stage}: {counted(len(nodes), 'node')}", nodes))
    lines += [_compared("all", found), ""]
    on = ", ".join(sorted({each.gpu for each in found}))
    explanation = (
        f"GPU-hours of {gpu_type.name} and GB of each by the estimate; GPU-hours that jobs took, with loading,"
        f" evaluation and saving, and GB that tensors had at most, on {on}."
        f" {counted(others, 'node')} without a GPU left out."
    )
    return "\n".join(lines) + "\n" + textwrap.fill(explanation, 120) + "\n"


def _compared(name: str, nodes: Sequence[Ran]) -> str:
    """Return a line for nodes: sums of hours, and the largest memory."""
    estimated, took = sum(each.estimated for each in nodes), sum(each.took for each in nodes)
    largest = max(nodes, key=lambda each: each.peak or 0.0)
    sizes = ["", "", ""]
    if largest.peak is not None:
        sizes = [f"{largest.memory / 1e9:.1f}", f"{largest.peak / 1e9:.1f}", f"{largest.peak / largest.memory:.2f}"]
    return _line(name, f"{estimated:.2f}", f"{took:.2f}", f"{took / estimated if estimated else math.nan:.2f}", *sizes)


def _line(name: str, *cells: str) -> str:
    """Return a line; a name that is too long stands alone on the line above."""
    before = f"{name}\n{'':{_WIDTH}}" if len(name) > _WIDTH else f"{name:{_WIDTH}}"
    return before + "".join(cell.rjust(9) for cell in cells)
