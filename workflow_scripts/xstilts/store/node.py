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
import json
import logging
import os
import platform
import resource
import shutil
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

from xstilts.errors import UserError
from xstilts.store import lineage, lock, manifest, reading, specs
from xstilts.store.files import file_sha256, sync, sync_one, write_atomically
from xstilts.store.manifest import MANIFEST, RECORD, File, Results
from xstilts.store.specs.base import Spec

log = logging.getLogger(__name__)

PROVENANCE = "provenance.json"
HISTORY = "history.json"
_PACKAGES = ("torch", "transformers", "tokenizers", "datasets", "pyarrow", "numpy", "snakemake")


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
        reading.check_sizes(folder, record.files)
    except UserError:
        return False
    return record.spec_json == specs.to_json(spec) and not lineage.uses_other_weights(
        spec, record.results, folder.parents[1]
    )


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
    started, spent = time.time(), _cpu_seconds() if ahead else 0.0
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
        write_atomically(scratch / PROVENANCE, json.dumps(provenance(started, spent), indent=1) + "\n")
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


def _cpu_seconds() -> float:
    """Return what this process and those that it started have used."""
    usage = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in usage)


def provenance(started: float, spent: float = 0.0) -> dict[str, Any]:
    """Return the volatile metadata of this process: host, hardware, time, cost, commit, versions.

    Args:
        started: when the work began, in seconds since the epoch.
        spent: CPU-seconds of this process that were another node's. Of several processes that train together, CPU time
            and memory are those of the first.
    """
    usage = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return {
        "host": platform.node(),
        "platform": platform.platform(),
        "python": platform.python_version(),
        "started": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(started)),
        "wall_seconds": round(time.time() - started, 2),
        "cpu_seconds": round(_cpu_seconds() - spent, 2),
        "peak_memory_mb": round(max(each.ru_maxrss for each in usage) / 1024, 1),
        "processor": _processor(),
        "processors": os.cpu_count(),
        **_gpus(),
        "commit": _commit(),
        "versions": {name: _version(name) for name in _PACKAGES if name in sys.modules},
    }


def _processor() -> str:
    """Return the name of the processor, as Linux states it, or else the architecture."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.machine()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def _gpus() -> dict[str, Any]:
    """Return the GPU that this process has used, and how many processes did so together; no GPU where it used none."""
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_initialized():
        return {"gpu": None, "gpus": 0}
    return {"gpu": torch.cuda.get_device_name(), "gpus": int(os.environ.get("WORLD_SIZE", "1"))}


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _commit() -> str | None:
    """Return the commit of this library's checkout, or None outside one."""
    command = ["git", "-C", str(Path(__file__).parent), "rev-parse", "HEAD"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=10).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return None
