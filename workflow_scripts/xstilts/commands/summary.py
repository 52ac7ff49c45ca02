"""Print the headline table of the configured study, and where its report is."""

import argparse
import sys
from pathlib import Path

from xstilts.commands import read_plan
from xstilts.errors import UserError
from xstilts.planning.settings import local, plan_of
from xstilts.reporting import summary


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's arguments."""
    parser.add_argument("--plan", type=Path, default=None, help="plan.json of another study than the configured one")


def run(arguments: argparse.Namespace) -> None:
    """Run the command."""
    path = arguments.plan
    if path is None:
        settings = local()
        path = settings.results / plan_of(settings).folder / "plan.json"
    if arguments.plan is not None and not path.exists():
        raise UserError(f"{path}: no such plan")
    if not (path.parent / "scores.parquet").exists():
        sys.stdout.write("The study has no scores yet; make study, or snakemake --cores all, makes them.\n")
        return
    plan, _, folder = read_plan(path)
    sys.stdout.write(summary.text(plan, folder))
