"""Sentence retrieval without training: sentences and their English translations, line by line."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow

from xstilts.forms.classification import score, statistics
from xstilts.forms.text import filled
from xstilts.tokenizer import PieceTokenizer
from xstilts.tokens import TokensBuilder

__all__ = ["score", "statistics"]

FIELDS = [("text", pyarrow.string()), ("translation", pyarrow.string())]


def normalise(record: dict[str, Any], labels: Sequence[str] | None) -> dict[str, Any]:
    """Return the row: a sentence and its translation."""
    return {"text": filled(record, "text"), "translation": filled(record, "translation")}


def encode(
    rows: Sequence[Mapping[str, Any]], tokenizer: PieceTokenizer, lengths: Mapping[str, int]
) -> dict[str, np.ndarray]:
    """Return a unit of two sequences a row: the sentence, then its translation."""
    builder = TokensBuilder()
    room = lengths["max_length"] - tokenizer.single_overhead
    sides = [tokenizer.pieces([row[side] for row in rows]) for side in ("text", "translation")]
    for number in range(len(rows)):
        for side in sides:
            builder.sequence(tokenizer.single(side[number].ids[:room]))
        builder.close(number)
    return builder.arrays()
