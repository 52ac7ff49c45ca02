"""How a node of the DAG is made: files, then its record and manifest, written last and atomically.

A node's folder is ``results/<stage>/<node>/``. ``record.json`` is the node's own; ``manifest.json``, which rules
declare and Snakemake deletes before a job, is a copy of it. So a job that finds its node whole writes the copy again,
and nothing else. Host, time, versions and cost go to ``provenance.json``. ``history.json`` is that of a training.
"""

import contextlib
import os
import platform
import shutil
import tempfile
import time
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from xstilts.errors import UserError
from xstilts.store import lineage, manifest, provenance, specs
from xstilts.store.files import file_sha256, write_atomically
from xstilts.store.manifest import MANIFEST, File, Results
from xstilts.store.specs.base import Spec

RECORD = "record.json"
HISTORY = "history.json"


@dataclass
class Making:
    """A node that is being made: the scratch folder for its files, and what its manifest will say."""

    scratch: Path
    results: Results = field(default_factory=Results)


def is_whole(folder: Path, spec: Spec) -> bool:
    """Tell whether a node is there: its record states this very spec, and its files have their sizes.

    Predictions and vectors of other weights than those that the model has now do not count.
    """
    try:
        record = manifest.read(folder / RECORD)
    except UserError:
        return False
    if record.spec_json != specs.to_json(spec) or lineage.uses_other_weights(spec, record.results, folder.parents[1]):
        return False
    return all(
        (folder / name).is_file() and (folder / name).stat().st_size == file.bytes
        for name, file in record.files.items()
    )


def adopt(output: Path, spec: Spec) -> bool:
    """Write the manifest of a node that is whole, and tell whether it was."""
    if not is_whole(output.parent, spec):
        return False
    if not output.exists():
        write_atomically(output, (output.parent / RECORD).read_text(encoding="utf-8"))
    return True


@contextlib.contextmanager
def making(output: Path, spec: Spec, ahead: bool = False) -> Iterator[Making]:
    """Give a scratch folder; on success, move what is in it into the node's folder, the manifest last.

    Nothing of a failed run stays. Whatever an earlier run left in the node's folder is replaced.

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
        write_atomically(scratch / provenance.FILE, provenance.text(provenance.of_process(started, spent)))
        write_atomically(scratch / RECORD, text)
        if not ahead:
            write_atomically(scratch / MANIFEST, text)
        _move_into(scratch, target)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def remove(folder: Path, keep: Collection[str] = ()) -> None:
    """Delete a node, its record first, so that an interrupted deletion leaves nothing that looks complete.

    Args:
        folder: of the node.
        keep: names of files that stay there.
    """
    for name in (RECORD, MANIFEST):
        (folder / name).unlink(missing_ok=True)
    for path in [path for path in folder.iterdir() if path.name not in keep]:
        _delete(path)
    if not any(folder.iterdir()):
        folder.rmdir()


def _delete(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()


def _scratch_prefix(target: Path, process: int | str) -> str:
    return f".{target.name}.{platform.node()}.{process}."


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


def _move_into(scratch: Path, target: Path) -> None:
    target.mkdir(exist_ok=True)
    for name in (RECORD, MANIFEST):
        (target / name).unlink(missing_ok=True)
    kept = {path.name for path in scratch.iterdir()}
    for stale in target.iterdir():
        if stale.name not in kept:
            _delete(stale)
    order = {RECORD: 1, MANIFEST: 2}
    for path in sorted(scratch.iterdir(), key=lambda path: order.get(path.name, 0)):
        destination = target / path.name
        if destination.is_dir() and not destination.is_symlink():
            shutil.rmtree(destination)
        os.replace(path, destination)
