"""How a node of the DAG is made: files, then its record and manifest, written last and atomically.

A node's folder is ``results/<stage>/<node>/``. ``record.json`` is the node's own; ``manifest.json``, which rules
declare and Snakemake deletes before a job, is a copy of it. So a job that finds its node whole writes the copy again,
and nothing else. Host, time, versions and cost go to ``provenance.json``.
"""

import contextlib
import json
import os
import platform
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

from xstilts.errors import UserError
from xstilts.store import lineage, manifest, specs
from xstilts.store.files import file_sha256, write_atomically
from xstilts.store.manifest import MANIFEST, File, Results
from xstilts.store.specs.base import Spec

RECORD = "record.json"
PROVENANCE = "provenance.json"
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
        _move_into(scratch, target)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def remove(folder: Path) -> None:
    """Delete a node, its record first, so that an interrupted deletion leaves nothing that looks complete."""
    for name in (RECORD, MANIFEST):
        (folder / name).unlink(missing_ok=True)
    shutil.rmtree(folder)


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
            shutil.rmtree(stale) if stale.is_dir() and not stale.is_symlink() else stale.unlink()
    order = {RECORD: 1, MANIFEST: 2}
    for path in sorted(scratch.iterdir(), key=lambda path: order.get(path.name, 0)):
        destination = target / path.name
        if destination.is_dir() and not destination.is_symlink():
            shutil.rmtree(destination)
        os.replace(path, destination)


def _cpu_seconds() -> float:
    """Return what this process and those that it started have used."""
    usage = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in usage)


def provenance(started: float, spent: float = 0.0) -> dict[str, Any]:
    """Return the volatile metadata of this process: host, time, cost, commit, versions.

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
