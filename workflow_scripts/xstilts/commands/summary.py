"""Print the headline table and the first paragraph of the configured study, and where its report is."""

import argparse
import sys
from pathlib import Path

from xstilts.commands import configured_plan, read_plan
from xstilts.errors import UserError
from xstilts.evaluation import scores
from xstilts.reporting import summary


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's arguments."""
    parser.add_argument("--plan", type=Path, default=None, help="plan.json of another study than the configured one")


def run(arguments: argparse.Namespace) -> None:
    """Run the command."""
    if arguments.plan is not None and not arguments.plan.exists():
        raise UserError(f"{arguments.plan}: no such plan; give the path of a study's plan.json")
    path = arguments.plan or configured_plan()
    if not (path.parent / scores.FILE).exists():
        sys.stdout.write("The study has no scores; make study, or snakemake --cores all, makes them.\n")
        return
    plan, _, folder = read_plan(path)
    sys.stdout.write(summary.text(plan, folder))
