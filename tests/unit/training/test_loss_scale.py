"""Factors of losses: a guess has a loss of 1 in every form."""

import math
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from xstilts import forms
from xstilts.errors import UserError
from xstilts.models.model import tensors
from xstilts.store.sampling import LOG_CLASSES, Sampling
from xstilts.training.loss_scale import factors

from tests.builders.models import CPU, LENGTHS, encode, rows_of, task_of

SCALED = Sampling(loss_scale=LOG_CLASSES, tasks_per_step=2)
VOCABULARY = 50
# number of classes: labels, choices, candidates of half a batch of 4, tokens
CLASSES = {"classification": 3, "tagging": 3, "multiple_choice": 3, "retrieval": 2, "mlm": VOCABULARY}


def model_of(vocabulary=VOCABULARY):
    embeddings = SimpleNamespace(weight=torch.zeros(vocabulary, 2))
    transformer = SimpleNamespace(get_input_embeddings=lambda: embeddings)
    return SimpleNamespace(backbone=SimpleNamespace(transformer=transformer))


def factor(form, tokens, sampling=SCALED, **task):
    (found,) = factors([task_of(form, **task)], [{"train": SimpleNamespace(tokens=tokens)}], sampling, model_of())
    return found


@pytest.mark.parametrize("form", CLASSES)
def test_one_by_the_logarithm_of_the_number_of_classes(tokenizer, form):
    tokens = encode(form, rows_of(form), tokenizer, **LENGTHS)
    assert factor(form, tokens) == pytest.approx(1 / math.log(CLASSES[form]), rel=1e-12)
    assert factor(form, tokens, Sampling()) == 1.0


def test_positions_of_spans_are_counted(tokenizer):
    """The context and the position of no answer: the uniform loss of instance by instance, by hand."""
    tokens = encode("span", rows_of("span"), tokenizer, **LENGTHS)
    _, targets = forms.get("span").batch(tokens, np.arange(len(tokens)), 0)
    positions = [1 + int(context.sum()) for context in targets["context"]]
    assert len(set(positions)) > 1
    assert factor("span", tokens) == pytest.approx(1 / math.log(sum(positions) / len(positions)), rel=1e-12)
    one = np.arange(1)
    inputs, targets = forms.get("span").batch(tokens, one, 0)
    loss = forms.get("span").loss(torch.zeros(*inputs["ids"].shape, 2), tensors(targets, CPU))
    assert float(loss) == pytest.approx(math.log(positions[0]), rel=1e-6)


def test_a_loss_without_several_classes_is_refused(tokenizer, monkeypatch):
    tokens = encode("classification", rows_of("classification"), tokenizer, **LENGTHS)
    with pytest.raises(UserError, match="^task: its loss is of a single class; leave out the task, or the mixture"):
        factor("classification", tokens, labels=("yes",))
    # a batch of one query has one candidate
    pairs = encode("retrieval", rows_of("retrieval"), tokenizer, **LENGTHS)
    with pytest.raises(UserError, match="^task: its loss is of a single class"):
        factor("retrieval", pairs, replace(SCALED, tasks_per_step=4))
    monkeypatch.setattr(forms.get("classification"), "class_count", lambda *_: None)
    with pytest.raises(UserError, match="^task: its loss is no cross-entropy"):
        factor("classification", tokens)
