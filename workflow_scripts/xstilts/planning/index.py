"""Indexes: what a mirror of raw data and a local model folder contain, by SHA-256; ``mirror_index`` makes a mirror's.

The plan must be the same on every machine and at every time, so it never looks into a mirror or a model folder; it
reads their indexes, which ``xstilts index-mirror`` and ``xstilts index-model`` write: ``mirror.yaml`` or ``model.yaml``
in the folder, or, where the folder is read-only, ``results/indexes/<hash of its path>.yaml``.
"""

import hashlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from xstilts import schema
from xstilts.errors import UserError
from xstilts.model_config import has_language_head
from xstilts.relative_path import RULE, is_inside
from xstilts.store.files import file_sha256, read_json, write_atomically
from xstilts.store.model_folder import check_model, weight_names

# key of what an index says of a model's configuration
LANGUAGE_HEAD = "language_model_head"


def location(folder: Path, name: str, results: Path) -> Path | None:
    """Return where the index of a folder stands, or None if it has none."""
    for path in (folder / name, _elsewhere(folder, results)):
        if path.exists():
            return path
    return None


def _elsewhere(folder: Path, results: Path) -> Path:
    return results / "indexes" / f"{hashlib.sha256(str(folder.resolve()).encode()).hexdigest()[:16]}.yaml"


def read(folder: Path, name: str, results: Path, key: str) -> Mapping[str, Mapping[str, Any]]:
    """Return the index of a folder: what is known of each file, by its name.

    Args:
        folder: the mirror or model folder.
        name: ``mirror.yaml`` or ``model.yaml``.
        results: the results folder.
        key: the configuration key that named the folder, for errors.

    Raises:
        UserError: if there is no folder, no index, or a broken one.
    """
    command = f"xstilts index-{name.removesuffix('.yaml')} {folder}"
    if not os.path.isdir(folder):
        raise UserError(f"{key}: no such folder: {folder}")
    path = location(folder, name, results)
    if path is None:
        raise UserError(f"{key}: {folder} has no index yet; run: {command}")
    content = schema.read_yaml(path)
    files = content.get("files") if isinstance(content, dict) else None
    needed = {"sha256", "tasks"} if name == "mirror.yaml" else {"sha256"}
    if not isinstance(files, dict) or not all(
        isinstance(indexed, dict) and needed <= set(indexed) for indexed in files.values()
    ):
        raise UserError(f"{path}: not an index; delete it and run: {command}")
    for file in files:
        if not is_inside(file):
            raise UserError(f"{path}: {file!r} is not {RULE}; delete the index and run: {command}")
    return files


def write(folder: Path, name: str, results: Path, files: Mapping[str, Any]) -> Path:
    """Write the index of a folder, beside it or, if that is read-only, under the results folder."""
    # the mode counts even for root, who may write everywhere
    writable = folder.stat().st_mode & 0o222 and os.access(folder, os.W_OK)
    path = folder / name if writable else _elsewhere(folder, results)
    text = f"# Written by xstilts index-{name.removesuffix('.yaml')} for the folder {folder.resolve().name}\n"
    write_atomically(path, text + yaml.safe_dump({"files": dict(files)}, sort_keys=True, allow_unicode=True))
    return path


def index_model(folder: Path) -> dict[str, dict[str, Any]]:
    """Return the index of a model folder: its files, and whether the weights have a language-model head, where known.

    Raises:
        UserError: as ``model_files``.
    """
    files = model_files(folder)
    head = has_language_head(read_json(folder / "config.json"), weight_names(folder / name for name in files))
    return {**files, "config.json": {**files["config.json"], LANGUAGE_HEAD: head}}


def model_files(folder: Path) -> dict[str, dict[str, Any]]:
    """Return the SHA-256 and size of each file of a model folder that is used.

    Raises:
        UserError: if weights, configuration or tokenizer are missing.
    """
    return {path.name: {"sha256": file_sha256(path), "bytes": path.stat().st_size} for path in check_model(folder)}
