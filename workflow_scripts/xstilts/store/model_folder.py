"""What a model folder must hold, and which of its files are used."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path

from safetensors import SafetensorError, safe_open

from xstilts.errors import UserError

MODEL_FILES = ("config.json", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json")


def check_model(folder: Path) -> list[Path]:
    """Return the files of a model folder that are used: configuration, tokenizer and safetensors.

    Raises:
        UserError: if one of the three is missing.
    """
    if not folder.is_dir():
        raise UserError(f"{folder}: no such model folder")
    weights = sorted(folder.glob("*.safetensors"))
    if not weights:
        raise UserError(f"{folder}: no weights; a model folder needs model.safetensors (other formats are not read)")
    for needed in ("config.json", "tokenizer.json"):
        if not (folder / needed).is_file():
            raise UserError(f"{folder}: no {needed}; save model and tokenizer with save_pretrained into this folder")
    try:
        json.loads((folder / "config.json").read_text(encoding="utf-8"))
        for path in weights:
            with safe_open(path, framework="numpy"):
                pass
    except ValueError as error:
        raise UserError(f"{folder / 'config.json'}: not JSON ({error}); save the model anew") from None
    except (SafetensorError, OSError) as error:
        raise UserError(f"{path}: not whole ({error}); fetch or save the weights anew") from None
    named = [folder / name for name in MODEL_FILES if (folder / name).is_file()]
    return named + weights + sorted(folder.glob("*.safetensors.index.json"))


def weight_names(paths: Iterable[Path]) -> Iterator[str]:
    """Yield the names of the weights in those of some files that are safetensors."""
    for path in paths:
        if path.suffix == ".safetensors":
            with safe_open(path, framework="numpy") as weights:
                yield from weights.keys()
