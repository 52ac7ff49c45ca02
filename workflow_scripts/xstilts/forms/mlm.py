"""Language modelling with the model's own head: an intermediate task, or a measure of forgetting.

Which tokens the model predicts depends on its family (``tokenization/masking.py``). As a measure they are the same for
every model with the same tokens.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from xstilts.forms.declaration import NATS, Field, Form, Metric, Role
from xstilts.forms.text import filled
from xstilts.tokenization import masking
from xstilts.tokenization.masking import IGNORED
from xstilts.tokenization.tokenizer import ModelTokenizer
from xstilts.tokenization.tokens import Tokens, TokensBuilder

FORM = Form(
    fields={"text": Field(Role.TEXT)},
    metrics={
        "loss": Metric(
            of_sums=lambda sums, examples: sums["loss"] / sums["positions"], unit=NATS, higher_is_better=False
        ),
    },
    pretrained_head=True,
    lengths=("mask_rate",),
    hub_task="fill-mask",
)


def normalise(record: dict[str, Any], labels: Sequence[str] | None) -> dict[str, Any]:
    """Return the row: a text."""
    return {"text": filled(record, "text")}


def encode(
    rows: Sequence[Mapping[str, Any]], tokenizer: ModelTokenizer, lengths: Mapping[str, Any]
) -> dict[str, np.ndarray]:
    """Return the sequences of each text, every one an instance; a text longer than the limit is cut into several.

    For a masked model there are by instance ``mask_token`` and ``vocabulary_size``, the number of tokens of the
    tokenizer; for an encoder-decoder model ``sentinels``, the tokens that stand for spans; for both ``mask_rate``.
    """
    of_instance: dict[str, int] = {}
    if tokenizer.objective == masking.MASKED:
        if tokenizer.mask is None:
            raise ValueError(
                "the model's tokenizer has no mask token, so it cannot be trained or measured as a masked model"
            )
        of_instance = {"mask_token": tokenizer.mask, "vocabulary_size": tokenizer.size}
    if tokenizer.objective == masking.SPANS and not tokenizer.sentinels:
        raise ValueError("the model's tokenizer has no sentinel tokens, so spans of a text cannot be predicted")
    builder = TokensBuilder()
    length = lengths["max_length"] - tokenizer.single_overhead
    for index, encoding in enumerate(tokenizer.tokenize([row["text"] for row in rows])):
        # a text with no token becomes the unknown token
        tokens = encoding.ids or [tokenizer.unknown]
        for start in range(0, len(tokens), length):
            ids = tokenizer.single(tokens[start : start + length])
            # a causal model has nothing to predict after a single token
            if tokenizer.objective != masking.CAUSAL or len(ids) > 1:
                builder.sequence(ids)
                builder.close(index, **of_instance)
    arrays = builder.arrays()
    if tokenizer.objective != masking.CAUSAL:
        arrays["mask_rate"] = np.asarray(lengths["mask_rate"], dtype=np.float64)
    if tokenizer.objective == masking.SPANS:
        arrays["sentinels"] = np.asarray(tokenizer.sentinels, dtype=np.int32)
    return arrays


def batch(tokens: Tokens, instances: np.ndarray, key: int) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Return the model's inputs with ``labelled``, and ``labels``; see ``masking.py``."""
    if "mask_token" in tokens.arrays:
        return masking.masked(tokens, instances, key)
    return (masking.spans if "sentinels" in tokens.arrays else masking.causal)(tokens, instances, key)


def loss(outputs: Any, targets: Mapping[str, Any]) -> Any:
    """Return the mean cross-entropy over the positions with a label; outputs of shape (positions, tokens)."""
    from torch.nn.functional import cross_entropy

    return cross_entropy(outputs.float(), targets["labels"][targets["labels"] != IGNORED])


def terms(targets: Mapping[str, Any], instances: int) -> int:
    """Return the number of positions with a label, over which the loss is a mean."""
    return int((targets["labels"] != IGNORED).sum())


def class_count(tokens: Tokens, labels: Sequence[str] | None, batch_size: int, vocabulary: int) -> float:
    """Return the number of tokens."""
    return vocabulary


def outputs(raw: Any, targets: Mapping[str, Any]) -> list[tuple[float, int]]:
    """Return for each instance the sum of the losses of its positions with a label, and their number."""
    from torch.nn.functional import cross_entropy

    labelled = targets["labels"] != IGNORED
    losses = cross_entropy(raw.float(), targets["labels"][labelled], reduction="none").double()
    counts = labelled.sum(1).tolist()
    return [(float(of_instance.sum()), len(of_instance)) for of_instance in losses.split(counts)]


def predict(
    rows: Sequence[Mapping[str, Any]],
    tokens: Tokens,
    kept: Sequence[tuple[float, int]],
    labels: Sequence[str] | None,
    decoding: Mapping[str, Any],
) -> list[str]:
    """Return for each text the sum of its losses and the number of its labels, separated by a space."""
    sums = [[0.0, 0] for _ in rows]
    for example, (loss_sum, count) in zip(tokens.examples, kept, strict=True):
        sums[example][0] += loss_sum
        sums[example][1] += count
    return [f"{loss_sum!r} {count}" for loss_sum, count in sums]


def gold(row: Mapping[str, Any], labels: Sequence[str] | None) -> str:
    """Return no text: a loss has no gold answer."""
    return ""


def collapsed(predictions: Sequence[str], gold: Sequence[str]) -> bool:
    """Return False: losses are not answers that could all be the same."""
    return False


def statistics(prediction: str, gold: str, scoring: Mapping[str, Any]) -> dict[str, float]:
    """Return ``loss``, the sum over positions in nats, and ``positions``."""
    loss_sum, positions = prediction.split(" ")
    return {"loss": float(loss_sum), "positions": float(positions)}
