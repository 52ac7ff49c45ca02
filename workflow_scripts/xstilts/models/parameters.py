"""How many parameters a model has, by building it without weights."""

from collections.abc import Mapping
from typing import Any

import torch
import transformers


def count(config: Mapping[str, Any], submodel: str | None) -> int:
    """Return the number of parameters of a model on the meta device, without its pooler.

    Args:
        config: the content of its config.json.
        submodel: ``encoder`` for the encoder alone of an encoder-decoder model.
    """
    kind = transformers.AutoModel if submodel is None else transformers.AutoModelForTextEncoding
    with torch.device("meta"):
        model = kind.from_config(transformers.AutoConfig.for_model(**config))
    return sum(value.numel() for name, value in model.named_parameters() if not name.startswith("pooler."))
