"""The table of what a study's nodes cost, as text, and what its figures mean."""

import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from xstilts.errors import counted
from xstilts.hardware import Hardware
from xstilts.planning.estimate import Estimate
from xstilts.planning.gpu_types import GPU_TYPES, UTILISATION, GpuType

_HEADER = ("params", "trained", "weights", "grads", "Adam", "kept", "disk", "tokens", "FLOPs", "GPUs", "hours")
_WIDTHS = (6, 7, 7, 5, 5, 6, 6, 6, 7, 4, 7)
_LINE = 120
_NAME = _LINE - sum(_WIDTHS) - len(_WIDTHS)
_MARKS = {"measured": "", "bounded": "~", "assumed": "?"}


@dataclass(frozen=True)
class NodeCost:
    """What a node costs, the name that the study has for it, and the precision of its matrix products."""

    name: str
    cost: Estimate
    precision: str

    def hours(self, gpu_type: GpuType) -> float:
        """Return hours of a GPU type."""
        return self.cost.hours(gpu_type, self.precision)


def text(costs: Mapping[str, Sequence[NodeCost]], gpu: str, hardware: Hardware, models: int, few_shots: int) -> str:
    """Return a line for each node, their total, and what the figures mean.

    Args:
        costs: those of the nodes by stage.
        gpu: the GPU type that hours are for, a key of ``GPU_TYPES``.
        hardware: settings of the machine that were assumed.
        models: how many models had their parameters counted.
        few_shots: how many trainings are on a few rows of one language.
    """
    gpu_type = GPU_TYPES[gpu]
    lines = [_line("node", _HEADER)]
    for stage, nodes in costs.items():
        lines += [stage] if nodes else []
        lines += [_line(f"  {node.name}", _cells(node, gpu_type)) for node in nodes]
    everything = [node for nodes in costs.values() for node in nodes]
    lines.append(_line(f"total of {counted(len(everything), 'node')}", _totals(everything, gpu_type)))
    return "\n".join(lines) + "\n\n" + _explanation(gpu, hardware, models, few_shots)


def _line(name: str, cells: Sequence[str]) -> str:
    """Return a line; a name that is too long stands alone on the line above."""
    numbers = " ".join(cell.rjust(width) for cell, width in zip(cells, _WIDTHS, strict=True))
    before = f"{name}\n{'':{_NAME}}" if len(name) > _NAME else f"{name:{_NAME}}"
    return f"{before} {numbers}"


def _cells(node: NodeCost, gpu_type: GpuType) -> list[str]:
    cost = node.cost
    sizes = (cost.weights, cost.gradients, cost.optimiser, cost.activations, cost.disk)
    operations = _MARKS[cost.certainty] + _exponent(cost.operations)
    counts = [_short(cost.parameters), _short(cost.trained)]
    gpus, hours = str(cost.gpus(gpu_type)), f"{node.hours(gpu_type):.2f}"
    return [*counts, *map(_gigabytes, sizes), _short(cost.tokens), operations, gpus, hours]


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


def _explanation(gpu: str, hardware: Hardware, models: int, few_shots: int) -> str:
    """Return what the figures mean and what is assumed."""
    limit, gpu_type = hardware.max_tokens_per_device, GPU_TYPES[gpu]
    batch = "whole batches" if limit is None else f"{limit} tokens at once"
    layers = "layers computed again" if hardware.gradient_checkpointing else "no layer computed again"
    shots = (
        f"`shots` of the study asks for {counted(few_shots, 'training')} of these, one for each arm, target, language and"
        " number of rows. Each loads the target's model, which is in no figure here and may take longer than the training:"
        " fewer `languages` or `seeds` make fewer of them."
    )
    paragraphs = (
        "Weights, gradients, Adam's moments, what is kept, and disk in GB. Weights: in float32 under bfloat16 they have"
        f" copies. Kept for the backward pass (Korthikanti et al. 2022, section 4.1): {batch}, {layers}; by"
        " `max_tokens_per_device` and `gradient_checkpointing` in config.yaml it is less. In prediction it is one"
        " layer. Disk: if every model stays; a training that runs has two checkpoints of 12 bytes a trained parameter"
        " beside.",
        f"GPUs: on how many {gpu} ({gpu_type.memory} GB, a tenth left free) it fits. Hours: of one {gpu}, in all, at"
        f" {UTILISATION:.0%} of its {gpu_type.bfloat16:g} TFLOP/s in bfloat16 and {gpu_type.float32:g} in"
        " float32. FLOPs: Kaplan et al. 2020, section 2.1, and attention. A training is taken to go to its end, and"
        " its evaluations on dev rows are left out.",
        "~: rows as published and texts as long as may be, upper bounds, for the tokens are not made. ?: so, and rows"
        " that nobody states.",
        *([shots] if few_shots else []),
        f"Parameters of {counted(models, 'model')}, built on the meta device: as the formula has them.",
    )
    return "".join(textwrap.fill(paragraph, _LINE) + "\n" for paragraph in paragraphs)
