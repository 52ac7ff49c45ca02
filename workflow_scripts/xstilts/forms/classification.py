"""Classification of a text or of a pair of texts."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow

from xstilts.forms.text import filled
from xstilts.tokenization.tokenizer import ModelTokenizer, shorten
from xstilts.tokenization.tokens import Tokens, TokensBuilder

FIELDS = [("text_a", pyarrow.string()), ("text_b", pyarrow.string()), ("label", pyarrow.int32())]


def normalise(record: dict[str, Any], labels: Sequence[str] | None) -> dict[str, Any]:
    """Return the row: one or two texts and a label's number."""
    second = filled(record, "text_b") if record.get("text_b") is not None else None
    return {"text_a": filled(record, "text_a"), "text_b": second, "label": record["label"]}


def encode(
    rows: Sequence[Mapping[str, Any]], tokenizer: ModelTokenizer, lengths: Mapping[str, int]
) -> dict[str, np.ndarray]:
    """Return one sequence a row, the longer text shortened first; ``labels`` by instance."""
    builder = TokensBuilder()
    first = tokenizer.tokenize([row["text_a"] for row in rows])
    second = tokenizer.tokenize([row["text_b"] or "" for row in rows])
    for number, row in enumerate(rows):
        if row["text_b"] is None:
            room = lengths["max_length"] - tokenizer.single_overhead
            builder.sequence(tokenizer.single(first[number].ids[:room]))
        else:
            one, other = first[number].ids, second[number].ids
            keep, keep_other = shorten(len(one), len(other), lengths["max_length"] - tokenizer.pair_overhead)
            builder.sequence(tokenizer.pair(one[:keep], other[:keep_other]))
        builder.close(number, labels=row["label"])
    return builder.arrays()


def batch(tokens: Tokens, instances: np.ndarray, key: int) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Return the model's input, and ``labels``, int64 of shape (instances,)."""
    return tokens.inputs(instances), {"labels": tokens.arrays["labels"][instances].astype(np.int64)}


def head(width: int, labels: Sequence[str] | None, dropout: float) -> Any:
    """Return a classifier on the sentence vector."""
    from xstilts.forms import heads

    return heads.SentenceHead(width, len(labels or ()), dropout)


def head_size(width: int, labels: Sequence[str] | None) -> int:
    """Return the parameters of the classifier."""
    return width * (width + 1) + (width + 1) * len(labels or ())


def loss(outputs: Any, targets: Mapping[str, Any]) -> Any:
    """Return the mean cross-entropy; outputs of shape (instances, labels)."""
    from torch.nn.functional import cross_entropy

    return cross_entropy(outputs, targets["labels"])


def terms(targets: Mapping[str, Any], instances: int) -> int:
    """Return the number of instances, over which the loss is a mean."""
    return instances


def outputs(raw: Any, targets: Mapping[str, Any]) -> list[int]:
    """Return the number of the best label for each instance."""
    return raw.argmax(-1).tolist()


def predict(
    rows: Sequence[Mapping[str, Any]], tokens: Tokens, kept: Sequence[int], labels: Sequence[str] | None,
    decoding: Mapping[str, Any],
) -> list[str]:  # fmt: skip
    """Return the best label's name for each row."""
    return [labels[label] for label in kept]


def gold(row: Mapping[str, Any], labels: Sequence[str] | None) -> str:
    """Return the right label's name."""
    return labels[row["label"]]


def statistics(prediction: str, gold: str, scoring: Mapping[str, Any]) -> dict[str, float]:
    """Return ``correct``: 1 if the label is right."""
    return {"correct": float(prediction == gold)}


def collapsed(predictions: Sequence[str], gold: Sequence[str]) -> bool:
    """Tell whether every prediction is the same though the right answers are not."""
    return len(set(predictions)) == 1 < len(set(gold))


def score(sums: Mapping[str, float], examples: int) -> dict[str, float]:
    """Return ``accuracy`` in percent."""
    return {"accuracy": 100 * sums["correct"] / examples}
