"""Write the report of a study, and its first paragraph as text; or find it, and open it in a browser.

With ``--plan`` it is the command of the rule. A person names a study file or the folder of a study's outputs.
"""

import argparse
import logging
import sys
import webbrowser
from pathlib import Path

from xstilts.commands import outputs_of, read_plan
from xstilts.reporting import finished, report
from xstilts.reporting.outputs import REPORT
from xstilts.store import opening

log = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's arguments."""
    which = parser.add_mutually_exclusive_group()
    which.add_argument(
        "study",
        nargs="?",
        type=Path,
        help="a study file, or the folder of a study's outputs; by default the configured study",
    )
    which.add_argument("--plan", type=Path, help="write the report beside this plan.json; for the rule")
    parser.add_argument("--open", action="store_true", help="open the report in a browser")


def run(arguments: argparse.Namespace) -> None:
    """Run the command."""
    if arguments.plan is not None:
        plan, results, folder = read_plan(arguments.plan)
        opening.check_study(plan, results, rows=True)
        report.write(plan, results, folder)
        path = folder / REPORT
    else:
        path = finished.report_of(*outputs_of(arguments.study))
        sys.stdout.write(f"{path}\n")
    if arguments.open and not webbrowser.open(path.resolve().as_uri()):
        log.warning("no browser could be started; open %s", path.resolve().as_uri())
