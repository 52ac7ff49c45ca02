"""Models of the hub that studies name by their ids: what a revision is, and its files, each checked by its SHA-256."""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from xstilts.data.sources import Place, hashes
from xstilts.data.sources.hub import explain, set_offline
from xstilts.errors import UserError
from xstilts.store.files import file_sha256, target
from xstilts.store.model_folder import used_files
from xstilts.store.specs.data import Content


@dataclass(frozen=True)
class HubModel:
    """A model at a commit of its repository.

    Attributes:
        revision: the commit.
        licence: as the repository's card has it.
        files: SHA-256 and bytes of each file that is used.
    """

    revision: str
    licence: str | None
    files: Mapping[str, Mapping[str, Any]]


def look_up(repository: str, revision: str | None, folder: Path, offline: bool) -> HubModel:
    """Return what a model of the hub is, and write its configuration and tokenizer into a folder.

    Of weights the hub states the SHA-256, so that they need not be downloaded for it.

    Args:
        repository: ``owner/name``.
        revision: a commit, branch or tag; None for the newest commit.
        folder: an empty folder.
        offline: whether no connection may be opened.

    Raises:
        UserError: if the hub does not answer, has no such revision, or there is no model that can be used.
    """
    set_offline(offline)
    import huggingface_hub

    what = f"{repository} at {revision or 'its newest revision'}"
    try:
        info = huggingface_hub.HfApi().model_info(repository, revision=revision or "main", files_metadata=True)
    except (OSError, ValueError, RuntimeError) as error:
        raise UserError(explain(what, error, offline)) from None
    # of a revision that is asked for the hub always states the commit
    commit = str(info.sha)
    siblings = {one.rfilename: one for one in info.siblings or () if "/" not in one.rfilename}
    names = used_files(siblings, what)
    stated = {
        name: {"sha256": one.lfs.sha256, "bytes": one.lfs.size}
        for name in names
        if name.endswith(".safetensors") and (one := siblings[name]).lfs is not None
    }
    _download(repository, commit, [name for name in names if name not in stated], folder, offline)
    files = {
        name: stated.get(name) or {"sha256": file_sha256(folder / name), "bytes": (folder / name).stat().st_size}
        for name in names
    }
    return HubModel(commit, getattr(info.card_data, "license", None), files)


def fetch_model(content: Content, folder: Path, place: Place) -> None:
    """Download the files of a pinned model, and check each.

    Raises:
        UserError: if the hub does not answer, or a file is not the pinned one.
    """
    assert place.hub is not None  # what calls this has asked
    repository, _, revision = place.hub.partition("@")
    expected = hashes(content)
    _download(repository, revision, list(expected), folder, place.offline)
    for name, sha256 in expected.items():
        if (found := file_sha256(folder / name)) != sha256:
            raise UserError(
                f"hub: {name} of {place.hub} is not the pinned file: SHA-256 {found[:16]}..., expected"
                f" {sha256[:16]}...; try again, or pin it anew: xstilts pin {place.study}"
            )


def _download(repository: str, revision: str, names: Sequence[str], folder: Path, offline: bool) -> None:
    """Copy files of a repository into a folder."""
    set_offline(offline)
    import huggingface_hub

    try:
        for name in names:
            path = huggingface_hub.hf_hub_download(repository, name, revision=revision, local_files_only=offline)
            shutil.copyfile(path, target(folder, name))
    except (OSError, ValueError, RuntimeError) as error:
        raise UserError(explain(f"{repository} at {revision}", error, offline)) from None
