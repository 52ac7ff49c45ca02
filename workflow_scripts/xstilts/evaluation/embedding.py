"""Vectors of texts: the mean of a layer of a model as it is, or those of a trained dual encoder."""

import math
from collections.abc import Sequence

import numpy as np
import torch

from xstilts.errors import UserError
from xstilts.evaluation import prediction
from xstilts.models.model import Model, tensors
from xstilts.store.specs.evaluation import Pooling
from xstilts.tokenization.tokens import Tokens


def layer_number(pooling: Pooling, depth: int) -> int:
    """Return the number of the hidden state that is asked for, 0 for the embeddings.

    At a fraction of the depth it is round(depth x fraction), ties up.

    Raises:
        UserError: if the model has fewer layers.
    """
    if pooling.layer is None:
        return math.floor(depth * (pooling.layer_fraction or 0) + 0.5)
    if pooling.layer > depth:
        raise UserError(f"recipe: bitext.layer: {pooling.layer} is more than the model's {depth} layers")
    return pooling.layer


@torch.inference_mode()
def mean_vectors(model: Model, tokens: Tokens, layers: Sequence[int], device: torch.device) -> np.ndarray:
    """Return the means over all non-padding positions of layers; float32 of shape (layers, sequences, width)."""
    result = np.empty((len(layers), len(tokens.sequence_lengths), model.backbone.width), dtype=np.float32)
    for instances in prediction.batches(tokens):
        inputs = tensors(tokens.inputs(instances), device)
        mask = inputs["mask"].unsqueeze(-1).float()
        states = model.layers(inputs)
        for place, layer in enumerate(layers):
            means = (states[layer].float() * mask).sum(1) / mask.sum(1)
            result[place, tokens.sequences(instances)] = means.cpu().numpy()
    return result


@torch.inference_mode()
def head_vectors(model: Model, task: str, tokens: Tokens, device: torch.device) -> np.ndarray:
    """Return the vectors of a dual encoder that was trained on a task; float32 of shape (sequences, width)."""
    result = np.empty((len(tokens.sequence_lengths), model.backbone.width), dtype=np.float32)
    for instances in prediction.batches(tokens):
        vectors = model(task, tensors(tokens.inputs(instances), device), len(instances))
        result[tokens.sequences(instances)] = vectors.float().cpu().numpy()
    return result
