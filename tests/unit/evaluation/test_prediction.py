"""Batches of prediction: all instances, little padding, no more tokens than fit."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from xstilts import forms
from xstilts.errors import UserError
from xstilts.evaluation import prediction
from xstilts.models import distributed
from xstilts.tokenization.tokens import Tokens

from tests.builders.lengths import LIMIT, padding
from tests.builders.models import CPU, TRAINED, fresh, task_of


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


def positions(tokens: Tokens, instances: np.ndarray) -> int:
    return int(tokens.lengths[instances].max()) * len(tokens.sequences(instances))


def flat(output: object) -> np.ndarray:
    return np.concatenate([np.ravel(part) for part in (output if isinstance(output, tuple) else [output])])


@pytest.mark.parametrize("form", TRAINED)
def test_what_memory_lacks_for_is_computed_in_halves(families, family_splits, little_memory, form):
    """With the outputs of a whole batch, in their order."""
    split, task = family_splits["xlm-r", form], task_of(form)
    model = fresh(families, "xlm-r", form, "full").eval()
    whole = prediction.outputs(model, "task", forms.get(form), split.tokens, CPU)
    predicted = prediction.predict(model, task, split, CPU)
    least = max(positions(split.tokens, np.array([one])) for one in range(len(split.tokens)))
    seen = little_memory(least)
    halved = prediction.outputs(model, "task", forms.get(form), split.tokens, CPU)
    # what is larger than a half of what failed is not tried
    failed = [size for size, had_memory in seen if not had_memory]
    assert failed and all(2 * later <= size for size, later in pairwise(failed))
    for one, other in zip(whole, halved, strict=True):
        value, its = flat(one), flat(other)
        # scores of a window are as many as its batch is wide, and those of padding are not read
        both = min(len(value), len(its))
        np.testing.assert_allclose(value[:both], its[:both], rtol=1e-4, atol=1e-5)
    assert prediction.predict(model, task, split, CPU) == predicted


def test_a_smaller_batch_follows_one_that_memory_lacked_for(lengths, monkeypatch):
    """All instances once, as many of them at once as half of what failed allows."""
    monkeypatch.setattr(prediction, "_BATCH_TOKENS", {"cpu": 2048, "cuda": 2048})
    tokens, tried = sequences(lengths), []

    def compute(instances):
        tried.append(positions(tokens, instances))
        if tried[-1] > 1024 and len(instances) > 1:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return instances.copy()

    found = list(prediction.in_batches(compute, tokens, "mnli"))
    assert np.array_equal(np.sort(np.concatenate([instances for instances, _ in found])), np.arange(len(lengths)))
    assert all(np.array_equal(instances, computed) for instances, computed in found)
    assert len(tried) - len(found) == 1


def test_an_instance_that_does_not_fit_is_named(families, family_splits, little_memory):
    model = fresh(families, "xlm-r", "classification", "full").eval()
    little_memory(1)
    found = r"^task: 1 instance of 1\d tokens in all, with padding: CUDA out of memory\. Tried to allocate 2 GiB"
    with pytest.raises(UserError, match=rf"{found}; use a larger GPU, or a shorter max_length in the recipe$"):
        prediction.predict(model, task_of("classification"), family_splits["xlm-r", "classification"], CPU)


def test_one_of_several_processes_does_not_go_on_alone(families, family_splits, little_memory, monkeypatch):
    """The others would wait for it in the midst of a batch."""
    split = family_splits["xlm-r", "classification"]
    model = fresh(families, "xlm-r", "classification", "full").eval()
    monkeypatch.setattr(distributed, "has_others", lambda: True)
    seen = little_memory(20)
    with pytest.raises(UserError, match=r"^task: 6 instances of \d+ tokens in all, with padding: CUDA out of memory"):
        prediction.predict(model, task_of("classification"), split, CPU)
    assert len(seen) == 1
