"""Check nodes against the sizes and hashes that were taken when they were made: of a results folder, or of a study.

What fails is listed, a line a node. With ``--repair`` it is withdrawn, so that the next run makes it again.
"""

import argparse
import logging
import sys
from pathlib import Path

from xstilts.errors import DamagedError, UserError, counted
from xstilts.planning import registry
from xstilts.planning.settings import local, plan_of
from xstilts.planning.study import read_study
from xstilts.store import lineage, manifest, opening, study_plan
from xstilts.store.manifest import MANIFEST, RECORD
from xstilts.store.stages import STAGES

log = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's arguments."""
    parser.add_argument(
        "place",
        nargs="?",
        type=Path,
        help="a results folder, a study file, or the folder of a study's outputs; by default the configured results",
    )
    parser.add_argument("--repair", action="store_true", help="have the next run make again what fails")


def run(arguments: argparse.Namespace) -> int:
    """Run the command; the exit code is 1 if a node fails and is not withdrawn."""
    results, nodes = _nodes(arguments.place)
    failed, left, size = 0, 0, 0
    known: dict[str, str | None] = {}
    for node in nodes:
        withdrawn = False
        try:
            size += sum(file.bytes for file in _check(results, node, known).files.values())
            continue
        except DamagedError as error:
            withdrawn = arguments.repair and opening.withdraw(error.folder)
            remark = "the next run makes it again" if withdrawn else "in use, so it stays"
            line = f"{error.folder}: {error.found}" + f"; {remark}" * arguments.repair
        except OSError as error:
            # no sign of damage: a disk that does not answer, or a file of somebody else's
            line = f"{results / node}: cannot be read ({error})"
        sys.stdout.write(f"{line}\n")
        failed, left = failed + 1, left + (not withdrawn)
    end = "; --repair has them made again" if failed and not arguments.repair else ""
    sys.stdout.write(
        f"{counted(len(nodes), 'node')} checked, {size / 1e6:,.1f} MB as they were made; {failed} fail{end}\n"
    )
    return int(left > 0)


def _nodes(place: Path | None) -> tuple[Path, list[str]]:
    """Return the results folder, and the ids of the nodes that there are in a place.

    Raises:
        UserError: if it is neither a results folder nor a study.
    """
    if place is not None and (place / study_plan.FILE).is_file():
        results, named = place.resolve().parents[2], study_plan.node_ids(place / study_plan.FILE)
    elif place is not None and place.is_file():
        settings = local()
        results = settings.results
        named = list(plan_of(settings, read_study(place, registry.load(settings.registries))).nodes)
    else:
        results = local().results if place is None else place
        if not any((results / stage).is_dir() for stage in STAGES):
            raise UserError(f"{results}: neither a results folder nor a study; name one, such as results")
        folders = (folder for stage in STAGES for folder in sorted((results / stage).glob("*")))
        named = [folder.relative_to(results).as_posix() for folder in folders if not folder.name.startswith(".")]
    return results, [node for node in named if opening.is_there(results / node)]


def _check(results: Path, node: str, known: dict[str, str | None]) -> manifest.Manifest:
    """Check a node as what reads it does; and that it is of the weights that are there, and its manifest its own.

    Raises:
        DamagedError: if it is not as its maker left it.
    """
    found, folder = opening.checked(results, node, known=known), results / node
    try:
        spec = found.spec
    except UserError as error:
        raise DamagedError(folder, f"{RECORD}: {error}") from None
    if lineage.uses_other_weights(spec, found.results, results):
        raise DamagedError(folder, "made with other weights than those that its model has now")
    receipt, record = folder / MANIFEST, folder / RECORD
    if receipt.exists() and record.exists() and receipt.read_bytes() != record.read_bytes():
        raise DamagedError(folder, f"{MANIFEST} is not its {RECORD}")
    return found
