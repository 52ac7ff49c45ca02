"""Print the headline table of the configured study, and where its report is."""

import argparse
import sys

import pandas as pd

from xstilts import machine, tables


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's arguments: none."""


def run(arguments: argparse.Namespace) -> None:
    """Run the command."""
    settings = machine.local()
    plan = machine.plan_of(settings)
    folder = settings.results / plan.folder
    if not (folder / "scores.parquet").exists():
        sys.stdout.write(
            f"Study {plan.study.name} has no scores yet; make study, or snakemake --cores all, makes them.\n"
        )
        return
    header, rows = tables.main_rows(tables.main_frame(pd.read_parquet(folder / "scores.parquet")))
    title = f"Study {plan.study.name}: zero-shot means, in percent; in brackets the gain over no intermediate training."
    sys.stdout.write("\n" + tables.markdown(header, rows, title))
    for note in plan.notes:
        sys.stdout.write(f"{note}\n")
    if (folder / "report.html").exists():
        sys.stdout.write(f"Report: {folder / 'report.html'}\n")
