"""A model that is computed and no longer trained: its weights in the type in which they are multiplied."""

from typing import TypeVar

import torch

from xstilts.models import distributed, stacks
from xstilts.models.language_model import LanguageModel
from xstilts.models.model import Model

M = TypeVar("M", Model, LanguageModel)


def for_inference(model: M, device: torch.device) -> M:
    """Return a model on a device, ready for predictions and vectors; changed in place.

    Where matrices are multiplied in bfloat16, autocast would turn the weights of the backbone's linear layers into it
    for every batch. They are held in it instead: half the memory, and the same outputs bit for bit. Embeddings, norms
    and heads of tasks are read in their own type and stay as they are.

    Args:
        model: in evaluation mode; what is saved of it afterwards is no longer what was trained.
        device: where it computes.

    Raises:
        UserError: if that cannot multiply as the recipe says.
    """
    if model.reduced:
        part = model.backbone if isinstance(model, Model) else model
        for layer in stacks.linear_layers(part, model).values():
            layer.to(torch.bfloat16)
    return distributed.placed(model, device, model.reduced)
