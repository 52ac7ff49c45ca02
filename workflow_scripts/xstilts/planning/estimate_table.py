"""The table of what a study's nodes cost, as text, and what its figures mean."""

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from xstilts.errors import counted
from xstilts.planning import memory_plan
from xstilts.planning.estimate import PREDICTED, Estimate
from xstilts.planning.gpu_types import GpuType
from xstilts.planning.memory_plan import MemoryPlan

_HEADER = ("params", "trained", "at once", "again", "device", "host", "disk", "tokens", "FLOPs", "GPUs", "hours")
_WIDTHS = (6, 7, 7, 5, 6, 5, 6, 6, 7, 4, 7)
_LINE = 120
_NAME = _LINE - sum(_WIDTHS) - len(_WIDTHS)
_MARKS = {"measured": "", "typical": "=", "bounded": "~", "assumed": "?"}


@dataclass(frozen=True)
class NodeCost:
    """The memory plan of a node, the name that the study has for it, and the precision of its matrix products."""

    name: str
    plan: MemoryPlan
    precision: str

    @property
    def cost(self) -> Estimate:
        """What it costs by its plan."""
        return self.plan.cost

    def hours(self, gpu_type: GpuType) -> float:
        """Return GPU-hours."""
        return self.cost.gpus * self.cost.hours(gpu_type, self.precision)


def text(costs: Mapping[str, Sequence[NodeCost]], gpu_type: GpuType, models: int, few_shots: int) -> str:
    """Return a line for each node, their total, what does not fit one GPU, and what the figures mean.

    Args:
        costs: those of the nodes by stage.
        gpu_type: the GPU type of the memory plans.
        models: how many models had their parameters counted.
        few_shots: how many trainings are on a few rows of one language.
    """
    lines = [_line("node", _HEADER)]
    for stage, nodes in costs.items():
        lines += [stage] if nodes else []
        lines += [_line(f"  {node.name}", _cells(node, gpu_type)) for node in nodes]
    everything = [node for nodes in costs.values() for node in nodes]
    lines += [_line(f"total of {counted(len(everything), 'node')}", _totals(everything, gpu_type)), ""]
    faults = [memory_plan.fault(node.name, node.plan, gpu_type) for node in everything]
    lines += [line for fault in filter(None, faults) for line in textwrap.wrap(fault, _LINE, subsequent_indent="  ")]
    lines += [f"Every node fits one {gpu_type.name}."] if not any(faults) else []
    return "\n".join(lines) + "\n\n" + _explanation(gpu_type, models, few_shots)


def _line(name: str, cells: Sequence[str]) -> str:
    """Return a line; a name that is too long stands alone on the line above."""
    numbers = " ".join(cell.rjust(width) for cell, width in zip(cells, _WIDTHS, strict=True))
    before = f"{name}\n{'':{_NAME}}" if len(name) > _NAME else f"{name:{_NAME}}"
    return f"{before} {numbers}"


def _cells(node: NodeCost, gpu_type: GpuType) -> list[str]:
    cost, hardware = node.cost, node.plan.hardware
    tokens = str(hardware.max_tokens_per_device or "all" * bool(cost.trained))
    again = "yes" if hardware.gradient_checkpointing and cost.trained else ""
    operations = _MARKS[cost.certainty] + _exponent(cost.operations)
    gpus = str(cost.gpus) if node.plan.fits else "none"
    counts = [_short(cost.parameters), _short(cost.trained), tokens, again]
    sizes = [_gigabytes(size) for size in (cost.memory, 1e6 * cost.host_megabytes, cost.disk)]
    return [*counts, *sizes, _short(cost.tokens), operations, gpus, f"{node.hours(gpu_type):.2f}"]


def _totals(nodes: Sequence[NodeCost], gpu_type: GpuType) -> list[str]:
    worst = max((node.cost.certainty for node in nodes), key=list(_MARKS).index, default="measured")
    disk = sum(node.cost.disk for node in nodes)
    tokens = sum(node.cost.tokens for node in nodes)
    operations = sum(node.cost.operations for node in nodes)
    hours = sum(node.hours(gpu_type) for node in nodes)
    return [*[""] * 6, _gigabytes(disk), _short(tokens), _MARKS[worst] + _exponent(operations), "", f"{hours:.1f}"]


def _gigabytes(size: float) -> str:
    return f"{size / 1e9:.1f}"


def _short(number: float) -> str:
    """Return a number with four digits and a letter for its size."""
    for letter, size in (("T", 1e12), ("B", 1e9), ("M", 1e6), ("k", 1e3)):
        if number >= size:
            return f"{number / size:.4g}{letter}"
    return f"{number:.0f}"


def _exponent(number: float) -> str:
    return f"{number:.1e}".replace("e+", "e")


def _explanation(gpu_type: GpuType, models: int, few_shots: int) -> str:
    """Return what the figures mean and what is assumed."""
    rates = (gpu_type.rate(precision) / 1e12 for precision in ("bfloat16", "float32"))
    limits = "at {:.0f} TFLOP/s in bfloat16 and {:.0f} in float32".format(*rates)
    shots = (
        f"`shots` of the study asks for {counted(few_shots, 'training')} of these, one for each arm, target, language"
        " and number of rows. Each loads the target's model, which is in no figure here and may take longer than the"
        " training: fewer `languages` or `seeds` make fewer of them."
    )
    paragraphs = (
        "The memory plan: tokens computed at once (padding included; `all`: whole batches; of prediction what is less"
        f" than {PREDICTED:,}), and whether layers are computed again in the backward pass: the first that fits"
        f" {gpu_type.memory:.0f} GB, a tenth left free. What config.yaml states stays.",
        "Device, host and disk in GB. Device: of each GPU: weights, with copies where products are in another type,"
        " gradients, Adam's moments, and what is kept for the backward pass (Korthikanti et al. 2022, section 4.1), in"
        " prediction for one layer. Host: what a job asks for. Disk: if every model stays; a training that runs has two"
        " checkpoints of 12 bytes a trained parameter beside.",
        f"Hours: GPU-hours of {gpu_type.name}, in all: products {limits} and {gpu_type.bandwidth:.2f} TB/s of memory,"
        f" or a kernel every {1e6 * gpu_type.launch:.1f} microseconds, whichever takes longer. FLOPs: Kaplan et al."
        " 2020, section 2.1, and attention. A training is taken to go to its end, and its evaluations on dev rows are"
        " left out.",
        "Where tokens are not made, =: rows as published, with as many tokens as was counted for XLM-R; ~: texts as"
        " long as may be, upper bounds; ?: so, and rows that nobody states.",
        *([shots] if few_shots else []),
        f"Parameters of {counted(models, 'model')}, built on the meta device: as the formula has them.",
    )
    return "".join(textwrap.fill(paragraph, _LINE) + "\n" for paragraph in paragraphs)
