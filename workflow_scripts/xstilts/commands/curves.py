"""Print how trainings of the configured study went, or go: their loss, speed and memory."""

import argparse
import sys

from xstilts.errors import UserError
from xstilts.planning.nodes import Node
from xstilts.planning.settings import find_nodes, local, plan_of
from xstilts.reporting import curves
from xstilts.store import metrics
from xstilts.store.specs.models import MergedSpec, TrainingSpec


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's arguments."""
    parser.add_argument("node", nargs="?", help="one training: what the study calls it, or its path; all by default")


def run(arguments: argparse.Namespace) -> None:
    """Run the command."""
    settings = local()
    plan = plan_of(settings)
    nodes: list[Node] = list(plan.nodes.values())
    if arguments.node is not None:
        nodes = [plan.nodes[node] for named in find_nodes(plan, arguments.node) for node in _trained(named)]
    found: list[curves.Curve] = []
    for node in nodes:
        if isinstance(node.spec, TrainingSpec):
            for path in metrics.files_of(settings.results, node.id):
                part = path.name.removeprefix(node.node).removesuffix(metrics.ENDING).removeprefix(".")
                name = " ".join(filter(None, (plan.made.names[node.id][0], part)))
                lines = metrics.read(path)
                found += [curves.Curve(name, node.stage, node.spec.numerics.precision, lines)] if lines else []
    if not found:
        what = arguments.node or f"study {plan.study.name}"
        raise UserError(f"{what}: no training has left metrics; those of a training that ran are in results/logs")
    sys.stdout.write(curves.text(found, settings.results))


def _trained(node: Node) -> list[str]:
    """Return the ids of what is trained for a node: of a merge, which trains nothing, the models that it merges."""
    return node.spec.members if isinstance(node.spec, MergedSpec) else [node.id]
