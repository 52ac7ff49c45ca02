"""Vectors of texts: a layer of a model as it is, pooled, or those of a trained dual encoder."""

import math
from collections.abc import Sequence

import numpy as np
import torch

from xstilts.errors import UserError
from xstilts.evaluation import prediction
from xstilts.models.backbone import mean_vectors
from xstilts.models.model import Model, tensors
from xstilts.store.specs.evaluation import CLS, Pooling
from xstilts.tokenization.tokens import Tokens


def layer_number(pooling: Pooling, depth: int) -> int:
    """Return the number of the hidden state that is asked for, 0 for the embeddings.

    At a fraction of the depth it is round(depth x fraction), ties up; -1 is the last.

    Raises:
        UserError: if the model has fewer layers.
    """
    if pooling.layer is None:
        return math.floor(depth * (pooling.layer_fraction or 0) + 0.5)
    layer = pooling.layer if pooling.layer >= 0 else depth + 1 + pooling.layer
    if not 0 <= layer <= depth:
        raise UserError(f"recipe: bitext.layer: {pooling.layer} is no hidden state of a model of {depth} layers")
    return layer


@torch.inference_mode()
def pooled_vectors(
    model: Model, tokens: Tokens, layers: Sequence[int], pooler: str, device: torch.device
) -> np.ndarray:
    """Return layers pooled as ``Pooling.pooler`` says; float32 of shape (layers, sequences, width)."""
    result = np.empty((len(layers), len(tokens.sequence_lengths), model.backbone.width), dtype=np.float32)
    for instances in prediction.batches(tokens):
        inputs = tensors(tokens.inputs(instances), device)
        mask = inputs["mask"]
        states = model.layers(inputs)
        for place, layer in enumerate(layers):
            pooled = model.backbone.pooled(states[layer], mask) if pooler == CLS else mean_vectors(states[layer], mask)
            result[place, tokens.sequences(instances)] = pooled.float().cpu().numpy()
    return result


@torch.inference_mode()
def head_vectors(model: Model, task: str, tokens: Tokens, device: torch.device) -> np.ndarray:
    """Return the vectors of a dual encoder that was trained on a task; float32 of shape (sequences, width)."""
    result = np.empty((len(tokens.sequence_lengths), model.backbone.width), dtype=np.float32)
    for instances in prediction.batches(tokens):
        vectors = model(task, tensors(tokens.inputs(instances), device), len(instances))
        result[tokens.sequences(instances)] = vectors.float().cpu().numpy()
    return result
