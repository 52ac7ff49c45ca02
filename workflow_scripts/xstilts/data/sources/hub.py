"""The hub of data sets and models: pinned revisions, no scripts, no remote code, safetensors only."""

import logging
import os
import shutil
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from xstilts.data.sources import Place
from xstilts.errors import UserError
from xstilts.store.files import target
from xstilts.store.model_folder import TOKENIZER
from xstilts.store.specs.data import Content

log = logging.getLogger(__name__)

_MODEL_PATTERNS = ["*.json", "*.safetensors", "*.model", "tokenizer*", "*.txt"]
_SKIPPED = ["onnx/*", "openvino/*", "*/*"]


def fetch_data(content: Content, folder: Path, place: Place) -> None:
    """Download the configurations and splits of a data set and write each as Parquet, ``config/split``.

    Raises:
        UserError: if the machine is offline and has no copy, or the hub does not answer.
    """
    set_offline(place.offline)
    import datasets

    for name in content.files:
        config, _, split = name.partition("/")
        what = f"{content.repository} at {content.revision}, configuration {config}, split {split}"
        log.info("fetching %s", what)
        try:
            rows = datasets.load_dataset(
                content.repository, config, split=split, revision=content.revision, keep_in_memory=False
            )
            _check_revision(content, rows, place.offline)
        except (OSError, ValueError, RuntimeError) as error:
            raise UserError(explain(what, error, place.offline)) from None
        rows.to_parquet(target(folder, name))


def fetch_model(content: Content, folder: Path, place: Place) -> None:
    """Download a model: its configuration, its safetensors and a tokenizer.json (made from what it has).

    Raises:
        UserError: if the machine is offline and has no copy, the hub does not answer, or there are no safetensors.
    """
    set_offline(place.offline)
    import huggingface_hub

    assert content.repository is not None  # that of a hub's content is
    what = f"{content.repository} at {content.revision}"
    try:
        snapshot = huggingface_hub.snapshot_download(
            content.repository,
            revision=content.revision,
            allow_patterns=_MODEL_PATTERNS,
            ignore_patterns=_SKIPPED,
            local_files_only=place.offline,
        )
    except (OSError, ValueError, RuntimeError) as error:
        raise UserError(explain(what, error, place.offline)) from None
    copy_model(Path(snapshot), folder)


def copy_model(source: Path, folder: Path) -> None:
    """Copy a model's files, without pickles, into a folder, and make a tokenizer.json of the tokenizer that it has.

    Raises:
        UserError: if there is no tokenizer that can be read.
    """
    for path in source.iterdir():
        if path.is_file() and any(fnmatch(path.name, pattern) for pattern in _MODEL_PATTERNS):
            shutil.copyfile(path, folder / path.name)
    make_tokenizer(folder, str(source))


def make_tokenizer(folder: Path, place: str) -> None:
    """Make the tokenizer.json of a model's folder of the tokenizer that it has, where there is none.

    Args:
        folder: the folder.
        place: where its files come from, for an error.

    Raises:
        UserError: if there is no tokenizer that can be read.
    """
    if not (folder / TOKENIZER).exists():
        import transformers

        try:
            transformers.AutoTokenizer.from_pretrained(folder, trust_remote_code=False).save_pretrained(folder)
        except (OSError, ValueError, ImportError) as error:
            raise UserError(f"{place}: no tokenizer that can be read: {str(error).strip().splitlines()[0]}") from None


def _check_revision(content: Content, rows: Any, offline: bool) -> None:
    """Raise OSError if the rows are not the pinned revision's.

    Where the hub cannot be asked, its library takes the newest copy that it has, whatever revision that is.
    """
    if content.repository is None or content.revision is None:
        return
    import huggingface_hub

    card = huggingface_hub.hf_hub_download(
        content.repository, "README.md", repo_type="dataset", revision=content.revision, local_files_only=offline
    )
    commit, found = Path(card).parent.name, {Path(file["filename"]).parent.name for file in rows.cache_files}
    if found != {commit}:
        raise OSError(f"there is a copy here, but of revision {', '.join(sorted(found))}")


def set_offline(offline: bool) -> None:
    """Tell the hub's client before it is imported: it reads the environment once."""
    if offline:
        os.environ.update(HF_HUB_OFFLINE="1", HF_DATASETS_OFFLINE="1")


def explain(what: str, error: Exception, offline: bool) -> str:
    """Return the line that an error of the hub's client is to people."""
    reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    mend = "set `offline: false`, or carry it here with xstilts mirror" if offline else "try again, or use a mirror"
    return f"hub: cannot fetch {what}: {reason}; {mend}"
