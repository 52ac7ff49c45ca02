"""What a model folder must hold, and which of its files are used."""

import json
import os
from collections.abc import Iterable, Iterator
from fnmatch import fnmatch
from pathlib import Path

from safetensors import SafetensorError, safe_open

from xstilts.errors import UserError

TOKENIZER = "tokenizer.json"
MODEL_FILES = ("config.json", TOKENIZER, "tokenizer_config.json", "special_tokens_map.json")
# what a tokenizer.json is made from, where there is none
_VOCABULARIES = ("*.model", "vocab.json", "merges.txt", "vocab.txt")
_WEIGHTS, _SHARDS = "*.safetensors", "*.safetensors.index.json"
_PICKLED = ("*.bin", "*.pt", "*.pth", "*.ckpt")


def used_files(names: Iterable[str], place: str) -> list[str]:
    """Return the files of a model that are used: configuration, tokenizer and safetensors, in this order.

    Args:
        names: the files at the top of its folder or repository.
        place: what to call that in an error.

    Raises:
        UserError: if one of the three is missing.
    """
    names = set(names)
    weights = _like(names, _WEIGHTS)
    if not weights and _like(names, *_PICKLED):
        raise UserError(
            f"{place}: its weights are pickled only, and pickles are not read; download it and run: xstilts"
            " convert-model DOWNLOADED FOLDER"
        )
    if not weights:
        raise UserError(f"{place}: no weights; a model folder needs model.safetensors (other formats are not read)")
    vocabularies = [] if TOKENIZER in names else _like(names, *_VOCABULARIES)
    for needed, is_there in (("config.json", "config.json" in names), (TOKENIZER, TOKENIZER in names or vocabularies)):
        if not is_there:
            raise UserError(f"{place}: no {needed}; save model and tokenizer with save_pretrained into this folder")
    return [name for name in MODEL_FILES if name in names] + vocabularies + weights + _like(names, _SHARDS)


def check_model(folder: Path) -> list[Path]:
    """Return the files of a model folder that are used, as ``used_files``.

    Raises:
        UserError: if one is missing, or not whole.
    """
    # unlike that of Path, this function takes a name that no folder can have
    if not os.path.isdir(folder):
        raise UserError(f"{folder}: no such model folder")
    files = [
        folder / name for name in used_files((path.name for path in folder.iterdir() if path.is_file()), str(folder))
    ]
    try:
        json.loads((folder / "config.json").read_text(encoding="utf-8"))
        for path in files:
            if path.suffix == ".safetensors":
                with safe_open(path, framework="numpy"):
                    pass
    except ValueError as error:
        raise UserError(f"{folder / 'config.json'}: not JSON ({error}); save the model anew") from None
    except (SafetensorError, OSError) as error:
        raise UserError(f"{path}: not whole ({error}); fetch or save the weights anew") from None
    return files


def weight_names(paths: Iterable[Path]) -> Iterator[str]:
    """Yield the names of the weights in those of some files that are safetensors."""
    for path in paths:
        if path.suffix == ".safetensors":
            with safe_open(path, framework="numpy") as weights:
                yield from weights.keys()


def _like(names: Iterable[str], *patterns: str) -> list[str]:
    return sorted(name for name in names if any(fnmatch(name, pattern) for pattern in patterns))
