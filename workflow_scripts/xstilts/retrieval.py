"""Retrieval without training: sentence vectors of a model as it is."""

import math

import numpy as np
import torch

from xstilts import prediction
from xstilts.backbone import Backbone
from xstilts.tokens import Tokens


def layer_number(fraction: float, depth: int) -> int:
    """Return the hidden state at a fraction of the depth, 0 for the embeddings: round(depth x fraction), ties up."""
    return math.floor(depth * fraction + 0.5)


@torch.inference_mode()
def sentence_vectors(body: Backbone, tokens: Tokens, layer: int, device: torch.device) -> np.ndarray:
    """Return the mean over all non-padding positions of a layer; float32 of shape (sequences, width)."""
    result = np.empty((len(tokens.sequence_lengths), body.width), dtype=np.float32)
    for units in prediction.batches(tokens):
        inputs = prediction.tensors(tokens.inputs(units), device)
        hidden = body.layer(inputs["ids"], inputs["mask"], layer).float()
        mask = inputs["mask"].unsqueeze(-1).float()
        result[tokens.sequences(units)] = ((hidden * mask).sum(1) / mask.sum(1)).cpu().numpy()
    return result
