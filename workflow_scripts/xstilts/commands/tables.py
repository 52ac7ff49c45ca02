"""Write the tables of a study."""

import argparse

from xstilts.commands import add_study_arguments, read_plan
from xstilts.evaluation import layers, scores, statistics, worlds
from xstilts.reporting import tables

add_arguments = add_study_arguments


def run(arguments: argparse.Namespace) -> None:
    """Run the command."""
    plan, results, folder = read_plan(arguments.plan)
    by_layer = layers.collect(plan, results) if plan.swept else None
    contrasts = statistics.contrasts(plan, results) if "contrasts" in plan.tables else None
    of_worlds = worlds.agreement(worlds.collect(plan, results)) if "worlds" in plan.tables else None
    tables.write(scores.read(folder / scores.FILE), by_layer, contrasts, of_worlds, plan, folder / "tables")
