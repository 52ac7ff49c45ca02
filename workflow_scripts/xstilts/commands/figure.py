"""Draw one figure of a study."""

import argparse

from xstilts.commands import add_study_arguments, read_plan
from xstilts.reporting.figures import drawing, inputs, options


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's arguments."""
    parser.add_argument("name", help="name of the figure")
    add_study_arguments(parser)
    parser.add_argument("--options", required=True, type=options.from_text, help="the figure's options, as JSON")


def run(arguments: argparse.Namespace) -> None:
    """Run the command."""
    plan, _, folder = read_plan(arguments.plan)
    drawing.write(arguments.name, inputs.read(plan, folder, arguments.options), folder / "figures")
