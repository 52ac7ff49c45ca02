"""Tagging: every word keeps its label, whatever the windows."""

import numpy as np
import pytest
from xstilts.data import readers
from xstilts.forms import tagging
from xstilts.tokenization.tokens import Tokens

from tests.builders.models import encode


@pytest.mark.parametrize("max_length", [8, 12, 200])
def test_every_word_keeps_its_label(tokenizer, max_length):
    words = ["the", "farmer", "\u200b", "unglaublich", "sees", "a", "cat", "."] * 6
    row = {"words": words, "tags": [place % 5 for place in range(len(words))]}
    tokens = encode("tagging", [row], tokenizer, max_length=max_length)
    assert tokens.lengths.max() <= max_length
    kept = []
    for unit in range(len(tokens)):
        target = tagging.batch(tokens, np.array([unit]), 0)[1]
        where = target["words"][0] != tagging.NO_WORD
        kept.append((target["words"][0][where], target["tags"][0][where]))
    labels = list("ABCDE")
    assert tagging.predict([row], tokens, kept, labels, {}) == [tagging.gold(row, labels)]


def tagged_files(mirror):
    return sorted(path for task in ("udpos", "panx") for path in (mirror / task).glob("*-*.tsv"))


def test_every_word_of_real_data_keeps_its_label(mirror, real_tokenizer):
    """Split at a short length and merged again, every word of UDPOS and PANX has the tag it had."""
    files = tagged_files(mirror)
    assert len(files) == 34
    for path in files:
        records = list(readers.columns.read_tagged([path], None))[:2000]
        labels = sorted({tag for record in records for tag in record["tags"]})
        numbers = {label: number for number, label in enumerate(labels)}
        rows = [{"words": row["words"], "tags": [numbers[tag] for tag in row["tags"]]} for row in records]
        tokens = Tokens(tagging.encode(rows, real_tokenizer, {"max_length": 24}), real_tokenizer.pad)
        kept = []
        for unit in range(len(tokens)):
            targets = tagging.batch(tokens, np.array([unit]), 0)[1]
            chosen = targets["words"][0] != tagging.NO_WORD
            kept.append((targets["words"][0][chosen], targets["tags"][0][chosen]))
        merged = tagging.predict(rows, tokens, kept, labels, {})
        assert merged == [" ".join(row["tags"]) for row in records], path.name
