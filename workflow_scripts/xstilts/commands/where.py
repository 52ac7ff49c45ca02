"""Print where the configured study's nodes stand and what the study calls them, chosen by axes, name or path."""

import argparse
import sys

from xstilts.errors import UserError, suggestion
from xstilts.planning.nodes import Node, Plan
from xstilts.planning.settings import find_nodes, local, plan_of
from xstilts.store.files import canonical
from xstilts.store.manifest import path_of
from xstilts.store.specs import to_json
from xstilts.store.stages import STAGES

_AXES = ("model", "recipe", "mixture", "seed", "target")


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
    cells = plan.cells
    for axis in _AXES:
        asked = getattr(arguments, axis)
        if asked is None:
            continue
        values = {str(getattr(cell, axis)) for cell in plan.cells}
        if asked not in values:
            raise UserError(f"--{axis}: {asked!r} is not in study {plan.study.name}; {suggestion(asked, values)}")
        cells = [cell for cell in cells if str(getattr(cell, axis)) == asked]
    needed: dict[str, None] = {}
    queue = [cell.node for cell in cells]
    while queue:
        name = queue.pop(0)
        if name not in needed:
            needed[name] = None
            queue += plan.nodes[name].parents
    return [node for node in plan.nodes.values() if node.id in needed and arguments.stage in (None, node.stage)]
