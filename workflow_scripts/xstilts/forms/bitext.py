"""Sentence retrieval without training: sentences and their English translations, line by line."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow

from xstilts.forms.classification import score, statistics
from xstilts.forms.text import filled
from xstilts.metrics.retrieval import nearest
from xstilts.tokenization.tokenizer import ModelTokenizer
from xstilts.tokenization.tokens import TokensBuilder

__all__ = ["score", "statistics"]

FIELDS = [("text", pyarrow.string()), ("translation", pyarrow.string())]


def normalise(record: dict[str, Any], labels: Sequence[str] | None) -> dict[str, Any]:
    """Return the row: a sentence and its translation."""
    return {"text": filled(record, "text"), "translation": filled(record, "translation")}


def encode(
    rows: Sequence[Mapping[str, Any]], tokenizer: ModelTokenizer, lengths: Mapping[str, int]
) -> dict[str, np.ndarray]:
    """Return a instance of two sequences a row: the sentence, then its translation."""
    builder = TokensBuilder()
    room = lengths["max_length"] - tokenizer.single_overhead
    sides = [tokenizer.tokenize([row[side] for row in rows]) for side in ("text", "translation")]
    for number in range(len(rows)):
        for side in sides:
            builder.sequence(tokenizer.single(side[number].ids[:room]))
        builder.close(number)
    return builder.arrays()


def retrieve(
    rows: Mapping[str, Sequence[Mapping[str, Any]]], vectors: Mapping[str, np.ndarray], settings: Mapping[str, Any]
) -> dict[str, list[tuple[int, str, str]]]:
    """Return for every sentence the number of the nearest one on the other side, by cosine, and its own number.

    ``direction`` says which side is looked for in which: XTREME looks for English sentences among the foreign ones.
    """
    found = {}
    for language in rows:
        # sequences alternate: a sentence, then its translation
        sides = [vectors[language][0::2], vectors[language][1::2]]
        best = nearest(*(reversed(sides) if settings["direction"] == "from_english" else sides))
        found[language] = [(number, str(candidate), str(number)) for number, candidate in enumerate(best)]
    return found
