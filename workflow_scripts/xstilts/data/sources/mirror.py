"""The mirror: a folder with raw files laid out as upstream publishes them; and local model folders."""

import shutil
from pathlib import Path

from xstilts.data.sources import Place, hashes
from xstilts.errors import UserError
from xstilts.store.files import file_sha256, target
from xstilts.store.specs.data import Content


def fetch_data(content: Content, folder: Path, place: Place) -> None:
    """Copy the files of a task out of the mirror and check each against its index.

    Raises:
        UserError: if a file is missing or is not the one that was indexed.
    """
    if place.folder is None:
        raise UserError("mirror: not set in config.yaml, but this study's data comes from a mirror")
    for name, sha256 in hashes(content).items():
        command = f"xstilts index-mirror {place.folder}"
        copy_checked(place.folder / name, target(folder, name), sha256, command)


def fetch_model(content: Content, folder: Path, place: Place) -> None:
    """Copy the files of a local model folder and check each against its index.

    A link would let a folder that is overwritten later change results that exist.

    Raises:
        UserError: if a file is missing or is not the one that was indexed.
    """
    if place.folder is None:
        raise UserError("model_folders: this model was planned from a local folder that config.yaml no longer names")
    command = f"xstilts index-model {place.folder}" if place.study is None else f"xstilts pin {place.study}"
    for name, sha256 in hashes(content).items():
        copy_checked(place.folder / name, target(folder, name), sha256, command)


def copy_checked(source: Path, copy: Path, sha256: str, command: str) -> None:
    """Copy a file that an index names.

    Args:
        source: the file.
        copy: where it is written.
        sha256: what the index says of it.
        command: what makes the index anew.

    Raises:
        UserError: if it is missing or is not the one that was indexed.
    """
    if not source.is_file():
        raise UserError(
            f"{source}: missing, though the index names it; put it back, or accept the folder with: {command}"
        )
    shutil.copyfile(source, copy)
    found = file_sha256(copy)
    if found != sha256:
        raise UserError(
            f"{source}: changed since it was indexed: SHA-256 {found[:16]}..., expected {sha256[:16]}...; "
            f"restore the file, or accept it with: {command}"
        )
