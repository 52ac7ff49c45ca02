"""Tagging: a label for every word of a sentence.

The label sits on a word's first token. Sentences longer than the limit are split between words into several sequences
and merged again for scoring; nothing is cut off.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from xstilts.forms.declaration import Field, Form, Judgement, Metric, Notation, Role, Xtreme
from xstilts.metrics import counts, spans
from xstilts.tokenization.tokenizer import ModelTokenizer
from xstilts.tokenization.tokens import Tokens, TokensBuilder

FORM = Form(
    fields={"words": Field(Role.TEXTS), "tags": Field(Role.LABELS, of="words")},
    metrics={
        "f1": Metric(of_sums=lambda sums, examples: 100 * counts.f1(sums)),
        "accuracy": Metric(
            of_sums=lambda sums, examples: 100 * sums["correct"] / sums["words"], chance=lambda labels: 100 / labels
        ),
    },
    head_size=lambda width, labels: (width + 1) * labels,
    label_head=True,
    labels_from_data=True,
    xtreme=Xtreme("tags", "tsv", item="sentence"),
    judgement=Judgement(
        Notation.TAGS,
        ("correct", "words"),
        lambda columns: columns["correct"] == columns["words"],
        "every word has its gold tag",
    ),
    hub_task="token-classification",
)
NO_WORD = -1
_IGNORED = -100


def normalise(record: dict[str, Any], labels: Sequence[str] | None) -> dict[str, Any]:
    """Return the row: words and as many tags."""
    words, tags = record.get("words"), record["tags"]
    if not isinstance(words, list) or not words or not all(isinstance(word, str) for word in words):
        raise ValueError(f"words is not a list of texts but {words!r:.60}")
    if any("\0" in word for word in words):
        raise ValueError("words holds a NUL character")
    if labels is None and not all(isinstance(tag, str) and tag.split() == [tag] for tag in tags):
        raise ValueError(f"tags is not a list of texts without spaces but {tags!r:.60}")
    if len(words) != len(tags):
        raise ValueError(f"{len(words)} words, but {len(tags)} tags")
    return {"words": words, "tags": tags}


def encode(
    rows: Sequence[Mapping[str, Any]], tokenizer: ModelTokenizer, lengths: Mapping[str, int]
) -> dict[str, np.ndarray]:
    """Return one or several sequences a row, each an instance; ``words`` and ``tags`` aligned with the tokens.

    ``words`` is the index of a word at its first token and NO_WORD elsewhere; ``tags`` is its label there.
    """
    builder = TokensBuilder()
    room = lengths["max_length"] - tokenizer.single_overhead
    encodings = tokenizer.words([row["words"] for row in rows])
    for index, (row, encoding) in enumerate(zip(rows, encodings, strict=True)):
        tokens: list[list[int]] = [[] for _ in row["words"]]
        for token, word in zip(encoding.ids, encoding.word_ids, strict=True):
            if word is not None:
                tokens[word].append(token)
        # a word with no token becomes the unknown token; one longer than a whole sequence keeps its start
        tokens = [(word or [tokenizer.unknown])[:room] for word in tokens]
        for first, last in _chunks([len(word) for word in tokens], room):
            ids, words, tags = [], [], []
            for word in range(first, last):
                rest = len(tokens[word]) - 1
                ids += tokens[word]
                words += [word] + [NO_WORD] * rest
                tags += [row["tags"][word]] + [_IGNORED] * rest
            before, after = len(tokenizer.prefix), len(tokenizer.suffix)
            aligned = {
                "words": [NO_WORD] * before + words + [NO_WORD] * after,
                "tags": [_IGNORED] * before + tags + [_IGNORED] * after,
            }
            builder.sequence(tokenizer.single(ids), aligned)
            builder.close(index)
    return builder.arrays()


def _chunks(lengths: Sequence[int], room: int) -> Iterator[tuple[int, int]]:
    """Yield ranges of words whose tokens fit into a sequence."""
    first = used = 0
    for word, length in enumerate(lengths):
        if used + length > room:
            yield first, word
            first, used = word, 0
        used += length
    yield first, len(lengths)


def batch(tokens: Tokens, instances: np.ndarray, key: int) -> tuple[dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Return the model's inputs, and ``tags`` (else -100) and ``words`` (else -1), int64 of (instances, longest)."""
    sequences = tokens.sequences(instances)
    return tokens.inputs(instances), {
        "tags": tokens.padded("tags", sequences, _IGNORED),
        "words": tokens.padded("words", sequences, NO_WORD),
    }


def head(width: int, labels: Sequence[str] | None, dropout: float) -> Any:
    """Return a classifier of every position."""
    from xstilts.forms import heads

    return heads.PositionHead(width, len(labels or ()), dropout)


def loss(outputs: Any, targets: Mapping[str, Any]) -> Any:
    """Return the mean cross-entropy over words; outputs of shape (instances, longest, labels)."""
    from torch.nn.functional import cross_entropy

    return cross_entropy(outputs.flatten(0, 1), targets["tags"].flatten(), ignore_index=_IGNORED)


def terms(targets: Mapping[str, Any], instances: int) -> int:
    """Return the number of words, over which the loss is a mean."""
    return int((targets["tags"] != _IGNORED).sum())


def class_count(tokens: Tokens, labels: Sequence[str] | None, batch_size: int, vocabulary: int) -> float:
    """Return the number of labels."""
    return len(labels or ())


def outputs(raw: Any, targets: Mapping[str, Any]) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return for each instance the indices of its words, and the index of the best tag of each."""
    best, words = raw.argmax(-1).cpu().numpy(), targets["words"].cpu().numpy()
    return [(row[row != NO_WORD], tags[row != NO_WORD]) for row, tags in zip(words, best, strict=True)]


def predict(
    rows: Sequence[Mapping[str, Any]],
    tokens: Tokens,
    kept: Sequence[tuple[np.ndarray, np.ndarray]],
    labels: Sequence[str] | None,
    decoding: Mapping[str, Any],
) -> list[str]:
    """Return the tags of each row, separated by spaces, merged from the sequences it was split into."""
    tags = [[""] * len(row["words"]) for row in rows]
    for example, (words, best) in zip(tokens.examples, kept, strict=True):
        for word, tag in zip(words, best, strict=True):
            tags[example][word] = (labels or ())[tag]
    return [" ".join(row) for row in tags]


def gold(row: Mapping[str, Any], labels: Sequence[str] | None) -> str:
    """Return the gold tags, separated by spaces."""
    return " ".join((labels or ())[tag] for tag in row["tags"])


def statistics(prediction: str, gold: str, scoring: Mapping[str, Any]) -> dict[str, float]:
    """Return words, correct words, and true positives, false positives and false negatives of spans."""
    predicted_tags, gold_tags = prediction.split(" "), gold.split(" ")
    predicted_spans, gold_spans = spans.spans(predicted_tags), spans.spans(gold_tags)
    positives = len(predicted_spans & gold_spans)
    return {
        "words": float(len(gold_tags)),
        "correct": float(sum(a == b for a, b in zip(predicted_tags, gold_tags, strict=True))),
        "true_positives": float(positives),
        "false_positives": float(len(predicted_spans) - positives),
        "false_negatives": float(len(gold_spans) - positives),
    }


def collapsed(predictions: Sequence[str], gold: Sequence[str]) -> bool:
    """Tell whether all words have the same predicted tag although their gold tags differ."""
    predicted_tags, gold_tags = ({tag for row in rows for tag in row.split(" ")} for rows in (predictions, gold))
    return len(predicted_tags) == 1 < len(gold_tags)
