"""Print the addresses of the configured study's nodes, chosen by their axes."""

import argparse
import sys

from xstilts.errors import UserError, suggestion
from xstilts.planning.nodes import Node, Plan
from xstilts.planning.settings import local, plan_of
from xstilts.store.manifest import canonical, manifest_path
from xstilts.store.stages import VERSIONS

_AXES = ("model", "recipe", "mixture", "seed", "target")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's arguments."""
    for axis in _AXES:
        parser.add_argument(f"--{axis}", help=f"only nodes that a cell with this {axis} needs")
    parser.add_argument("--stage", choices=VERSIONS, help="only nodes of this stage")
    parser.add_argument("--spec", action="store_true", help="print the spec of each node below its address")


def run(arguments: argparse.Namespace) -> None:
    """Run the command."""
    settings = local()
    plan = plan_of(settings)
    for node in _chosen(plan, arguments):
        mark = "made" if manifest_path(settings.results, node.id).exists() else "not made"
        sys.stdout.write(f"{manifest_path(settings.results, node.id)}\t{mark}\n")
        if arguments.spec:
            sys.stdout.write(f"{canonical(node.spec)}\n")


def _chosen(plan: Plan, arguments: argparse.Namespace) -> list[Node]:
    cells = plan.cells
    for axis in _AXES:
        asked = getattr(arguments, axis)
        if asked is None:
            continue
        known = {str(getattr(cell, axis)) for cell in plan.cells}
        if asked not in known:
            raise UserError(f"--{axis}: {asked!r} is not in study {plan.study.name}; {suggestion(asked, known)}")
        cells = [cell for cell in cells if str(getattr(cell, axis)) == asked]
    needed: dict[str, None] = {}
    queue = [cell.node for cell in cells]
    while queue:
        name = queue.pop(0)
        if name not in needed:
            needed[name] = None
            queue += plan.nodes[name].parents
    return [node for node in plan.nodes.values() if node.id in needed and arguments.stage in (None, node.stage)]
