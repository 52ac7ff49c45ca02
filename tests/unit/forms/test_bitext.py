"""Bitext retrieval: one direction at a time, and pairs whose sides alternate."""

import numpy as np
import pytest
from xstilts.forms import bitext

from tests.builders.metrics import directions
from tests.builders.models import encode


@pytest.mark.parametrize(("direction", "found"), [("from_english", ["1", "1"]), ("to_english", ["0", "1"])])
def test_bitext_looks_in_one_direction(direction, found):
    """Sentences at 0 and 30 degrees, their translations at 20 and 35: the first translation is nearer to the second."""
    vectors = directions(0, 20, 30, 35)
    rows = {"de": [{"text": "eins"}, {"text": "zwei"}]}
    scored = bitext.retrieve(rows, {"de": vectors}, {"direction": direction})
    assert scored == {"de": [(0, found[0], "0"), (1, found[1], "1")]}


def test_bitext_alternates(tokenizer):
    tokens = encode("bitext", [{"text": "cat", "translation": "the dog"}], tokenizer, max_length=16)
    assert tokens.sequences(np.array([0])).tolist() == [0, 1]
    assert tokens.sequence_lengths[0] < tokens.sequence_lengths[1]
