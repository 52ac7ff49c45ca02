"""JSON texts with one spelling, hashes of files, where named files are written, and files that are whole or absent."""

import contextlib
import errno
import hashlib
import json
import os
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from xstilts.errors import UserError, reading
from xstilts.relative_path import RULE, is_inside


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


def target(folder: Path, name: str) -> Path:
    """Return where a file of this name is written in a folder, with the folders on the way made.

    Raises:
        UserError: if the name is no relative path inside the folder, or a link stands on the way.
    """
    if not is_inside(name):
        raise UserError(f"{name!r}: cannot be written into {folder}: it must be {RULE}")
    path = folder / name
    for step in (path, *path.parents[: name.count("/")]):
        if step.is_symlink():
            raise UserError(f"{step}: a link, through which nothing is written; put a file or a folder in its place")
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def read_json(path: Path, remedy: str | None = None) -> dict[str, Any]:
    """Return the object that a JSON file holds.

    Args:
        path: the file.
        remedy: what to do if it is missing or damaged, as for ``errors.reading``.

    Raises:
        UserError: if it is missing, unreadable, or holds no object.
    """
    with reading(path, remedy):
        content = json.loads(path.read_text(encoding="utf-8"))
        if not isinstance(content, dict):
            raise ValueError(f"found {type(content).__name__}, not an object")
        return content


def file_sha256_once(path: Path) -> str:
    """Return the SHA-256 of a file; of one that has not changed since, the one that this process found before."""
    status = path.stat()
    key = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)
    if key not in _HASHES:
        found = file_sha256(path)
        # one that is written now may change again without another file time
        if time.time() - status.st_ctime < _SETTLED:
            return found
        _HASHES[key] = found
    return _HASHES[key]


# by device, inode, size and file times; and seconds after which a change shows in these
_HASHES: dict[tuple[int, int, int, int, int], str] = {}
_SETTLED = 2.0


def sync(folder: Path) -> None:
    """Have a folder with all that is in it on the disk, so that no later power cut takes anything of it."""
    for path in (*folder.rglob("*"), folder):
        sync_one(path)


def sync_one(path: Path) -> None:
    """Have a file, or the names in a folder, on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        # a file system that knows this of files alone
        if error.errno != errno.EINVAL:
            raise
    finally:
        os.close(descriptor)


def write_atomically(path: Path, text: str) -> None:
    """Write a text file whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with written_whole(path) as partial:
        partial.write_text(text, encoding="utf-8")


@contextlib.contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """Have a file appear whole, or not at all: give a name of its own beside it, which is renamed in the end.

    Raises:
        UserError: if a folder stands in its place.
    """
    if path.is_dir():
        raise UserError(f"{path}: a folder, where a file is written; move it away")
    handle, name = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    os.close(handle)
    partial = Path(name)
    try:
        yield partial
        sync_one(partial)
        partial.chmod(0o644)
        partial.replace(path)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


def written(path: Path) -> float:
    """Return when a file was last written, in seconds (epoch) by its file system's clock; 0 where there is none."""
    try:
        return path.stat().st_mtime
    except OSError:
        return 0.0
