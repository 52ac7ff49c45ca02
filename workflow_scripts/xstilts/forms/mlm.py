"""Language modelling with the model's own head: an intermediate task, or a measure of forgetting.

What is to be told, depends on the model's family (``objectives.py``). For a measure it is the same for every model that
reads the same pieces.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow

from xstilts.forms.text import filled
from xstilts.tokenization import masking
from xstilts.tokenization.masking import IGNORED
from xstilts.tokenization.tokenizer import PieceTokenizer
from xstilts.tokenization.tokens import Tokens, TokensBuilder

FIELDS = [("text", pyarrow.string())]


def normalise(record: dict[str, Any], labels: Sequence[str] | None) -> dict[str, Any]:
    """Return the row: a text."""
    return {"text": filled(record, "text")}


def encode(
    rows: Sequence[Mapping[str, Any]], tokenizer: PieceTokenizer, lengths: Mapping[str, Any]
) -> dict[str, np.ndarray]:
    """Return the sequences of each text, every one a unit; a text longer than the limit is cut into several.

    For a masked model ``mask`` and ``pieces`` by unit: the mask piece, and the number of pieces of the tokenizer. For
    an encoder-decoder model ``sentinels``, the pieces that stand for spans. For both ``told``, the part to be told.
    """
    if tokenizer.objective == masking.MASKED and tokenizer.mask is None:
        raise ValueError(
            "the model's tokenizer has no mask piece, so it cannot be trained or measured as a masked model"
        )
    if tokenizer.objective == masking.SPANS and not tokenizer.sentinels:
        raise ValueError("the model's tokenizer has no sentinel pieces, so spans of a text cannot be told")
    builder = TokensBuilder()
    room = lengths["max_length"] - tokenizer.single_overhead
    for number, encoding in enumerate(tokenizer.pieces([row["text"] for row in rows])):
        # a text with no piece becomes the unknown piece
        pieces = encoding.ids or [tokenizer.unknown]
        for start in range(0, len(pieces), room):
            ids = tokenizer.single(pieces[start : start + room])
            # a single piece has none after it to be told
            if tokenizer.objective != masking.CAUSAL or len(ids) > 1:
                builder.sequence(ids)
                more = {"mask": tokenizer.mask, "pieces": tokenizer.size}
                builder.close(number, **(more if tokenizer.objective == masking.MASKED else {}))
    arrays = builder.arrays()
    if tokenizer.objective != masking.CAUSAL:
        arrays["told"] = np.float64(lengths["told"])
    if tokenizer.objective == masking.SPANS:
        arrays["sentinels"] = np.asarray(tokenizer.sentinels, dtype=np.int32)
    return arrays


def batch(tokens: Tokens, units: np.ndarray, key: int) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Return the model's input with ``told``, and ``pieces``: what is to be told at these positions, -100 elsewhere."""
    if "mask" in tokens.arrays:
        return masking.masked(tokens, units, key)
    return (masking.spans if "sentinels" in tokens.arrays else masking.causal)(tokens, units, key)


def loss(outputs: Any, targets: Mapping[str, Any]) -> Any:
    """Return the mean cross-entropy over the positions to be told; outputs of shape (positions, pieces)."""
    from torch.nn.functional import cross_entropy

    return cross_entropy(outputs.float(), targets["pieces"][targets["pieces"] != IGNORED])


def terms(targets: Mapping[str, Any], units: int) -> int:
    """Return the number of positions to be told, over which the loss is a mean."""
    return int((targets["pieces"] != IGNORED).sum())


def outputs(raw: Any, targets: Mapping[str, Any]) -> list[tuple[float, int]]:
    """Return for each unit the sum of the losses of its positions, and their number."""
    from torch.nn.functional import cross_entropy

    chosen = targets["pieces"] != IGNORED
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
