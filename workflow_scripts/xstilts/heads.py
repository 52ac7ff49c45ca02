"""Heads: the layers on top of a backbone, fresh in every phase, but for the model's own language-model head."""

import math
from collections.abc import Mapping

import torch
from torch import nn

# standard deviation of fresh weights, as in BERT (Devlin et al. 2019) and XLM-R
_SPREAD = 0.02
# what the cosines of a dual encoder are multiplied with at first (XTREME-R's baseline)
_SCALE = 100.0


class SentenceHead(nn.Module):
    """Scores of labels from the first position's vector: dense, tanh, linear (as XLM-R's classification head)."""

    def __init__(self, width: int, labels: int, dropout: float) -> None:
        """Make fresh weights; ``width`` is the size of a hidden vector."""
        super().__init__()
        self.dense = _linear(width, width)
        self.dropout = nn.Dropout(dropout)
        self.out = _linear(width, labels)

    def forward(self, hidden: torch.Tensor, inputs: Mapping[str, torch.Tensor], units: int) -> torch.Tensor:
        """Return scores (sequences, labels) from hidden vectors (sequences, longest, width)."""
        sentence = self.dropout(hidden[:, 0])
        return self.out(self.dropout(torch.tanh(self.dense(sentence))))


class ChoiceHead(SentenceHead):
    """One score for each choice, and a row of scores for each unit."""

    def __init__(self, width: int, dropout: float) -> None:
        """Make fresh weights; ``width`` is the size of a hidden vector."""
        super().__init__(width, 1, dropout)

    def forward(self, hidden: torch.Tensor, inputs: Mapping[str, torch.Tensor], units: int) -> torch.Tensor:
        """Return scores (units, choices) from hidden vectors (units x choices, longest, width)."""
        return super().forward(hidden, inputs, units).view(units, -1)


class PositionHead(nn.Module):
    """Scores of labels for every position."""

    def __init__(self, width: int, labels: int, dropout: float) -> None:
        """Make fresh weights; ``width`` is the size of a hidden vector."""
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.out = _linear(width, labels)

    def forward(self, hidden: torch.Tensor, inputs: Mapping[str, torch.Tensor], units: int) -> torch.Tensor:
        """Return scores (sequences, longest, labels) from hidden vectors (sequences, longest, width)."""
        return self.out(self.dropout(hidden))


class VectorHead(nn.Module):
    """A vector of a text from the first position's: dense, tanh, and of a length that is learned.

    The product of two such vectors is their cosine times a scale, which starts at 100 and is learned.
    """

    def __init__(self, width: int, dropout: float) -> None:
        """Make fresh weights; ``width`` is the size of a hidden vector."""
        super().__init__()
        self.dense = _linear(width, width)
        self.dropout = nn.Dropout(dropout)
        self.log_scale = nn.Parameter(torch.tensor([math.log(_SCALE)]))

    def forward(self, hidden: torch.Tensor, inputs: Mapping[str, torch.Tensor], units: int) -> torch.Tensor:
        """Return vectors (sequences, width) from hidden vectors (sequences, longest, width)."""
        vectors = torch.tanh(self.dense(self.dropout(hidden[:, 0])))
        return nn.functional.normalize(vectors.float(), dim=-1) * (self.log_scale / 2).exp()


class LanguageHead(nn.Module):
    """The model's own head of its masked language model, at the positions to be told."""

    def __init__(self, layers: nn.Module) -> None:
        """Wrap the layers after the body; their last matrix is the body's embeddings where the model ties the two."""
        super().__init__()
        self.layers = layers

    def forward(self, hidden: torch.Tensor, inputs: Mapping[str, torch.Tensor], units: int) -> torch.Tensor:
        """Return scores (positions, pieces) from hidden vectors (sequences, longest, width)."""
        return self.layers(hidden[inputs["told"]])


def _linear(inputs: int, outputs: int) -> nn.Linear:
    layer = nn.Linear(inputs, outputs)
    nn.init.normal_(layer.weight, std=_SPREAD)
    nn.init.zeros_(layer.bias)
    return layer
