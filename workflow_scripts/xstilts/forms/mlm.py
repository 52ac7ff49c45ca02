"""Masked language modelling with the model's own head: an intermediate task, or a measure of forgetting.

Of the pieces, 15 % are to be told: of these 8 in 10 are masked, 1 in 10 is another piece, 1 in 10 stays (Devlin et al.
2019, BERT, section 3.1). Which, depends on the text's number and a key alone, so that a measure is the same for every
model that reads the same pieces.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow

from xstilts.forms.text import filled
from xstilts.tokenizer import PieceTokenizer
from xstilts.tokens import Tokens, TokensBuilder

FIELDS = [("text", pyarrow.string())]
_TOLD, _MASKED, _OTHER = 0.15, 0.8, 0.9
_IGNORED = -100


def normalise(record: dict[str, Any], labels: Sequence[str] | None) -> dict[str, Any]:
    """Return the row: a text."""
    return {"text": filled(record, "text")}


def encode(
    rows: Sequence[Mapping[str, Any]], tokenizer: PieceTokenizer, lengths: Mapping[str, int]
) -> dict[str, np.ndarray]:
    """Return the sequences of each text, every one a unit; a text longer than the limit is cut into several.

    ``mask`` and ``pieces`` by unit: the mask piece, and the number of pieces of the tokenizer.
    """
    if tokenizer.mask is None:
        raise ValueError(
            "the model's tokenizer has no mask piece, so it cannot be trained or measured as a masked model"
        )
    builder = TokensBuilder()
    room = lengths["max_length"] - tokenizer.single_overhead
    for number, encoding in enumerate(tokenizer.pieces([row["text"] for row in rows])):
        # a text with no piece becomes the unknown piece
        pieces = encoding.ids or [tokenizer.unknown]
        for start in range(0, len(pieces), room):
            builder.sequence(tokenizer.single(pieces[start : start + room]))
            builder.close(number, mask=tokenizer.mask, pieces=tokenizer.size)
    return builder.arrays()


def batch(tokens: Tokens, units: np.ndarray, key: int) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Return the model's input with ``told``, and ``pieces``: what stood at the positions to be told, -100 elsewhere.

    ``told`` is bool, ``pieces`` int64, both of shape (units, longest). Every text has at least one such position.
    """
    inputs = tokens.inputs(units)
    ids, told = inputs["ids"], np.zeros(inputs["ids"].shape, dtype=bool)
    right = np.full(ids.shape, _IGNORED, dtype=np.int64)
    for row, unit in enumerate(units):
        length = int(inputs["mask"][row].sum())
        chance = np.random.Generator(np.random.Philox(key=[key, int(unit)]))
        draws, kinds = chance.random(length), chance.random(length)
        others = chance.integers(0, int(tokens.arrays["pieces"][unit]), length)
        # the special tokens at both ends are never told
        inner = slice(1, length - 1)
        chosen = np.zeros(length, dtype=bool)
        chosen[inner] = draws[inner] < _TOLD
        if not chosen.any():
            chosen[inner.start + int(draws[inner].argmin())] = True
        told[row, :length] = chosen
        right[row, :length][chosen] = ids[row, :length][chosen]
        masked, changed = chosen & (kinds < _MASKED), chosen & (kinds >= _MASKED) & (kinds < _OTHER)
        ids[row, :length][masked] = tokens.arrays["mask"][unit]
        ids[row, :length][changed] = others[changed]
    return {**inputs, "told": told}, {"pieces": right}


def loss(outputs: Any, targets: Mapping[str, Any]) -> Any:
    """Return the mean cross-entropy over the positions to be told; outputs of shape (positions, pieces)."""
    from torch.nn.functional import cross_entropy

    return cross_entropy(outputs.float(), targets["pieces"][targets["pieces"] != _IGNORED])


def outputs(raw: Any, targets: Mapping[str, Any]) -> list[tuple[float, int]]:
    """Return for each unit the sum of the losses of its positions, and their number."""
    from torch.nn.functional import cross_entropy

    chosen = targets["pieces"] != _IGNORED
    losses = cross_entropy(raw.float(), targets["pieces"][chosen], reduction="none").double()
    counts = chosen.sum(1).tolist()
    return [(float(part.sum()), len(part)) for part in losses.split(counts)]


def predict(
    rows: Sequence[Mapping[str, Any]], tokens: Tokens, kept: Sequence[tuple[float, int]], labels: Sequence[str] | None,
    decoding: Mapping[str, Any],
) -> list[str]:  # fmt: skip
    """Return for each text the sum of its losses and the number of positions, separated by a space."""
    sums = [[0.0, 0] for _ in rows]
    for example, (loss_sum, count) in zip(tokens.examples, kept, strict=True):
        sums[example][0] += loss_sum
        sums[example][1] += count
    return [f"{loss_sum!r} {count}" for loss_sum, count in sums]


def gold(row: Mapping[str, Any], labels: Sequence[str] | None) -> str:
    """Return nothing: a loss has no right answer."""
    return ""


def collapsed(predictions: Sequence[str], golds: Sequence[str]) -> bool:
    """Tell that there is nothing to collapse to."""
    return False


def statistics(prediction: str, gold: str, scoring: Mapping[str, Any]) -> dict[str, float]:
    """Return ``loss``, the sum over positions in nats, and ``positions``."""
    loss_sum, positions = prediction.split(" ")
    return {"loss": float(loss_sum), "positions": float(positions)}


def score(sums: Mapping[str, float], examples: int) -> dict[str, float]:
    """Return ``loss``, the mean over positions in nats."""
    return {"loss": sums["loss"] / sums["positions"]}
