"""Vectors of texts: the mean of a layer of a model as it is, or those of a trained dual encoder."""

import math

import numpy as np
import torch

from xstilts import prediction
from xstilts.backbone import Backbone
from xstilts.prediction import Model
from xstilts.tokens import Tokens


def layer_number(fraction: float, depth: int) -> int:
    """Return the hidden state at a fraction of the depth, 0 for the embeddings: round(depth x fraction), ties up."""
    return math.floor(depth * fraction + 0.5)


@torch.inference_mode()
def mean_vectors(body: Backbone, tokens: Tokens, layer: int, device: torch.device) -> np.ndarray:
    """Return the mean over all non-padding positions of a layer; float32 of shape (sequences, width)."""
    result = np.empty((len(tokens.sequence_lengths), body.width), dtype=np.float32)
    for units in prediction.batches(tokens):
        inputs = prediction.tensors(tokens.inputs(units), device)
        hidden = body.layer(inputs["ids"], inputs["mask"], layer).float()
        mask = inputs["mask"].unsqueeze(-1).float()
        result[tokens.sequences(units)] = ((hidden * mask).sum(1) / mask.sum(1)).cpu().numpy()
    return result


@torch.inference_mode()
def head_vectors(model: Model, task: str, tokens: Tokens, device: torch.device) -> np.ndarray:
    """Return the vectors of a dual encoder that was trained on a task; float32 of shape (sequences, width)."""
    result = np.empty((len(tokens.sequence_lengths), model.body.width), dtype=np.float32)
    for units in prediction.batches(tokens):
        vectors = model(task, prediction.tensors(tokens.inputs(units), device), len(units))
        result[tokens.sequences(units)] = vectors.float().cpu().numpy()
    return result
