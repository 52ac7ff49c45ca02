"""Write the analyses of a study."""

import argparse

from xstilts.commands import add_study_arguments, read_plan
from xstilts.evaluation import estimates, scores
from xstilts.reporting import analyses
from xstilts.store import opening

add_arguments = add_study_arguments


def run(arguments: argparse.Namespace) -> None:
    """Run the command."""
    plan, results, folder = read_plan(arguments.plan)
    opening.check_study(plan, results, rows=True)
    compared = estimates.read(folder / estimates.FILE)
    analyses.write(plan, results, folder, compared, scores.read(folder / scores.FILE))
