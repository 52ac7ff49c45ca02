"""Batches of prediction: all instances, little padding, no more tokens than fit."""

import numpy as np
import torch
from xstilts.evaluation import prediction
from xstilts.tokenization.tokens import Tokens

from tests.builders.lengths import LIMIT, padding


def sequences(lengths: np.ndarray) -> Tokens:
    """Return tokens whose instances are one sequence each, of these lengths."""
    numbers = np.arange(len(lengths) + 1)
    starts = np.concatenate([[0], np.cumsum(lengths)])
    return Tokens({"starts": starts, "instances": numbers, "examples": numbers[:-1].astype(np.int32)}, pad=1)


def test_inference_batches(lengths):
    tokens = sequences(lengths)
    batches = prediction.batches(tokens)
    assert np.array_equal(np.sort(np.concatenate(batches)), np.arange(len(lengths)))
    assert padding(lengths, batches) <= LIMIT
    most = 16384 if torch.cuda.is_available() else 2048
    assert all(len(instances) * lengths[instances].max() <= most for instances in batches)
    longest = [int(lengths[instances].max()) for instances in batches]
    assert longest == sorted(longest, reverse=True)
