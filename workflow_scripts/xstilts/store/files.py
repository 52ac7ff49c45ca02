"""JSON texts with one spelling, hashes of files, where named files are written, and files that are whole or absent."""

import hashlib
import json
import os
import tempfile
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
