"""Classification: texts are shortened and padded."""

import numpy as np

from tests.builders.models import encode


def test_classification(tokenizer):
    rows = [{"text_a": "the cat " * 30, "text_b": "a dog", "label": 1}, {"text_a": "ship", "text_b": None, "label": 0}]
    tokens = encode("classification", rows, tokenizer, max_length=20)
    assert tokens.lengths.max() == 20
    inputs = tokens.inputs(np.array([0, 1]))
    assert inputs["ids"].shape == inputs["mask"].shape == (2, 20)
    assert inputs["mask"].sum(1).tolist() == tokens.lengths.tolist()
    assert inputs["ids"][1, tokens.lengths[1] :].tolist() == [tokenizer.pad] * (20 - tokens.lengths[1])
