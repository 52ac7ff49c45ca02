"""Print what a study's nodes will cost: parameters, memory, disk, tokens, operations and GPU-hours."""

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from xstilts import estimate, index, machine, registry
from xstilts.estimate import CARDS, Estimate
from xstilts.nodes import Plan
from xstilts.plan import Indexes, make_plan
from xstilts.study import Study, read_study

_HEADER = [
    "node",
    "params",
    "trained",
    "weights",
    "grads",
    "Adam",
    "kept",
    "memory",
    "disk",
    "tokens",
    "FLOPs",
    "hours",
]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's arguments."""
    parser.add_argument("study", type=Path, nargs="?", default=None, help="a study file; by default the configured one")
    parser.add_argument("--gpu", choices=CARDS, default="h100", help="the card that hours are for (h100)")


def run(arguments: argparse.Namespace) -> None:
    """Run the command."""
    settings = machine.local()
    known = registry.load(settings.own_tasks)
    study = read_study(arguments.study or settings.study, known)
    plan = _plan(study, known, settings)
    hardware = estimate.Hardware(settings.device_pieces, settings.gradient_checkpointing)
    card, rows, total, disk = CARDS[arguments.gpu], [_HEADER], 0.0, 0.0
    for node in plan.nodes.values():
        if node.stage not in (*estimate.TRAINING, "predictions", "embeddings"):
            continue
        found = estimate.of_node(node, plan, known, settings.results, hardware)
        hours = found.hours(card, node.spec["precision"])
        total, disk = total + hours, disk + found.disk
        rows.append([f"{node.stage}/{node.name}"[:58], *_cells(found), f"{hours:.2f}"])
    widths = [max(len(row[place]) for row in rows) for place in range(len(_HEADER))]
    for row in rows:
        cells = [cell.ljust(width) if place == 0 else cell.rjust(width)
                 for place, (cell, width) in enumerate(zip(row, widths, strict=True))]  # fmt: skip
        sys.stdout.write(" ".join(cells).rstrip() + "\n")
    sys.stdout.write(
        f"\n{total:.1f} hours of one {arguments.gpu} ({estimate.UTILISATION:.0%} of its rate), {disk / 1e9:.1f} GB of"
        " disk if every model is kept.\nParameters and tokens in millions, memory and disk in GB. ~: rows and lengths"
        " are upper bounds, for the tokens are not made yet.\nMemory is that of one device; several divide weights,"
        f" gradients and moments. A {arguments.gpu} has {card.memory} GB.\n"
    )


def _cells(found: Estimate) -> list[str]:
    sizes = (found.weights, found.gradients, found.optimiser, found.activations, found.memory, found.disk)
    mark = "" if found.measured else "~"
    return [
        f"{found.parameters / 1e6:.1f}", f"{found.trained / 1e6:.1f}", *[f"{size / 1e9:.1f}" for size in sizes],
        f"{mark}{found.tokens / 1e6:.1f}", f"{mark}{found.operations:.1e}",
    ]  # fmt: skip


def _plan(study: Study, known: registry.Registry, settings: machine.Machine) -> Plan:
    """Plan a study whose models and mirror need not be here: configurations alone count."""
    here = {name: folder for name, folder in settings.model_folders.items() if name in study.models}
    absent = {name: {"config.json": {"sha256": "0" * 64}} for name in known.models if known.models[name]["shape"]}
    models = {name: index.read(folder, "model.yaml", settings.results, name) for name, folder in here.items()}
    mirror: Mapping[str, Any] | None = _AnyFile(known) if study.uses("mirror") else None
    if study.uses("mirror") and settings.mirror is not None:
        mirror = index.read(settings.mirror, "mirror.yaml", settings.results, "mirror")
    return make_plan(study, known, Indexes(mirror, {**absent, **models}))


class _AnyFile(dict):
    """The index of a mirror that has every file, for a machine that has no mirror."""

    def __init__(self, known: registry.Registry) -> None:
        super().__init__()
        self._facts = {"sha256": "0" * 64, "tasks": dict.fromkeys(known.tasks, {})}

    def get(self, name: str, default: Any = None) -> dict[str, Any]:
        return self._facts

    def __getitem__(self, name: str) -> dict[str, Any]:
        return self._facts
