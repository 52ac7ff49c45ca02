"""Language modelling with the model's own head: an intermediate task, or a measure of forgetting.

What is to be labelled, depends on the model's family (``objectives.py``). For a measure it is the same for every model that
reads the same tokens.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow

from xstilts.forms.text import filled
from xstilts.tokenization import masking
from xstilts.tokenization.masking import IGNORED
from xstilts.tokenization.tokenizer import ModelTokenizer
from xstilts.tokenization.tokens import Tokens, TokensBuilder

FIELDS = [("text", pyarrow.string())]


def normalise(record: dict[str, Any], labels: Sequence[str] | None) -> dict[str, Any]:
    """Return the row: a text."""
    return {"text": filled(record, "text")}


def encode(
    rows: Sequence[Mapping[str, Any]], tokenizer: ModelTokenizer, lengths: Mapping[str, Any]
) -> dict[str, np.ndarray]:
    """Return the sequences of each text, every one a instance; a text longer than the limit is cut into several.

    For a masked model ``mask`` and ``tokens`` by instance: the mask token, and the number of tokens of the tokenizer. For
    an encoder-decoder model ``sentinels``, the tokens that stand for spans. For both ``labelled``, the part to be labelled.
    """
    if tokenizer.objective == masking.MASKED and tokenizer.mask is None:
        raise ValueError(
            "the model's tokenizer has no mask token, so it cannot be trained or measured as a masked model"
        )
    if tokenizer.objective == masking.SPANS and not tokenizer.sentinels:
        raise ValueError("the model's tokenizer has no sentinel tokens, so spans of a text cannot be labelled")
    builder = TokensBuilder()
    room = lengths["max_length"] - tokenizer.single_overhead
    for number, encoding in enumerate(tokenizer.tokenize([row["text"] for row in rows])):
        # a text with no token becomes the unknown token
        tokens = encoding.ids or [tokenizer.unknown]
        for start in range(0, len(tokens), room):
            ids = tokenizer.single(tokens[start : start + room])
            # a single token has none after it to be labelled
            if tokenizer.objective != masking.CAUSAL or len(ids) > 1:
                builder.sequence(ids)
                more = {"mask_token": tokenizer.mask, "vocabulary_size": tokenizer.size}
                builder.close(number, **(more if tokenizer.objective == masking.MASKED else {}))
    arrays = builder.arrays()
    if tokenizer.objective != masking.CAUSAL:
        arrays["mask_rate"] = np.float64(lengths["mask_rate"])
    if tokenizer.objective == masking.SPANS:
        arrays["sentinels"] = np.asarray(tokenizer.sentinels, dtype=np.int32)
    return arrays


def batch(tokens: Tokens, instances: np.ndarray, key: int) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Return the model's input with ``labelled``, and ``tokens``: what is to be labelled at these positions, -100 elsewhere."""
    if "mask_token" in tokens.arrays:
        return masking.masked(tokens, instances, key)
    return (masking.spans if "sentinels" in tokens.arrays else masking.causal)(tokens, instances, key)


def loss(outputs: Any, targets: Mapping[str, Any]) -> Any:
    """Return the mean cross-entropy over the positions to be labelled; outputs of shape (positions, tokens)."""
    from torch.nn.functional import cross_entropy

    return cross_entropy(outputs.float(), targets["labels"][targets["labels"] != IGNORED])


def terms(targets: Mapping[str, Any], instances: int) -> int:
    """Return the number of positions to be labelled, over which the loss is a mean."""
    return int((targets["labels"] != IGNORED).sum())


def outputs(raw: Any, targets: Mapping[str, Any]) -> list[tuple[float, int]]:
    """Return for each instance the sum of the losses of its positions, and their number."""
    from torch.nn.functional import cross_entropy

    chosen = targets["labels"] != IGNORED
    losses = cross_entropy(raw.float(), targets["labels"][chosen], reduction="none").double()
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


def collapsed(predictions: Sequence[str], gold: Sequence[str]) -> bool:
    """Tell that there is nothing to collapse to."""
    return False


def statistics(prediction: str, gold: str, scoring: Mapping[str, Any]) -> dict[str, float]:
    """Return ``loss``, the sum over positions in nats, and ``positions``."""
    loss_sum, positions = prediction.split(" ")
    return {"loss": float(loss_sum), "positions": float(positions)}


def score(sums: Mapping[str, float], examples: int) -> dict[str, float]:
    """Return ``loss``, the mean over positions in nats."""
    return {"loss": sums["loss"] / sums["positions"]}
