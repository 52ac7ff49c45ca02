"""What a node of the DAG leaves behind: files, then a manifest, written last and atomically.

A node's folder is ``results/<stage>/<node>/``. Its ``manifest.json`` states the spec that decided the result and the
hash of every file; nothing volatile is in it, so that equal work gives an equal manifest. Host, time, versions and
cost go to ``provenance.json`` beside it.
"""

import contextlib
import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

from xstilts.errors import UserError

MANIFEST = "manifest.json"
PROVENANCE = "provenance.json"
_PACKAGES = ("torch", "transformers", "tokenizers", "datasets", "pyarrow", "numpy", "snakemake")


def canonical(value: Any) -> str:
    """Return the one JSON text of a value: sorted keys, no spaces, no NaN."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def digest(value: Any) -> str:
    """Return the SHA-256 (64 hex digits) of a value's canonical JSON."""
    return hashlib.sha256(canonical(value).encode()).hexdigest()


def file_sha256(path: Path) -> str:
    """Return the SHA-256 (64 hex digits) of a file's content."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def write_atomically(path: Path, text: str) -> None:
    """Write a text file whole: a temporary name beside it, then a rename."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(name, 0o644)
        os.replace(name, path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def read(manifest: Path) -> dict[str, Any]:
    """Read a manifest.

    Raises:
        UserError: if it is missing or is no JSON object.
    """
    try:
        content = json.loads(manifest.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise UserError(f"{manifest}: missing; the stage that makes it has not run") from None
    except (ValueError, OSError) as error:
        raise UserError(f"{manifest}: not a readable manifest ({error}); delete its folder and run again") from None
    if not isinstance(content, dict):
        raise UserError(f"{manifest}: not a manifest; delete its folder and run again")
    return content


def manifest_path(results: Path | str, node_id: str) -> Path:
    """Return the address of a node's manifest."""
    return Path(results) / node_id / MANIFEST


def is_complete(manifest: Path, spec: dict[str, Any]) -> bool:
    """Tell whether the manifest exists and states this very spec."""
    return manifest.exists() and read(manifest).get("spec") == spec


@contextlib.contextmanager
def node(manifest: Path, spec: dict[str, Any]) -> Iterator[tuple[Path, dict[str, Any]]]:
    """Give a scratch folder and a dict of facts; on success, move both into the node's folder, the manifest last.

    Nothing of a failed run stays. Whatever an earlier run left in the node's folder is replaced.

    Yields:
        The scratch folder to write files into, and the dict whose entries the manifest will carry.
    """
    started = time.time()
    target = manifest.parent
    target.parent.mkdir(parents=True, exist_ok=True)
    _remove_left_over(target)
    scratch = Path(tempfile.mkdtemp(dir=target.parent, prefix=_scratch_prefix(target, os.getpid())))
    scratch.chmod(0o755)
    facts: dict[str, Any] = {}
    try:
        yield scratch, facts
        files = {
            path.relative_to(scratch).as_posix(): {"sha256": file_sha256(path), "bytes": path.stat().st_size}
            for path in sorted(scratch.rglob("*"))
            if path.is_file()
        }
        content = {"spec": spec, "files": files, **facts}
        write_atomically(scratch / PROVENANCE, json.dumps(provenance(started), indent=1) + "\n")
        write_atomically(scratch / MANIFEST, json.dumps(content, indent=1, sort_keys=True, ensure_ascii=False) + "\n")
        _move_into(scratch, target)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def remove(folder: Path) -> None:
    """Delete a node, its manifest first, so that an interrupted deletion leaves nothing that looks complete."""
    (folder / MANIFEST).unlink(missing_ok=True)
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
    (target / MANIFEST).unlink(missing_ok=True)
    kept = {path.name for path in scratch.iterdir()}
    for stale in target.iterdir():
        if stale.name not in kept:
            shutil.rmtree(stale) if stale.is_dir() and not stale.is_symlink() else stale.unlink()
    for path in sorted(scratch.iterdir(), key=lambda path: path.name == MANIFEST):
        place = target / path.name
        if place.is_dir() and not place.is_symlink():
            shutil.rmtree(place)
        os.replace(path, place)


def provenance(started: float) -> dict[str, Any]:
    """Return the volatile facts of this process: host, time, commit, versions; ``started`` is in seconds (epoch)."""
    return {
        "host": platform.node(),
        "platform": platform.platform(),
        "python": platform.python_version(),
        "started": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(started)),
        "wall_seconds": round(time.time() - started, 2),
        "cpu_seconds": round(time.process_time(), 2),
        "commit": _commit(),
        "versions": {name: _version(name) for name in _PACKAGES if name in sys.modules},
    }


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
