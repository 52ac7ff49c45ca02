"""What the architecture of a model is, whatever its type: built without weights, from its configuration alone.

Of a model for images and text it is what its language model is, which alone is used.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import transformers

from xstilts.errors import UserError, first_line
from xstilts.model_config import positions
from xstilts.models import architecture

# the registry's words for the families of backbones
_FAMILIES = {"masked": "encoder", "decoder": "decoder", "encoder_decoder": "encoder-decoder"}


@dataclass(frozen=True)
class Description:
    """What an architecture is.

    Attributes:
        family: ``encoder``, ``decoder`` or ``encoder-decoder``.
        parameters: their number, a pooler and a language-model head aside.
        parts: the same by module of the architecture.
        positions: tokens that it reads; None where it has no limit.
        shape: the numbers of its configuration, with its type.
        size: ``vocabulary``, ``width`` and ``stacks`` of layers: their number, and of one the parameters and the linear
            layers.
    """

    family: str
    parameters: int
    parts: Mapping[str, int]
    positions: int | None
    shape: Mapping[str, Any]
    size: Mapping[str, Any]


def describe(folder: Path, place: str) -> Description:
    """Return what the architecture of a model is.

    Args:
        folder: with its config.json.
        place: what to call it in an error.

    Raises:
        UserError: if it cannot be used (``architecture.check``), or not be built from its configuration.
    """
    config = architecture.check(folder, f"{place}: config.json")
    kind = config.model_type
    try:
        with torch.device("meta"):
            whole = transformers.AutoModel.from_config(config, trust_remote_code=False)
        model = architecture.text_model(whole)
    # of a configuration that is wrong, each architecture says it its own way
    except Exception as error:
        reason = first_line(error)
        raise UserError(f"{place}: model type {kind!r} cannot be built from its config.json: {reason}") from None
    family = architecture.family(config)
    if family not in _FAMILIES:
        raise UserError(f"{place}: model type {kind!r} is of none of the families {', '.join(_FAMILIES.values())}")
    parts, inside = _parts(model), model.config
    limit = {
        "model_type": inside.model_type,
        "max_position_embeddings": getattr(inside, "max_position_embeddings", None),
        "pad_token_id": getattr(inside, "pad_token_id", None),
    }
    return Description(
        family=_FAMILIES[family],
        parameters=sum(parts.values()),
        parts=parts,
        positions=positions({key: value for key, value in limit.items() if value is not None}),
        shape={"model_type": inside.model_type, **_numbers(inside.to_diff_dict())},
        size=_size(model),
    )


def _parts(model: torch.nn.Module) -> dict[str, int]:
    """Return the number of parameters by module, those that several modules share counted with the first."""
    parts: dict[str, int] = {}
    for name, value in model.named_parameters():
        part = name.partition(".")[0]
        if part != "pooler":
            parts[part] = parts.get(part, 0) + value.numel()
    return parts


def _size(model: torch.nn.Module) -> dict[str, Any]:
    """Return the size of the vocabulary, that of its vectors, and the stacks of layers that are in no other stack."""
    embeddings: Any = model.get_input_embeddings()  # type: ignore[operator]
    vocabulary, width = embeddings.weight.shape
    stacks: dict[str, dict[str, Any]] = {}
    for name, module in model.named_modules():
        inside = any(name.startswith(f"{outer}.") for outer in stacks)
        if not inside and isinstance(module, torch.nn.ModuleList) and len(module):
            # the first layer of some has what the others share
            layer = module[len(module) - 1]
            linears = {
                path: [one.in_features, one.out_features]
                for path, one in layer.named_modules()
                if isinstance(one, torch.nn.Linear)
            }
            parameters = sum(value.numel() for value in layer.parameters())
            stacks[name] = {"layers": len(module), "parameters": parameters, "linears": linears}
    return {"vocabulary": vocabulary, "width": width, "stacks": [one for one in stacks.values() if one["linears"]]}


def _numbers(config: Mapping[str, Any]) -> dict[str, int | bool]:
    """Return the whole numbers of a configuration, and what is true or false, by key."""
    return {key: value for key, value in config.items() if isinstance(value, bool | int) and value >= 0}
