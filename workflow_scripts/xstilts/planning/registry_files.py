"""The files of the registry: those of the package, and those of a user's folders, in which every name is a new one.

A folder has the parts that the package's registry has, as many as it needs: ``tasks/`` and ``benchmarks/`` with a file
each, tables by name, ``bibliography.bib``.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from xstilts import schema
from xstilts.errors import UserError
from xstilts.planning import bibliography

# what has a file of its own, and what stands in one table: the part, and what one of its entries is called
FILES = {"tasks": "task", "benchmarks": "benchmark"}
TABLES = {
    "mixtures.yaml": "mixture",
    "models.yaml": "model",
    "recipes.yaml": "recipe",
    "languages.yaml": "language",
    "claims.yaml": "claim",
    "checksums.yaml": "checksum",
}
_PARTS = (*FILES, *TABLES, bibliography.FILE)


@dataclass(frozen=True)
class Table:
    """A table of all folders: entries by name, and the file that each stands in."""

    entries: Mapping[str, Any]
    files: Mapping[str, Path]


def check_folder(folder: Path) -> None:
    """Refuse a folder that is no registry: what is misspelt in it would be left out in silence.

    Raises:
        UserError: naming the folder and what it has.
    """
    # unlike that of Path, this function takes a name that no folder can have
    if not os.path.isdir(folder):
        raise UserError(f"registries: no such folder: {folder}")
    paths = [path for path in sorted(folder.iterdir()) if not path.name.startswith((".", "_"))]
    parts = [path.name for path in paths if path.is_dir() or path.suffix in (".yaml", ".yml", ".bib")]
    for part in parts:
        if part not in _PARTS:
            raise UserError(f"registries: {folder / part} is no part of a registry; known: {', '.join(_PARTS)}")
    if not parts:
        raise UserError(f"registries: {folder} has no part of a registry; known: {', '.join(_PARTS)}")


def files(folders: Sequence[Path], part: str) -> dict[str, Path]:
    """Return the files of a part by the names of what they have.

    Args:
        folders: the package's, then a user's.
        part: ``tasks`` or ``benchmarks``.

    Raises:
        UserError: if a name cannot be one, or two folders have it.
    """
    found: dict[str, Path] = {}
    for path in (path for folder in folders for path in sorted((folder / part).glob("*.yaml"))):
        schema.check(path.stem, "name.yaml", f"{path}: the file's name, which becomes the {FILES[part]}'s")
        _refuse_known(path.stem, FILES[part], path, found)
        found[path.stem] = path
    return found


def table(folders: Sequence[Path], part: str) -> Table:
    """Return a table with the entries of all folders, each with its defaults.

    Args:
        folders: the package's, then a user's.
        part: a name of ``TABLES``.

    Raises:
        UserError: naming the key that is wrong, or if two folders have a name.
    """
    entries: dict[str, Any] = {}
    places: dict[str, Path] = {}
    for path in (folder / part for folder in folders if (folder / part).exists()):
        content = schema.read_yaml(path)
        if part == "recipes.yaml" and isinstance(content, dict):
            content = {name: recipe or {} for name, recipe in content.items()}
        for name, entry in schema.check(content, part, str(path)).items():
            _refuse_known(name, TABLES[part], path, places)
            entries[name], places[name] = entry, path
    return Table(entries, places)


def works(folders: Sequence[Path]) -> dict[str, str]:
    """Return the entries of all bibliographies by key, each as it stands there.

    Raises:
        UserError: as ``bibliography.read``, or if two folders have a key.
    """
    entries: dict[str, str] = {}
    places: dict[str, Path] = {}
    for path in (folder / bibliography.FILE for folder in folders if (folder / bibliography.FILE).exists()):
        for key, entry in bibliography.read(path).items():
            _refuse_known(key, "work", path, places)
            entries[key], places[key] = entry, path
    return entries


def _refuse_known(name: str, kind: str, path: Path, known: Mapping[str, Path]) -> None:
    if name in known:
        raise UserError(f"{path}: {name!r} is the name of a {kind} in {known[name]} already; give this one another")
