"""Heads: the layers on top of a backbone, fresh in every phase, but for the model's own language-model head."""

import math
from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import nn

# standard deviation of fresh weights, as in BERT (Devlin et al. 2019) and XLM-R
INITIALIZER_RANGE = 0.02
# the initial scale of the cosines of a dual encoder (the baseline of XTREME-R)
_SCALE = 100.0


class BackboneOutput(NamedTuple):
    """What heads read: ``hidden_states`` of shape (sequences, longest, width), ``pooled`` of (sequences, width)."""

    hidden_states: torch.Tensor
    pooled: torch.Tensor


class SentenceHead(nn.Module):
    """Scores of labels from the pooled vector: dense, tanh, linear (as XLM-R's classification head)."""

    def __init__(self, width: int, labels: int, dropout: float) -> None:
        """Make fresh weights; ``width`` is the size of a hidden vector."""
        super().__init__()
        self.dense = _linear(width, width)
        self.dropout = nn.Dropout(dropout)
        self.out = _linear(width, labels)

    def forward(self, outputs: BackboneOutput, inputs: Mapping[str, torch.Tensor], instances: int) -> torch.Tensor:
        """Return scores (sequences, labels)."""
        pooled = self.dropout(outputs.pooled)
        return self.out(self.dropout(torch.tanh(self.dense(pooled))))


class ChoiceHead(SentenceHead):
    """One score for each choice, and a row of scores for each instance."""

    def __init__(self, width: int, dropout: float) -> None:
        """Make fresh weights; ``width`` is the size of a hidden vector."""
        super().__init__(width, 1, dropout)

    def forward(self, outputs: BackboneOutput, inputs: Mapping[str, torch.Tensor], instances: int) -> torch.Tensor:
        """Return scores (instances, choices)."""
        return super().forward(outputs, inputs, instances).view(instances, -1)


class PositionHead(nn.Module):
    """Scores of labels for every position."""

    def __init__(self, width: int, labels: int, dropout: float) -> None:
        """Make fresh weights; ``width`` is the size of a hidden vector."""
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.out = _linear(width, labels)

    def forward(self, outputs: BackboneOutput, inputs: Mapping[str, torch.Tensor], instances: int) -> torch.Tensor:
        """Return scores (sequences, longest, labels)."""
        return self.out(self.dropout(outputs.hidden_states))


class SpanHead(PositionHead):
    """Scores of start and end for every position; those of the first position are the scores of no answer.

    An answer never starts at the first position, which is a special token or one of the question. Its scores are those
    of the pooled vector, because in a causal model the hidden state of the first token does not depend on the context.
    """

    def __init__(self, width: int, dropout: float) -> None:
        """Make fresh weights; ``width`` is the size of a hidden vector."""
        super().__init__(width, 2, dropout)

    def forward(self, outputs: BackboneOutput, inputs: Mapping[str, torch.Tensor], instances: int) -> torch.Tensor:
        """Return scores (sequences, longest, 2)."""
        positions = torch.cat([outputs.pooled[:, None], outputs.hidden_states[:, 1:]], dim=1)
        return self.out(self.dropout(positions))


class VectorHead(nn.Module):
    """A vector of a text from the pooled vector: dense, tanh, then scaled to a length that is learned.

    The product of two such vectors is their cosine times a scale, which is 100 at first and is learned.
    """

    def __init__(self, width: int, dropout: float) -> None:
        """Make fresh weights; ``width`` is the size of a hidden vector."""
        super().__init__()
        self.dense = _linear(width, width)
        self.dropout = nn.Dropout(dropout)
        self.log_scale = nn.Parameter(torch.tensor([math.log(_SCALE)]))

    def forward(self, outputs: BackboneOutput, inputs: Mapping[str, torch.Tensor], instances: int) -> torch.Tensor:
        """Return vectors (sequences, width)."""
        vectors = torch.tanh(self.dense(self.dropout(outputs.pooled)))
        return nn.functional.normalize(vectors.float(), dim=-1) * (self.log_scale / 2).exp()


class LanguageHead(nn.Module):
    """The model's own language-model head, at the positions that have a label."""

    def __init__(self, layers: nn.Module, factor: float = 1.0, bound: float | None = None) -> None:
        """Wrap the layers after the backbone; their last matrix is that of its embeddings where the model ties the two.

        Args:
            layers: hidden vectors to scores.
            factor: hidden vectors are multiplied by it.
            bound: scores are limited to plus or minus this by tanh; None for no limit.
        """
        super().__init__()
        self.layers, self._factor, self._bound = layers, factor, bound

    def forward(self, outputs: BackboneOutput, inputs: Mapping[str, torch.Tensor], instances: int) -> torch.Tensor:
        """Return scores (positions, tokens)."""
        scores = self.layers(outputs.hidden_states[inputs["labelled"]] * self._factor)
        return scores if self._bound is None else torch.tanh(scores / self._bound) * self._bound


def _linear(inputs: int, outputs: int) -> nn.Linear:
    layer = nn.Linear(inputs, outputs)
    nn.init.normal_(layer.weight, std=INITIALIZER_RANGE)
    nn.init.zeros_(layer.bias)
    return layer


def with_initializer_range(head: nn.Module, deviation: float) -> nn.Module:
    """Return a fresh head whose matrices have another standard deviation.

    In transformers it is the ``initializer_range`` of the model's configuration; with the usual 0.02 the head of a
    narrow model learns hardly anything.
    """
    with torch.no_grad():
        for layer in head.modules():
            if isinstance(layer, nn.Linear):
                layer.weight.mul_(deviation / INITIALIZER_RANGE)
    return head
