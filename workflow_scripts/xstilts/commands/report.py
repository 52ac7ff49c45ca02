"""Write the report of a study, and its first paragraph as text."""

import argparse

from xstilts.commands import add_study_arguments, read_plan
from xstilts.reporting import report

add_arguments = add_study_arguments


def run(arguments: argparse.Namespace) -> None:
    """Run the command."""
    plan, results, folder = read_plan(arguments.plan)
    report.write(plan, results, folder)
