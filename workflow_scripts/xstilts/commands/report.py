"""Write the report of a study, and its first paragraph as text; or find it, and open it in a browser.

With ``--plan`` it is the command of the rule. A person names a study file or the folder of a study's outputs.
"""

import argparse
import logging
import sys
import webbrowser
from pathlib import Path

from xstilts.commands import read_plan
from xstilts.errors import UserError
from xstilts.reporting import finished, report
from xstilts.reporting.outputs import REPORT
from xstilts.store import reading

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
        reading.check_study(plan, results, rows=True)
        report.write(plan, results, folder)
        path = folder / REPORT
    else:
        path = finished.report_of(*_outputs(arguments.study))
        sys.stdout.write(f"{path}\n")
    if arguments.open and not webbrowser.open(path.resolve().as_uri()):
        log.warning("no browser could be started; open %s", path.resolve().as_uri())


def _outputs(study: Path | None) -> tuple[Path, str]:
    """Return the folder of a study's outputs, and what a person does to have them made.

    Raises:
        UserError: if there is no such study.
    """
    from xstilts.planning import registry
    from xstilts.planning.settings import local, plan_of
    from xstilts.planning.study import read_study

    if study is not None and study.is_dir():
        return study, "run its study: make study STUDY=<study file>"
    if study is not None and not study.exists():
        raise UserError(f"{study}: no such study file, and no folder of a study's outputs")
    settings = local()
    path = study or settings.study
    plan = plan_of(settings, read_study(path, registry.load(settings.own_tasks)))
    return settings.results / plan.folder, f"run: make study STUDY={path}"
