"""Write the tables of a study."""

import argparse

import pandas as pd

from xstilts.commands import add_study_arguments, read_plan
from xstilts.evaluation import scores, statistics
from xstilts.reporting import tables

add_arguments = add_study_arguments


def run(arguments: argparse.Namespace) -> None:
    """Run the command."""
    plan, results, folder = read_plan(arguments.plan)
    layers = scores.collect_layers(plan, results) if plan["swept"] else None
    found = statistics.contrasts(plan, results) if plan["contrasts"] else None
    tables.write(pd.read_parquet(folder / "scores.parquet"), layers, found, plan, folder / "tables")
