"""The one writer of nodes: files, then record and manifest, in a scratch folder that becomes the node's by one rename.

A node's folder is ``results/<stage>/<node>/``. ``record.json`` is the node's own; ``manifest.json``, which rules
declare and Snakemake deletes before a job, is a receipt, a copy of it. So a job that finds its node whole writes the
copy again, and nothing else. Host, time, versions and cost go to ``provenance.json``. ``history.json`` is that of a
training.

Whoever makes a node holds its lock. Two that do not see each other's end with one whole node: what is whole is never
replaced, so the later one's own work is discarded.
"""

import contextlib
import errno
import logging
import os
import platform
import shutil
import tempfile
import time
import uuid
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from xstilts.errors import UserError
from xstilts.store import lineage, lock, manifest, opening, provenance, specs
from xstilts.store.files import file_sha256, sync, sync_one, write_atomically
from xstilts.store.manifest import MANIFEST, RECORD, File, Results
from xstilts.store.specs.base import Spec

log = logging.getLogger(__name__)

HISTORY = "history.json"


@dataclass
class Making:
    """A node that is being made: the scratch folder for its files, what its manifest will say, how it was trained."""

    scratch: Path
    results: Results = field(default_factory=Results)
    training: provenance.Training | None = None


def is_whole(folder: Path, spec: Spec) -> bool:
    """Tell whether a node is there: its record states this very spec, and its files have their sizes.

    Predictions and vectors of other weights than those that the model has now do not count.
    """
    try:
        record = manifest.read(folder / RECORD)
        opening.check_sizes(folder, record.files)
    except UserError:
        return False
    return record.spec_json == specs.to_json(spec) and not lineage.uses_other_weights(
        spec, record.results, folder.parents[1]
    )


def work_directory(output: Path) -> Path:
    """Return where a node that is being made has its checkpoints, by its manifest."""
    results = output.parents[2]
    return results / "work" / output.parent.relative_to(results)


def adopt(output: Path, spec: Spec) -> bool:
    """Write the manifest of a node that is whole, and tell whether it was; one that is being deleted is not."""
    with lock.held(output.parent, shared=True, wait=False) as is_held:
        return is_held and _adopt(output, spec)


def _adopt(output: Path, spec: Spec) -> bool:
    if not is_whole(output.parent, spec):
        return False
    record = (output.parent / RECORD).read_text(encoding="utf-8")
    if not output.exists() or output.read_text(encoding="utf-8") != record:
        write_atomically(output, record)
    # of a process that was killed when it had just made the node
    shutil.rmtree(work_directory(output), ignore_errors=True)
    log.info("%s is whole already; delete the folder to have it made again", output.parent)
    return True


def make(output: Path, spec: Spec, action: Callable[[], None]) -> None:
    """Make a node by a function that calls ``making``, unless it is whole; wait while another process does.

    Args:
        output: the manifest to write.
        spec: the node's spec.
        action: makes it.
    """
    if not adopt(output, spec):
        with lock.held(output.parent):
            # another process may have made it while this one waited
            if not _adopt(output, spec):
                action()


@contextlib.contextmanager
def making(output: Path, spec: Spec, ahead: bool = False) -> Iterator[Making]:
    """Give a scratch folder; on success it becomes the node's folder, by one rename.

    Nothing of a failed run stays. Whatever an earlier run left in the node's folder is replaced, unless the node is
    whole meanwhile: then that one stays.

    Args:
        output: the manifest to write.
        spec: the node's spec.
        ahead: whether another job makes the node before its own runs; that one will write the manifest, which
            Snakemake must not find before.
    """
    started, spent = time.time(), provenance.cpu_seconds() if ahead else 0.0
    target = output.parent
    target.parent.mkdir(parents=True, exist_ok=True)
    _remove_left_over(target)
    scratch = Path(tempfile.mkdtemp(dir=target.parent, prefix=_scratch_prefix(target, os.getpid())))
    scratch.chmod(0o755)
    try:
        node = Making(scratch)
        yield node
        files = {
            path.relative_to(scratch).as_posix(): File(sha256=file_sha256(path), bytes=path.stat().st_size)
            for path in sorted(scratch.rglob("*"))
            if path.is_file()
        }
        text = manifest.text(spec, files, node.results)
        made = provenance.of_process(started, spent, node.training)
        write_atomically(scratch / provenance.FILE, provenance.text(made))
        write_atomically(scratch / RECORD, text)
        if not ahead:
            write_atomically(scratch / MANIFEST, text)
        sync(scratch)
        if not _put(scratch, target, spec):
            log.info("%s: another process has made it meanwhile", target)
            if not ahead:
                _adopt(output, spec)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def remove(folder: Path, keep: Collection[str] = ()) -> bool:
    """Delete a node, and tell whether it is gone: one that a process makes or reads stays.

    It is renamed first, so that an interrupted deletion leaves nothing that looks complete.

    Args:
        folder: of the node.
        keep: names of files that stay there.
    """
    with lock.held(folder, wait=False) as alone:
        if not alone or not folder.is_dir():
            return False
        aside = _aside(folder)
        kept = [name for name in keep if (folder / name).is_file()]
        if kept:
            copies = _aside(folder)
            copies.mkdir()
            for name in kept:
                shutil.copy2(folder / name, copies / name)
            os.rename(folder, aside)
            os.rename(copies, folder)
        else:
            os.rename(folder, aside)
        sync_one(folder.parent)
        _delete(aside)
    return True


def _delete(path: Path) -> None:
    if path.is_symlink():
        path.unlink()
    else:
        shutil.rmtree(path, ignore_errors=True)


def _scratch_prefix(target: Path, process: int | str) -> str:
    return f".{target.name}.{platform.node()}.{process}."


def _aside(target: Path) -> Path:
    """Return a new path beside a node's folder; what is left there of a killed process is deleted by the next maker."""
    return target.with_name(f"{_scratch_prefix(target, os.getpid())}{uuid.uuid4().hex[:8]}")


def _remove_left_over(target: Path) -> None:
    """Delete the scratch folders of processes of this machine that were killed."""
    for folder in target.parent.glob(_scratch_prefix(target, "*") + "*"):
        process = folder.name.removeprefix(_scratch_prefix(target, "")[:-1]).partition(".")[0]
        try:
            os.kill(int(process), 0)
        except ProcessLookupError:
            shutil.rmtree(folder, ignore_errors=True)
        except (ValueError, PermissionError):
            continue


def _put(scratch: Path, target: Path, spec: Spec) -> bool:
    """Let a scratch folder become a node's folder; tell whether it has, for one that is whole meanwhile stays."""
    while not is_whole(target, spec):
        aside = _aside(target)
        with contextlib.suppress(FileNotFoundError):
            os.rename(target, aside)
        # another process may have put its own there between the two: then that goes back
        mine = not is_whole(aside, spec)
        renamed = _rename(scratch if mine else aside, target)
        _delete(aside)
        if mine and renamed:
            sync_one(target.parent)
            return True
    return False


def _rename(folder: Path, target: Path) -> bool:
    """Rename a folder, and tell whether it could be, for no other one had the name."""
    try:
        os.rename(folder, target)
    except OSError as error:
        if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
            raise
        return False
    return True
