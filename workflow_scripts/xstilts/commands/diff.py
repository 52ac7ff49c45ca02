"""Say what differs between the plans of two studies: a line for each stage, and the keys of its specs."""

import argparse
import sys
from pathlib import Path

from xstilts.planning import registry
from xstilts.planning.differences import between_plans
from xstilts.planning.settings import local, plan_of
from xstilts.planning.study import read_study


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's arguments."""
    parser.add_argument("studies", nargs=2, type=Path, metavar="study", help="a study file")


def run(arguments: argparse.Namespace) -> None:
    """Run the command."""
    settings = local()
    known = registry.load(settings.registries)
    first, second = (plan_of(settings, read_study(path, known)) for path in arguments.studies)
    lines = between_plans(first, second) or ["the two plans have the same nodes"]
    sys.stdout.write("".join(f"{line}\n" for line in lines))
