"""Heads: the layers on top of a backbone, fresh in every phase."""

import torch
from torch import nn

# standard deviation of fresh weights, as in BERT (Devlin et al. 2019) and XLM-R
_SPREAD = 0.02


class SentenceHead(nn.Module):
    """Scores of labels from the first position's vector: dense, tanh, linear (as XLM-R's classification head)."""

    def __init__(self, width: int, labels: int, dropout: float) -> None:
        """Make fresh weights; ``width`` is the size of a hidden vector."""
        super().__init__()
        self.dense = _linear(width, width)
        self.dropout = nn.Dropout(dropout)
        self.out = _linear(width, labels)

    def forward(self, hidden: torch.Tensor, mask: torch.Tensor, units: int) -> torch.Tensor:
        """Return scores (sequences, labels) from hidden vectors (sequences, longest, width)."""
        sentence = self.dropout(hidden[:, 0])
        return self.out(self.dropout(torch.tanh(self.dense(sentence))))


class ChoiceHead(SentenceHead):
    """One score for each choice, and a row of scores for each unit."""

    def __init__(self, width: int, dropout: float) -> None:
        """Make fresh weights; ``width`` is the size of a hidden vector."""
        super().__init__(width, 1, dropout)

    def forward(self, hidden: torch.Tensor, mask: torch.Tensor, units: int) -> torch.Tensor:
        """Return scores (units, choices) from hidden vectors (units x choices, longest, width)."""
        return super().forward(hidden, mask, units).view(units, -1)


class PositionHead(nn.Module):
    """Scores of labels for every position."""

    def __init__(self, width: int, labels: int, dropout: float) -> None:
        """Make fresh weights; ``width`` is the size of a hidden vector."""
        super().__init__()
        self.dropout = nn.Dropout(dropout)
        self.out = _linear(width, labels)

    def forward(self, hidden: torch.Tensor, mask: torch.Tensor, units: int) -> torch.Tensor:
        """Return scores (sequences, longest, labels) from hidden vectors (sequences, longest, width)."""
        return self.out(self.dropout(hidden))


def _linear(inputs: int, outputs: int) -> nn.Linear:
    layer = nn.Linear(inputs, outputs)
    nn.init.normal_(layer.weight, std=_SPREAD)
    nn.init.zeros_(layer.bias)
    return layer
