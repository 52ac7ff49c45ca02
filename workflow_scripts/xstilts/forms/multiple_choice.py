"""Multiple choice: a context or a question, and several texts of which one is the answer."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from xstilts.forms.classification import batch, collapsed, gold, loss, outputs, predict, statistics, terms
from xstilts.forms.declaration import Answering, Field, Form, Judgement, Metric, Notation, Role, Xtreme
from xstilts.forms.text import filled, text
from xstilts.tokenization.tokenizer import ModelTokenizer, shorten
from xstilts.tokenization.tokens import Tokens, TokensBuilder

__all__ = ["batch", "collapsed", "gold", "loss", "outputs", "predict", "statistics", "terms"]

FORM = Form(
    fields={
        "context": Field(Role.TEXT, required=False),
        "question": Field(Role.TEXT),
        "choices": Field(Role.TEXTS),
        "label": Field(Role.LABEL),
    },
    metrics={
        "accuracy": Metric(
            of_sums=lambda sums, examples: 100 * sums["correct"] / examples, chance=lambda choices: 100 / choices
        ),
    },
    head_size=lambda width, labels: width * (width + 1) + width + 1,
    sequences=None,
    xtreme=Xtreme("choices", "jsonl"),
    judgement=Judgement(
        Notation.CHOICE, ("correct",), lambda columns: columns["correct"] == 1, "the choice is the gold one"
    ),
    answering=Answering.CHOSEN,
    hub_task="multiple-choice",
)


def normalise(record: dict[str, Any], labels: Sequence[str] | None) -> dict[str, Any]:
    """Return the row: context (may be empty), question, two or more choices, and the index of the answer."""
    choices = record.get("choices")
    if not isinstance(choices, list) or len(choices) < 2 or not all(isinstance(item, str) for item in choices):
        raise ValueError(f"choices is not a list of two or more texts but {choices!r:.60}")
    if len(choices) != len(labels or ()):
        raise ValueError(f"{len(choices)} choices, but the task's labels name {len(labels or ())}")
    context = text(record, "context") if "context" in record else ""
    return {"context": context, "question": filled(record, "question"), "choices": choices, "label": record["label"]}


def encode(
    rows: Sequence[Mapping[str, Any]], tokenizer: ModelTokenizer, lengths: Mapping[str, int]
) -> dict[str, np.ndarray]:
    """Return one sequence a choice: context and question, then the choice; ``labels`` by instance."""
    builder = TokensBuilder()
    stems = tokenizer.tokenize([f"{row['context']} {row['question']}".strip() for row in rows])
    length = lengths["max_length"] - tokenizer.pair_overhead
    for index, row in enumerate(rows):
        for choice in tokenizer.tokenize(row["choices"]):
            stem = stems[index].ids
            keep, keep_choice = shorten(len(stem), len(choice.ids), length)
            # the question stands at the end of the stem, so a long context is cut at its start
            builder.sequence(tokenizer.pair(stem[len(stem) - keep :], choice.ids[:keep_choice]))
        builder.close(index, labels=row["label"])
    return builder.arrays()


def head(width: int, labels: Sequence[str] | None, dropout: float) -> Any:
    """Return a scorer of the pooled vector of each choice; the rows of a batch have the same number of choices."""
    from xstilts.forms import heads

    return heads.ChoiceHead(width, dropout)


def class_count(tokens: Tokens, labels: Sequence[str] | None, batch_size: int, vocabulary: int) -> float:
    """Return the number of choices of a row."""
    return len(tokens.sequence_lengths) / len(tokens)


def answers(row: Mapping[str, Any], words: Sequence[str] | None) -> tuple[list[str], str]:
    """Return the choices, or the words that stand for them, and the gold one."""
    named = list(words or row["choices"])
    return named, "" if row["label"] is None else named[row["label"]]
