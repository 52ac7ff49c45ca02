"""Indexes: what a mirror of raw data and a local model folder contain, by SHA-256.

The plan must be the same on every machine and at every time, so it never looks into a mirror or a model folder; it
reads their indexes, which ``xstilts index-mirror`` and ``xstilts index-model`` write: ``mirror.yaml`` or ``model.yaml``
in the folder, or, where the folder is read-only, ``results/indexes/<hash of its path>.yaml``.
"""

import hashlib
import logging
import os
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from xstilts import schema
from xstilts.errors import UserError
from xstilts.forms import FORMS
from xstilts.forms.declaration import Role
from xstilts.planning.registry import Registry
from xstilts.planning.tasks import Source, Task
from xstilts.relative_path import RULE, is_inside
from xstilts.store.files import file_sha256, write_atomically
from xstilts.store.model_folder import check_model

log = logging.getLogger(__name__)

Reader = Callable[[Source, Path, Sequence[str]], Iterable[Any]]


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
    """Return the index of a model folder: the SHA-256 and size of each file that is used.

    Raises:
        UserError: if weights, configuration or tokenizer are missing.
    """
    return {path.name: {"sha256": file_sha256(path), "bytes": path.stat().st_size} for path in check_model(folder)}


def index_mirror(folder: Path, registry: Registry, read: Reader) -> dict[str, dict[str, Any]]:
    """Return the index of a mirror: the SHA-256 of every file that a task reads, and what it is to each such task.

    Args:
        folder: the mirror.
        registry: its tasks say which files there are.
        read: ``readers.read``, which gives the rows of files.

    Raises:
        UserError: if the folder is missing or a file cannot be read in the format its task states.
    """
    if not folder.is_dir():
        raise UserError(f"{folder}: no such mirror folder")
    files: dict[str, dict[str, Any]] = {}
    totals: Counter[tuple[str, str, str]] = Counter()
    for task in registry.tasks.values():
        for source, names, split, language in _file_groups(task):
            if not all((folder / name).is_file() for name in names):
                continue
            raw = iter(read(source, folder, names))
            first = next(raw, None)
            rows = sum(1 for _ in raw) + (first is not None)
            log.info("%s: %s: %d rows", task.name, ", ".join(names), rows)
            totals[task.name, split, language] += rows
            use = {"split": split, "rows": rows, "language": language}
            if first is not None and not _has_labels(task, source, first):
                use["labelled"] = False
            for name in names:
                if name not in files:
                    files[name] = {"sha256": file_sha256(folder / name), "tasks": {}}
                files[name]["tasks"].setdefault(task.name, dict(use))
    for file in files.values():
        for name, use in file["tasks"].items():
            split, language = use["split"], use["language"]
            use["sample"] = registry.tasks[name].is_sample(split, language, totals[name, split, language])
    if not files:
        raise UserError(f"{folder}: none of the registry's files is here; see `sources` in registry/tasks")
    return files


def _has_labels(task: Task, source: Source, row: Mapping[str, Any]) -> bool:
    """Tell whether a row has what a source calls its label, where it has one: the labels of tests can be withheld."""
    roles = FORMS[task.form].of_role(Role.LABEL, Role.LABELS)
    return all(source.columns[field].split(".")[0] in row for field in roles if field in source.columns)


def _file_groups(task: Task) -> list[tuple[Source, tuple[str, ...], str, str]]:
    """Return the groups of files that are read together: their source, their names, split and language."""
    groups: list[tuple[Source, tuple[str, ...], str, str]] = []
    for source in task.sources:
        if source.kind != "files":
            continue
        for split, templates in (("train", source.training), ("dev", source.dev)):
            for template in templates:
                groups += [
                    (source, (task.file(template, language),), split, language)
                    for language in source.training_languages
                ]
        for entry in source.evaluation:
            for language in entry.languages or task.languages:
                for split, templates in ((entry.split, entry.templates(language)), ("threshold", entry.threshold)):
                    names = tuple(task.file(template, language) for template in templates)
                    if names:
                        groups.append((source, names, split, language))
    return groups
