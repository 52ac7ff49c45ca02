"""Print what a study's nodes will cost: parameters, memory, disk, tokens, operations and GPU-hours."""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from xstilts.errors import UserError
from xstilts.planning import (
    estimate,
    estimate_compared,
    estimate_table,
    feasibility,
    gpu_types,
    measured_size,
    memory_plan,
    merge_size,
    model_size,
    pins,
    registry,
)
from xstilts.planning.estimate_table import NodeCost
from xstilts.planning.gpu_types import GPU_TYPES, MEASURED
from xstilts.planning.nodes import Node, Plan
from xstilts.planning.settings import local
from xstilts.planning.study import read_study
from xstilts.planning.unindexed import plan_unindexed
from xstilts.store.specs.models import MergedSpec
from xstilts.store.stages import COMPUTING


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's arguments."""
    parser.add_argument("study", type=Path, nargs="?", default=None, help="a study file; by default the configured one")
    parser.add_argument(
        "--gpu",
        choices=[*GPU_TYPES, MEASURED],
        default=None,
        help="the GPU type of memory plans and hours (gpu_type of config.yaml, else h100)",
    )
    parser.add_argument("--compare", action="store_true", help="the estimate against what ran on GPUs")


def run(arguments: argparse.Namespace) -> None:
    """Run the command."""
    settings = local()
    entries = registry.load(settings.registries)
    file = arguments.study or settings.study
    pins.refuse_changed_folders(file)
    study = read_study(file, entries)
    plan = plan_unindexed(study, entries, settings)
    feasibility.check_unindexed(plan, entries, str(file))
    gpu_type = gpu_types.of_machine(arguments.gpu or settings.gpu_type or "h100", settings.results)
    if arguments.compare:
        ran, others = estimate_compared.ran(plan, entries, settings, gpu_type)
        sys.stdout.write(estimate_compared.text(ran, others, gpu_type))
        return
    costs: dict[str, list[NodeCost]] = {}
    for stage in COMPUTING:
        costs[stage] = []
        for node in plan.stage(stage).values():
            found = memory_plan.of_node(node, plan, entries, settings, gpu_type)
            precision = estimate.numerics_of(node.spec).precision
            costs[stage].append(NodeCost(plan.made.names[node.id][0], found, precision))
    nodes = [node for stage in COMPUTING for node in plan.stage(stage).values()]
    models = _checked(nodes, plan, entries, settings.results)
    sys.stdout.write(estimate_table.text(costs, gpu_type, models, len(plan.few_shot)))
    merges = plan.stage(MergedSpec.stage).values()
    sys.stdout.write(merge_size.text(merge_size.of_node(node, plan, entries, settings.results) for node in merges))


def _checked(nodes: Sequence[Node], plan: Plan, entries: registry.Registry, results: Path) -> int:
    """Count the parameters of each model by a formula, built without weights, and return how many there are.

    Raises:
        UserError: if the formula gives another number.
    """
    from xstilts.models import parameters

    models = {}
    for node in nodes:
        if measured_size.of_node(estimate.base_of(node, plan), plan) is not None:
            continue
        config, submodel = estimate.config_of(node, plan, entries, results), estimate.numerics_of(node.spec).submodel
        models[json.dumps(config, sort_keys=True), submodel] = plan.made.names[estimate.base_of(node, plan).id][0]
    for (text, submodel), name in models.items():
        config = json.loads(text)
        counted, stated = parameters.count(config, submodel), model_size.read(config, submodel).parameters
        if counted != stated:
            raise UserError(
                f"model {name}: transformers counts {counted} parameters, model_size.py {stated}; report this"
            )
    return len(models)
