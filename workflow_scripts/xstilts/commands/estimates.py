"""Compute the differences that a study asks for, with their intervals and verdicts, from its predictions."""

import argparse

from xstilts.commands import add_study_arguments, read_plan
from xstilts.evaluation import estimates, worlds
from xstilts.store import opening

add_arguments = add_study_arguments


def run(arguments: argparse.Namespace) -> None:
    """Run the command."""
    plan, results, folder = read_plan(arguments.plan)
    opening.check_study(plan, results)
    estimates.write(worlds.collect(plan, results), folder / estimates.FILE)
