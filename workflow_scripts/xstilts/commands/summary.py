"""Print the headline table of the configured study, and where its report is."""

import argparse
import sys
from pathlib import Path

import pandas as pd

from xstilts import machine, tables
from xstilts.commands import read_plan
from xstilts.errors import UserError


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's arguments."""
    parser.add_argument("--plan", type=Path, default=None, help="plan.json of another study than the configured one")


def run(arguments: argparse.Namespace) -> None:
    """Run the command."""
    path = arguments.plan
    if path is None:
        settings = machine.local()
        path = settings.results / machine.plan_of(settings).folder / "plan.json"
    if arguments.plan is not None and not path.exists():
        raise UserError(f"{path}: no such plan")
    if not (path.parent / "scores.parquet").exists():
        sys.stdout.write("The study has no scores yet; make study, or snakemake --cores all, makes them.\n")
        return
    plan, _, folder = read_plan(path)
    header, rows = tables.main_rows(tables.main_frame(pd.read_parquet(folder / "scores.parquet")))
    title = (
        f"{tables.study_title(plan)}: zero-shot means, in percent; in brackets the gain over no intermediate training."
    )
    sys.stdout.write("\n" + tables.markdown(header, rows, title))
    for note in plan["notes"]:
        sys.stdout.write(f"{note}\n")
    if (folder / "report.html").exists():
        sys.stdout.write(f"Report: {folder / 'report.html'}\n")
