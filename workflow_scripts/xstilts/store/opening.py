"""What is read of nodes, checked: the one way in which a job, a study's commands and ``xstilts verify`` open a node.

Free, and always checked: that the node's record is that of its path, and that the files which it lists are there with
their sizes. SHA-256 of the files is checked once a job. What fails is withdrawn, so that the next run makes it again.
"""

import contextlib
import logging
import os
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from xstilts.errors import DamagedError, UserError
from xstilts.store import address, lock, manifest
from xstilts.store.files import file_sha256_once
from xstilts.store.manifest import MANIFEST, RECORD, File, Manifest
from xstilts.store.specs.base import PREPARED, TOKENS, Spec
from xstilts.store.specs.data import TokensSpec
from xstilts.store.stages import STAGES
from xstilts.store.study_plan import StudyPlan

log = logging.getLogger(__name__)

# what becomes of the record of a node that fails: it says what the files were
WITHDRAWN = "withdrawn.json"


def is_there(folder: Path) -> bool:
    """Tell whether a node has been made, and its record not been withdrawn, whatever else is true of it."""
    return any((folder / name).exists() for name in (RECORD, MANIFEST))


def is_weights(name: str) -> bool:
    """Tell whether a file of a node has weights, which only jobs that compute read."""
    return name.endswith(".safetensors")


def checked(
    results: Path,
    node_id: str,
    hashed: Callable[[str], bool] = lambda name: True,
    spec: Mapping[str, Any] | None = None,
    known: dict[str, str | None] | None = None,
) -> Manifest:
    """Return what a node says of itself, once it is sure that it is as its maker left it.

    Args:
        results: the results folder.
        node_id: stage and name of the node.
        hashed: the files whose SHA-256 is checked, by name.
        spec: what a plan says of the node; None where no plan is at hand.
        known: digests of other nodes that were looked up before, which this adds to.

    Raises:
        UserError: if the node has not been made.
        DamagedError: if it is not as its maker left it.
    """
    folder = results / node_id
    if not is_there(folder):
        raise UserError(f"{folder / MANIFEST}: missing; the stage that makes it has not run")
    try:
        found = manifest.of_node(folder)
    except UserError as error:
        raise DamagedError(folder, f"{RECORD} cannot be read ({error})") from None
    of_plan = spec is None or found.spec_json == spec
    if not of_plan or not address.is_at_its_path(results, node_id, found, {} if known is None else known):
        raise DamagedError(folder, f"{RECORD} is that of another node")
    check_sizes(folder, found.files)
    for name, file in found.files.items():
        if hashed(name) and (sha256 := file_sha256_once(folder / name)) != file.sha256:
            raise DamagedError(folder, f"{name} has SHA-256 {sha256[:12]}..., and had {file.sha256[:12]}...")
    return found


def check_sizes(folder: Path, files: Mapping[str, File]) -> None:
    """Check that files are there with their sizes.

    Raises:
        DamagedError: naming the first that is not.
    """
    for name, file in files.items():
        path = folder / name
        if not path.is_file():
            raise DamagedError(folder, f"{name} is missing")
        if path.stat().st_size != file.bytes:
            raise DamagedError(folder, f"{name} has {path.stat().st_size} bytes, and had {file.bytes}")


@contextlib.contextmanager
def parents(spec: Spec, results: Path, own: str | None = None) -> Iterator[None]:
    """Hold what a node is made from as it is, and checked, while its job runs.

    Beside the parents, these are the rows that tokens were made from.

    Args:
        spec: the node's spec.
        results: the results folder.
        own: id of a parent that this process has made just now, and holds.

    Raises:
        UserError: if a parent has not been made.
        DamagedError: if one is not as its maker left it.
    """
    weights = STAGES[spec.stage].computes
    known: dict[str, str | None] = {}
    read = [parent for parent in dict.fromkeys(spec.parents.values()) if parent != own]
    with contextlib.ExitStack() as stack:
        for node_id in read:
            stack.enter_context(lock.held(results / node_id, shared=True))
            found = checked(results, node_id, lambda name: weights or not is_weights(name), known=known)
            if node_id.startswith(f"{TokensSpec.stage}/") and found.parents[PREPARED] not in read:
                read.append(found.parents[PREPARED])
        yield


def check_study(plan: StudyPlan, results: Path, rows: bool = False) -> None:
    """Check the predictions of a study before something is said of them.

    Args:
        plan: the study's plan.
        results: the results folder.
        rows: whether to check the rows that they are about, too, as far as these are still there.

    Raises:
        UserError: if predictions have not been made.
        DamagedError: if some are not as their maker left them, or not those of the plan.
    """
    known: dict[str, str | None] = {}
    few_shot = (few.cell for few in plan.few_shot)
    for node_id in dict.fromkeys(cell.node for cell in (*plan.cells, *few_shot)):
        planned = plan.nodes[node_id]
        checked(results, node_id, spec=planned.content, known=known)
        if rows:
            data = planned.parents.get(PREPARED) or plan.nodes[planned.parents[TOKENS]].parents[PREPARED]
            if is_there(results / data):
                checked(results, data, spec=plan.nodes[data].content, known=known)


def withdraw(folder: Path) -> bool:
    """Have a node that is damaged made again by the next run; tell whether that is so, for nobody has it in use.

    Its record, by which a job would take it to be whole, gets another name, and its manifest, by which Snakemake would,
    is deleted. The files stay until the node is made again.
    """
    results = folder.parents[1]
    with lock.held(folder, wait=False) as alone:
        if not alone:
            return False
        (folder / MANIFEST).unlink(missing_ok=True)
        try:
            checked(results, folder.relative_to(results).as_posix())
        except UserError:
            with contextlib.suppress(FileNotFoundError):
                os.replace(folder / RECORD, folder / WITHDRAWN)
    return True


def remedy(error: DamagedError) -> str:
    """Withdraw a node that was found damaged, and say in one line what was found and what to do."""
    if withdraw(error.folder):
        return f"{error.folder}: {error.found}; the next run makes it again (xstilts verify looks for others)"
    return f"{error.folder}: {error.found}; it is in use: run again once that has ended, or: xstilts verify --repair"
