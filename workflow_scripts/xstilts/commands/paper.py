"""Write the paper of a study: tables, figures and texts as LaTeX, a bibliography, and an article of them all."""

import argparse
import shutil

from xstilts.commands import add_study_arguments, read_plan
from xstilts.evaluation import estimates, few_shot, layers, scores
from xstilts.reporting.outputs import PAPER
from xstilts.reporting.paper import document

add_arguments = add_study_arguments


def run(arguments: argparse.Namespace) -> None:
    """Run the command."""
    plan, results, folder = read_plan(arguments.plan)
    by_layer = layers.collect(plan, results) if plan.swept else None
    few = few_shot.read(folder / few_shot.FILE) if plan.few_shot else None
    compared = estimates.read(folder / estimates.FILE)
    shutil.rmtree(folder / PAPER, ignore_errors=True)
    document.write(plan, results, scores.read(folder / scores.FILE), by_layer, few, compared, folder / PAPER)
