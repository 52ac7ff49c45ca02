"""Sentence retrieval without training: sentences and their English translations, line by line."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from xstilts.forms.classification import statistics
from xstilts.forms.declaration import Field, Form, Judgement, Metric, Notation, Role, Xtreme
from xstilts.forms.text import filled
from xstilts.metrics.retrieval import nearest
from xstilts.tokenization.tokenizer import ModelTokenizer
from xstilts.tokenization.tokens import TokensBuilder

__all__ = ["statistics"]

FORM = Form(
    fields={"text": Field(Role.TEXT), "translation": Field(Role.TEXT)},
    metrics={
        # all sentences of the language are there to choose from
        "accuracy": Metric(
            of_sums=lambda sums, examples: 100 * sums["correct"] / examples, chance=lambda sentences: 100 / sentences
        )
    },
    trained=False,
    embedded=True,
    sequences=2,
    retrieval=("direction",),
    xtreme=Xtreme("indices", "tsv", sorted_by="translation"),
    judgement=Judgement(
        Notation.INDEX, ("correct",), lambda columns: columns["correct"] == 1, "the nearest sentence is the translation"
    ),
    hub_task="sentence-similarity",
)


def normalise(record: dict[str, Any], labels: Sequence[str] | None) -> dict[str, Any]:
    """Return the row: a sentence and its translation."""
    return {"text": filled(record, "text"), "translation": filled(record, "translation")}


def encode(
    rows: Sequence[Mapping[str, Any]], tokenizer: ModelTokenizer, lengths: Mapping[str, int]
) -> dict[str, np.ndarray]:
    """Return an instance of two sequences a row: the sentence, then its translation."""
    builder = TokensBuilder()
    length = lengths["max_length"] - tokenizer.single_overhead
    sides = [tokenizer.tokenize([row[side] for row in rows]) for side in ("text", "translation")]
    for index in range(len(rows)):
        for side in sides:
            builder.sequence(tokenizer.single(side[index].ids[:length]))
        builder.close(index)
    return builder.arrays()


def retrieve(
    rows: Mapping[str, Sequence[Mapping[str, Any]]], vectors: Mapping[str, np.ndarray], settings: Mapping[str, Any]
) -> dict[str, list[tuple[int, str, str]]]:
    """Return for every sentence the index of the nearest sentence of the other language, by cosine, and its own index.

    ``direction`` says which language the queries are in: XTREME looks for English sentences among the foreign ones.
    """
    nearest_of = {}
    for language in rows:
        # sequences alternate: a sentence, then its translation
        sides = [vectors[language][0::2], vectors[language][1::2]]
        best = nearest(*(reversed(sides) if settings["direction"] == "from_english" else sides))
        nearest_of[language] = [(index, str(candidate), str(index)) for index, candidate in enumerate(best)]
    return nearest_of
