"""Say in one line why a node of the configured study has to be made: what differs from the nearest result."""

import argparse
import sys

from xstilts.planning.differences import comparison
from xstilts.planning.settings import find_nodes, local, plan_of


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's arguments."""
    parser.add_argument("node", help="what the study calls it, or its path")


def run(arguments: argparse.Namespace) -> None:
    """Run the command."""
    settings = local()
    plan = plan_of(settings)
    compared = comparison(plan, settings.results)
    for node in find_nodes(plan, arguments.node):
        sys.stdout.write(f"{compared.why(node.id)}\n")
