"""Print where the configured study's nodes stand and what the study calls them, chosen by axes, name or path."""

import argparse
import sys

from xstilts.planning.nodes import Node, Plan
from xstilts.planning.settings import find_nodes, local, plan_of
from xstilts.store.files import canonical
from xstilts.store.manifest import path_of
from xstilts.store.specs import to_json
from xstilts.store.stages import STAGES
from xstilts.store.study_plan import AXES, WORLD, select_cells

# what nodes are chosen by: a method is its recipe's
_AXES = [*(axis for axis in AXES if axis != "method"), WORLD]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's arguments."""
    parser.add_argument("node", nargs="?", help="one node: what the study calls it, or its path")
    for axis in _AXES:
        parser.add_argument(f"--{axis}", help=f"only nodes that a cell with this {axis} needs")
    parser.add_argument("--stage", choices=STAGES, help="only nodes of this stage")
    parser.add_argument("--spec", action="store_true", help="print the spec of each node below its path")


def run(arguments: argparse.Namespace) -> None:
    """Run the command."""
    settings = local()
    plan = plan_of(settings)
    nodes = _chosen(plan, arguments)
    if arguments.node is not None:
        nodes = [node for node in find_nodes(plan, arguments.node) if node in nodes]
    for node in nodes:
        path = path_of(settings.results, node.id)
        mark = "made" if path.exists() else "not made"
        sys.stdout.write(f"{path}\t{mark}\t{', '.join(plan.made.names[node.id])}\n")
        if arguments.spec:
            sys.stdout.write(f"{canonical(to_json(node.spec))}\n")


def _chosen(plan: Plan, arguments: argparse.Namespace) -> list[Node]:
    cells = select_cells(plan.cells, plan.study.name, **{axis: getattr(arguments, axis) for axis in _AXES})
    needed = plan.with_parents(cell.node for cell in cells)
    return [node for node in plan.nodes.values() if node.id in needed and arguments.stage in (None, node.stage)]
