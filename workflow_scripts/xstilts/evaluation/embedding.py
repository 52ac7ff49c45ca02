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
    """Return layers pooled as ``Pooling.pooler`` says; float32 of shape (layers, sequences, width).

    Raises:
        UserError: as ``prediction.in_batches``.
    """

    def compute(instances: np.ndarray) -> list[np.ndarray]:
        inputs = tensors(tokens.inputs(instances), device)
        states, pool = model.layers(inputs), model.backbone.pooled if pooler == CLS else mean_vectors
        return [pool(states[layer], inputs["mask"]).float().cpu().numpy() for layer in layers]

    result = np.empty((len(layers), len(tokens.sequence_lengths), model.backbone.width), dtype=np.float32)
    for instances, vectors in prediction.in_batches(compute, tokens, "vectors of texts"):
        result[:, tokens.sequences(instances)] = vectors
    return result


@torch.inference_mode()
def head_vectors(model: Model, task: str, tokens: Tokens, device: torch.device) -> np.ndarray:
    """Return the vectors of a dual encoder that was trained on a task; float32 of shape (sequences, width).

    Raises:
        UserError: as ``prediction.in_batches``.
    """

    def compute(instances: np.ndarray) -> np.ndarray:
        vectors = model(task, tensors(tokens.inputs(instances), device), len(instances))
        return vectors.float().cpu().numpy()

    result = np.empty((len(tokens.sequence_lengths), model.backbone.width), dtype=np.float32)
    for instances, found in prediction.in_batches(compute, tokens, task):
        result[tokens.sequences(instances)] = found
    return result
