"""Draw the figures of a study."""

import argparse

from xstilts.commands import add_study_arguments, read_plan
from xstilts.evaluation import scores
from xstilts.reporting import figures

add_arguments = add_study_arguments


def run(arguments: argparse.Namespace) -> None:
    """Run the command."""
    plan, _, folder = read_plan(arguments.plan)
    figures.write(scores.read(folder / scores.FILE), plan, folder / "figures")
