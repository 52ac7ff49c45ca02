"""List the results that no registered study names, with size, age and the study that made them; delete on demand."""

import argparse
import logging
import shutil
import sys
from pathlib import Path

from xstilts.errors import UserError
from xstilts.planning import pins, registry
from xstilts.planning.settings import local, plan_of
from xstilts.planning.study import read_study
from xstilts.store import node, retention, runs

log = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's arguments."""
    parser.add_argument("--studies", type=Path, default=Path("studies"), help="folder of the registered studies")
    parser.add_argument("--delete", action="store_true", help="delete what is listed")


def run(arguments: argparse.Namespace) -> None:
    """Run the command."""
    settings = local()
    known = registry.load(settings.registries)
    current: list[str] = []
    studies = {path for path in arguments.studies.glob("*.yaml") if not pins.is_pins(path)}
    for path in sorted({*studies, settings.study}):
        try:
            plan = plan_of(settings, read_study(path, known))
            current += [*plan.nodes, plan.folder]
            # what ran last may have been planned with a mirror or a model folder that this shell does not name
            current += retention.named_by_plans(settings.results, path.stem, "latest")
        except UserError as error:
            log.warning("%s cannot be planned here, so all that its earlier plans name is kept: %s", path, error)
            current += retention.named_by_plans(settings.results, path.stem)
    if arguments.delete:
        _refuse_while_running(settings.results)
    found, in_use = retention.unused(settings.results, current), 0
    for item in found:
        made_by = ", ".join(item.studies) or "an unknown study"
        stays = arguments.delete and not _delete(item.path, settings.results)
        in_use += stays
        remark = "\tin use by another process, so it stays" * stays
        sys.stdout.write(f"{item.path}\t{item.size / 1e6:.1f} MB\t{item.age:.1f} days\tmade by {made_by}{remark}\n")
    total = sum(item.size for item in found) / 1e6
    what = f"; {len(found) - in_use} deleted" if arguments.delete else "; --delete removes them"
    sys.stdout.write(f"{len(found)} unused, {total:.1f} MB{what}\n")


def _delete(folder: Path, results: Path) -> bool:
    """Delete a node or the outputs of a study, and tell whether it is gone."""
    if folder.parents[1] == results:
        return node.remove(folder)
    shutil.rmtree(folder)
    return True


def _refuse_while_running(results: Path) -> None:
    """Refuse to delete while a run in the results folder may want what no study of this folder names.

    Raises:
        UserError: if one is alive, or Snakemake's lock is held here.
    """
    alive = runs.live(results)
    if alive:
        raise UserError(f"{results}: a run is alive ({alive[0]}); wait for it, or stop it first")
    if runs.LOCKS.is_dir() and any(runs.LOCKS.iterdir()):
        raise UserError(
            f"{runs.LOCKS}: a run holds Snakemake's lock; wait for it, or after a crash run: snakemake --unlock"
        )
