"""Write a model whose weights are pickled (``pytorch_model*.bin``) into a new folder as safetensors.

Nothing in the pipeline reads pickles; this command alone does, and takes nothing but tensors out of them
(``weights_only``), so that code in such a file is refused and never run.
"""

import argparse
import logging
import shutil
import sys
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from xstilts.data.sources.hub import copy_model
from xstilts.errors import UserError
from xstilts.store.model_folder import check_model

log = logging.getLogger(__name__)

_PICKLED = "pytorch_model*.bin"
# the ends of the names of embeddings, of which a backbone has one; those of its parts come last
_EMBEDDINGS = ("shared.weight", "word_embeddings.weight", "embed_tokens.weight")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's arguments."""
    parser.add_argument("source", type=Path, help="the folder as it was downloaded")
    parser.add_argument("folder", type=Path, help="the folder to write")


def run(arguments: argparse.Namespace) -> None:
    """Run the command."""
    folder = arguments.folder
    if folder.exists():
        raise UserError(f"{folder}: it exists; name a new folder")
    folder.parent.mkdir(parents=True, exist_ok=True)
    scratch = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}."))
    try:
        scratch.chmod(0o755)
        convert(arguments.source, scratch)
        scratch.rename(folder)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    sys.stdout.write(f"{folder}: converted. Name it in config.yaml (model_folders); xstilts index-model {folder}\n")


def convert(source: Path, folder: Path) -> None:
    """Write a model's weights as safetensors in shards of at most 5 GB, its configuration and its tokenizer.

    Files are mapped into memory where their format lets them, so that one shard at a time is held. Of names that share
    their memory (tied embeddings) that of the backbone is written, which every class of the model reads.

    Raises:
        UserError: if there are no pickled weights, they hold more than tensors, or something else is missing.
    """
    import torch
    from huggingface_hub import save_torch_state_dict

    shards = sorted(source.glob(_PICKLED))
    if not shards:
        raise UserError(f"{source}: no {_PICKLED} in it; name the folder of a model with pickled weights")
    weights: dict[str, torch.Tensor] = {}
    for path in shards:
        try:
            # files of releases before 1.6 are no archives
            mapped = zipfile.is_zipfile(path)
            content = torch.load(path, map_location="cpu", weights_only=True, mmap=mapped)
        except Exception as error:
            # whatever a broken or hostile file makes the reader raise; its own advice is to trust such a file
            log.debug("%s: %s", path, error)
            raise UserError(
                f"{path}: not a file of tensors alone (cut off, a pointer or a web page in its place, or code in it);"
                " fetch it anew, or do without"
            ) from None
        if not isinstance(content, dict) or not all(isinstance(value, torch.Tensor) for value in content.values()):
            raise UserError(f"{path}: not a table of tensors by name; only a state_dict can be converted")
        weights |= content
    copy_model(source, folder)
    save_torch_state_dict({name: weights[name] for name in _own_names(weights)}, folder)
    check_model(folder)


def _own_names(weights: Mapping[str, Any]) -> list[str]:
    """Return one name for each tensor: of tied ones the embeddings' own."""
    names: dict[tuple, list[str]] = {}
    for name, value in weights.items():
        place = (value.untyped_storage().data_ptr(), value.storage_offset(), tuple(value.shape))
        names.setdefault(place, []).append(name)
    ranks = {ending: rank for rank, ending in enumerate(_EMBEDDINGS)}
    return [
        min(tied, key=lambda name: ranks.get(".".join(name.split(".")[-2:]), len(ranks))) for tied in names.values()
    ]
