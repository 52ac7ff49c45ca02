"""Classification of a text or of a pair of texts."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from xstilts.forms.declaration import Answering, Field, Form, Judgement, Metric, Notation, Role, Xtreme
from xstilts.forms.text import filled
from xstilts.metrics import classes
from xstilts.tokenization.tokenizer import ModelTokenizer, shorten
from xstilts.tokenization.tokens import Tokens, TokensBuilder

FORM = Form(
    fields={
        "text_a": Field(Role.TEXT),
        "text_b": Field(Role.TEXT, required=False),
        "label": Field(Role.LABEL),
    },
    metrics={
        "accuracy": Metric(
            of_sums=lambda sums, examples: 100 * sums["correct"] / examples, chance=lambda labels: 100 / labels
        ),
        "macro_f1": Metric(
            of_examples=lambda columns, counts: 100 * classes.macro_f1(columns["gold"], columns["prediction"], counts)
        ),
    },
    head_size=lambda width, labels: width * (width + 1) + (width + 1) * labels,
    label_head=True,
    xtreme=Xtreme("labels", "tsv"),
    judgement=Judgement(
        Notation.LABEL, ("correct",), lambda columns: columns["correct"] == 1, "the label is the gold one"
    ),
    answering=Answering.CHOSEN,
    hub_task="text-classification",
)


def normalise(record: dict[str, Any], labels: Sequence[str] | None) -> dict[str, Any]:
    """Return the row: one or two texts and the index of a label."""
    second = filled(record, "text_b") if record.get("text_b") is not None else None
    return {"text_a": filled(record, "text_a"), "text_b": second, "label": record["label"]}


def encode(
    rows: Sequence[Mapping[str, Any]], tokenizer: ModelTokenizer, lengths: Mapping[str, int]
) -> dict[str, np.ndarray]:
    """Return one sequence a row, the longer text shortened first; ``labels`` by instance."""
    builder = TokensBuilder()
    first = tokenizer.tokenize([row["text_a"] for row in rows])
    second = tokenizer.tokenize([row["text_b"] or "" for row in rows])
    for index, row in enumerate(rows):
        if row["text_b"] is None:
            length = lengths["max_length"] - tokenizer.single_overhead
            builder.sequence(tokenizer.single(first[index].ids[:length]))
        else:
            ids_a, ids_b = first[index].ids, second[index].ids
            keep_a, keep_b = shorten(len(ids_a), len(ids_b), lengths["max_length"] - tokenizer.pair_overhead)
            builder.sequence(tokenizer.pair(ids_a[:keep_a], ids_b[:keep_b]))
        builder.close(index, labels=row["label"])
    return builder.arrays()


def batch(tokens: Tokens, instances: np.ndarray, key: int) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Return the model's inputs, and ``labels``, int64 of shape (instances,)."""
    return tokens.inputs(instances), {"labels": tokens.arrays["labels"][instances].astype(np.int64)}


def head(width: int, labels: Sequence[str] | None, dropout: float) -> Any:
    """Return a classifier on the pooled vector."""
    from xstilts.forms import heads

    return heads.SentenceHead(width, len(labels or ()), dropout)


def loss(outputs: Any, targets: Mapping[str, Any]) -> Any:
    """Return the mean cross-entropy; outputs of shape (instances, labels)."""
    from torch.nn.functional import cross_entropy

    return cross_entropy(outputs, targets["labels"])


def terms(targets: Mapping[str, Any], instances: int) -> int:
    """Return the number of instances, over which the loss is a mean."""
    return instances


def class_count(tokens: Tokens, labels: Sequence[str] | None, batch_size: int, vocabulary: int) -> float:
    """Return the number of labels."""
    return len(labels or ())


def outputs(raw: Any, targets: Mapping[str, Any]) -> list[int]:
    """Return the index of the best label for each instance."""
    return raw.argmax(-1).tolist()


def predict(
    rows: Sequence[Mapping[str, Any]],
    tokens: Tokens,
    kept: Sequence[int],
    labels: Sequence[str] | None,
    decoding: Mapping[str, Any],
) -> list[str]:
    """Return the name of the best label for each row."""
    return [(labels or ())[label] for label in kept]


def gold(row: Mapping[str, Any], labels: Sequence[str] | None) -> str:
    """Return the name of the gold label."""
    return (labels or ())[row["label"]]


def statistics(prediction: str, gold: str, scoring: Mapping[str, Any]) -> dict[str, float]:
    """Return ``correct``: 1 if the label is the gold one."""
    return {"correct": float(prediction == gold)}


def answers(row: Mapping[str, Any], words: Sequence[str] | None) -> tuple[list[str], str]:
    """Return the words of the labels, and that of the gold label."""
    named = list(words or ())
    return named, "" if row["label"] is None else named[row["label"]]


def collapsed(predictions: Sequence[str], gold: Sequence[str]) -> bool:
    """Tell whether all predictions are the same although the gold answers differ."""
    return len(set(predictions)) == 1 < len(set(gold))
