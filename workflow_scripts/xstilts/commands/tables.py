"""Write the tables of a study."""

import argparse

from xstilts.commands import add_study_arguments, read_plan
from xstilts.evaluation import estimates, few_shot, layers, scores
from xstilts.reporting import tables

add_arguments = add_study_arguments


def run(arguments: argparse.Namespace) -> None:
    """Run the command."""
    plan, results, folder = read_plan(arguments.plan)
    few = few_shot.read(folder / few_shot.FILE) if plan.few_shot else None
    by_layer = layers.collect(plan, results) if plan.swept else None
    compared = estimates.read(folder / estimates.FILE)
    found = tables.of_study(scores.read(folder / scores.FILE), by_layer, compared, plan, few)
    tables.write(found, plan.title, folder / "tables")
