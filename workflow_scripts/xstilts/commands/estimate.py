"""Print what a study's nodes will cost: parameters, memory, disk, tokens, operations and GPU-hours."""

import argparse
import json
import sys
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from xstilts.errors import UserError
from xstilts.hardware import Hardware
from xstilts.planning import estimate, index, model_size, registry
from xstilts.planning.estimate import Estimate
from xstilts.planning.gpu_types import GPU_TYPES, UTILISATION, GpuType
from xstilts.planning.nodes import Node, Plan
from xstilts.planning.plan import Indexes, make_plan
from xstilts.planning.settings import Settings, local
from xstilts.planning.study import Study, read_study
from xstilts.store.stages import COMPUTING

_HEADER = ("params", "trained", "weights", "grads", "Adam", "kept", "disk", "tokens", "FLOPs", "GPUs", "hours")
_WIDTHS = (6, 7, 7, 5, 5, 6, 6, 6, 7, 4, 7)
_NAME = 120 - sum(_WIDTHS) - len(_WIDTHS)
_MARKS = {"measured": "", "bounded": "~", "assumed": "?"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's arguments."""
    parser.add_argument("study", type=Path, nargs="?", default=None, help="a study file; by default the configured one")
    parser.add_argument("--gpu", choices=GPU_TYPES, default="h100", help="the gpu_type that hours are for (h100)")


def run(arguments: argparse.Namespace) -> None:
    """Run the command."""
    settings = local()
    known = registry.load(settings.own_tasks)
    study = read_study(arguments.study or settings.study, known)
    plan = _plan(study, known, settings)
    hardware = Hardware(settings.max_tokens_per_device, settings.gradient_checkpointing)
    gpu_type, lines = GPU_TYPES[arguments.gpu], [_row("node", _HEADER)]
    everything: list[tuple[Node, Estimate]] = []
    for stage in COMPUTING:
        nodes = plan.stage(stage).values()
        found = [(node, estimate.of_node(node, plan, known, settings.results, hardware)) for node in nodes]
        lines += (
            [stage, *(_row(f"  {plan.made.names[node.id][0]}", _cells(node, one, gpu_type)) for node, one in found)]
            if found
            else []
        )
        everything += found
    lines.append(_row(f"total of {len(everything)} nodes", _totals(everything, gpu_type)))
    checked = _checked([node for node, _ in everything], plan, known, settings.results)
    sys.stdout.write("\n".join(lines) + "\n\n" + _explained(arguments.gpu, gpu_type, hardware, checked))


def _row(name: str, cells: Sequence[str]) -> str:
    """Return a line; a name that is too long has one of its own above it."""
    numbers = " ".join(cell.rjust(width) for cell, width in zip(cells, _WIDTHS, strict=True))
    before = f"{name}\n{'':{_NAME}}" if len(name) > _NAME else f"{name:{_NAME}}"
    return f"{before} {numbers}"


def _cells(node: Node, found: Estimate, gpu_type: GpuType) -> list[str]:
    sizes = (found.weights, found.gradients, found.optimiser, found.activations, found.disk)
    return [
        _short(found.parameters), _short(found.trained), *[f"{size / 1e9:.1f}" for size in sizes],
        _short(found.tokens), _MARKS[found.certainty] + _exponent(found.operations), str(found.gpus(gpu_type)),
        f"{found.hours(gpu_type, node.spec['precision']):.2f}",
    ]  # fmt: skip


def _totals(found: Sequence[tuple[Node, Estimate]], gpu_type: GpuType) -> list[str]:
    worst = max((one.certainty for _, one in found), key=list(_MARKS).index, default="measured")
    disk, tokens, operations = (
        sum(getattr(one, what) for _, one in found) for what in ("disk", "tokens", "operations")
    )
    hours = sum(one.hours(gpu_type, estimate.numerics_of(node.spec).precision) for node, one in found)
    known = _MARKS[worst] + _exponent(operations)
    return [*[""] * 6, f"{disk / 1e9:.1f}", _short(tokens), known, "", f"{hours:.1f}"]


def _short(number: float) -> str:
    """Return a number with four digits and a letter for its size."""
    for letter, size in (("T", 1e12), ("B", 1e9), ("M", 1e6), ("k", 1e3)):
        if number >= size:
            return f"{number / size:.4g}{letter}"
    return f"{number:.0f}"


def _exponent(number: float) -> str:
    return f"{number:.1e}".replace("e+", "e")


def _explained(name: str, gpu_type: GpuType, hardware: Hardware, checked: int) -> str:
    """Return what the figures mean and what is assumed."""
    tokens = (
        "whole batches"
        if hardware.max_tokens_per_device is None
        else f"{hardware.max_tokens_per_device} tokens at once"
    )
    again = "layers computed again" if hardware.gradient_checkpointing else "no layer computed again"
    paragraphs = (
        "Weights, gradients, Adam's moments, what is kept, and disk in GB. Weights: in float32 under bfloat16 they have"
        f" copies. Kept for the backward pass (Korthikanti et al. 2022, section 4.1): {tokens}, {again}; by"
        " `max_tokens_per_device` and `gradient_checkpointing` in config.yaml it is less. In prediction it is one layer. Disk:"
        " if every model stays; a training that runs has two checkpoints of 12 bytes a trained parameter beside.",
        f"GPUs: on how many {name} ({gpu_type.memory} GB, a tenth left free) it fits. Hours: of one {name}, in all, at"
        f" {UTILISATION:.0%} of its {gpu_type.bfloat16:g} TFLOP/s in bfloat16 and {gpu_type.float32:g} in float32."
        " FLOPs: Kaplan et al. 2020, section 2.1, and attention. A training is taken to go to its end, and its"
        " evaluations on dev rows are left out.",
        "~: rows as published and texts as long as may be, upper bounds, for the tokens are not made. ?: so, and rows"
        " that nobody states.",
        f"Parameters of {checked} models, built on the meta device: as the formula has them.",
    )
    return "".join(textwrap.fill(paragraph, 120) + "\n" for paragraph in paragraphs)


def _checked(nodes: Sequence[Node], plan: Plan, known: registry.Registry, results: Path) -> int:
    """Count the parameters of each model, built without weights, and return how many models there are.

    Raises:
        UserError: if the formula gives another number.
    """
    import torch
    import transformers

    models = {}
    for node in nodes:
        config, submodel = estimate.config_of(node, plan, known, results), estimate.numerics_of(node.spec).submodel
        models[json.dumps(config, sort_keys=True), submodel] = plan.made.names[estimate.base_of(node, plan).id][0]
    for (text, submodel), name in models.items():
        config = json.loads(text)
        kind = transformers.AutoModel if submodel is None else transformers.AutoModelForTextEncoding
        with torch.device("meta"):
            model = kind.from_config(transformers.AutoConfig.for_model(**config))
        counted = sum(value.numel() for key, value in model.named_parameters() if not key.startswith("pooler."))
        stated = model_size.read(config, submodel).parameters
        if counted != stated:
            raise UserError(f"model {name}: transformers counts {counted} parameters, shapes.py {stated}; report this")
    return len(models)


def _plan(study: Study, known: registry.Registry, settings: Settings) -> Plan:
    """Plan a study whose models and mirror need not be here: configurations alone count."""
    named = {known.models[model]["weights_of"] or model for model in study.models}
    # a model with a download has its usual address, under which it and its tokens may be here
    models: dict[str, Any] = {
        name: {"config.json": {"sha256": "0" * 64}}
        for name in named
        if all(known.models[name][way] is None for way in ("revision", "pretrained", "generated"))
    }
    for name in named & set(settings.model_folders):
        key = f"model_folders.{name}"
        models[name] = index.read(settings.model_folders[name], "model.yaml", settings.results, key)
    mirror: Mapping[str, Any] | None = _AnyFile(known) if study.uses("mirror") else None
    if study.uses("mirror") and settings.mirror is not None:
        mirror = index.read(settings.mirror, "mirror.yaml", settings.results, "mirror")
    return make_plan(study, known, Indexes(mirror, models))


class _AnyFile(dict):
    """The index of a mirror that has every file, for a machine that has no mirror."""

    def __init__(self, known: registry.Registry) -> None:
        super().__init__()
        self._facts = {"sha256": "0" * 64, "tasks": dict.fromkeys(known.tasks, {})}

    def get(self, name: str, default: Any = None) -> dict[str, Any]:
        return self._facts

    def __getitem__(self, name: str) -> dict[str, Any]:
        return self._facts
