"""Put two studies side by side: what arms that both have score in B minus A, and what the estimates of both say."""

import argparse
import json
import logging
import sys
import tempfile
import webbrowser
from pathlib import Path

from xstilts.commands import add_two_studies, results_of_study
from xstilts.planning.differences import Comparison
from xstilts.reporting import two_studies, two_studies_page
from xstilts.store.files import write_atomically


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's arguments."""
    add_two_studies(parser)
    parser.add_argument("--html", type=Path, metavar="FILE", help="write the comparison as one HTML page, too")
    parser.add_argument("--open", action="store_true", help="open the page in a browser")
    parser.add_argument("--json", action="store_true", help="print JSON")


def run(arguments: argparse.Namespace) -> None:
    """Run the command."""
    a, b = results_of_study(arguments.study_a), results_of_study(arguments.study_b)
    specs = {node: entry.content for study in (a, b) for node, entry in study.plan.nodes.items()}
    found = two_studies.compare(a, b, Comparison(specs, frozenset()).settings_between)
    if arguments.json:
        sys.stdout.write(json.dumps(two_studies.to_json(found), ensure_ascii=False, indent=1) + "\n")
    else:
        sys.stdout.write(two_studies.text(found))
    if arguments.html is None and not arguments.open:
        return
    page = arguments.html or Path(tempfile.mkdtemp(prefix="xstilts-")) / "compare.html"
    write_atomically(page, two_studies_page.html(found))
    logging.info("written: %s", page)
    if arguments.open:
        webbrowser.open(page.resolve().as_uri())
