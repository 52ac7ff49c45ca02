"""A step: its batch in micro-batches and in processes, and losses that stop a run."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from xstilts import forms
from xstilts.errors import UserError
from xstilts.hardware import Hardware
from xstilts.models.distributed import Group
from xstilts.models.model import tensors
from xstilts.training import loop, loss_scale
from xstilts.training.step import Batches, check_loss, take_step

from tests.builders.models import CPU
from tests.builders.plans import node_of
from tests.builders.training import batches_of, run


def test_a_batch_in_micro_batches_has_all_of_it_once(trained):
    node = node_of(trained[0], "intermediate", "tiny.full.four.s1")
    for whole, divided in zip(batches_of(trained, node), batches_of(trained, node, tokens=100), strict=True):
        (alone,) = whole.micro_batches
        assert sum(micro_batch.instances for micro_batch in divided.micro_batches) == alone.instances
        assert sum(micro_batch.terms for micro_batch in divided.micro_batches) == alone.terms
        rows = sorted(
            tuple(row[row != 1]) for micro_batch in divided.micro_batches for row in micro_batch.inputs["ids"]
        )
        assert rows == sorted(tuple(row[row != 1]) for row in alone.inputs["ids"])
        # one instance is never divided, though it may be five sequences
        ids = [micro_batch.inputs["ids"] for micro_batch in divided.micro_batches]
        assert all(len(one) in (1, 5) or one.size <= 100 for one in ids)


@pytest.mark.parametrize(("size", "tokens"), [(2, None), (3, 60), (8, 100), (16, 60)])
def test_processes_divide_every_batch(trained, size, tokens):
    """What a step sees is a function of seed, step and process: together it is what one process sees."""
    node = node_of(trained[0], "intermediate", "tiny.full.four.s1")
    processes = [batches_of(trained, node, Group(rank, size), tokens) for rank in range(size)]
    padded = 0
    for alone, *shares in zip(batches_of(trained, node), *processes, strict=True):
        assert {(share.task, share.terms) for share in shares} == {(alone.task, alone.terms)}
        # one that makes fewer passes than another leaves it waiting
        assert len({len(share.micro_batches) for share in shares}) == 1
        counted = [micro_batch for share in shares for micro_batch in share.micro_batches if micro_batch.terms]
        padded += sum(len(share.micro_batches) for share in shares) - len(counted)
        assert sum(micro_batch.terms for micro_batch in counted) == alone.terms
        rows = [tuple(row[row != 1]) for micro_batch in counted for row in micro_batch.inputs["ids"]]
        assert sorted(rows) == sorted(tuple(row[row != 1]) for row in alone.micro_batches[0].inputs["ids"])
    # a batch has at most eight instances
    assert padded > 0 or size < 16


def test_every_process_computes_a_batch_that_cannot_be_divided(trained):
    node = node_of(trained[0], "intermediate", "tiny.full.retrieval.s1")
    processes = [batches_of(trained, node, Group(rank, 2), 60) for rank in range(2)]
    for alone, *shares in zip(batches_of(trained, node), *processes, strict=True):
        (whole,) = alone.micro_batches
        for share in shares:
            (micro_batch,) = share.micro_batches
            assert (micro_batch.inputs["ids"] == whole.inputs["ids"]).all()
            assert micro_batch.terms * 2 == share.terms == alone.terms * 2


@pytest.mark.parametrize(
    ("rate", "message"),
    [(1e30, r"mnli: the loss is (nan|inf) at step \d+ \(learning rate [\d.e+]+\); lower the learning rate")],
)
def test_loss_that_is_no_number_stops_the_run(trained, tmp_path, rate, message):
    spec = node_of(trained[0], "targets", "tiny.full.none.s1.mnli").spec
    with pytest.raises(UserError, match=message):
        run(trained, replace(spec, learning_rate=rate), tmp_path)
    assert not list((tmp_path / "work").glob("checkpoint-*"))


def test_the_loss_of_a_step_of_several_tasks_by_hand(trained, tmp_path):
    """The mean over its batches of loss / log(classes), Muppet's scaled loss: gradients of the sum, written out."""
    spec = node_of(trained[0], "intermediate", "tiny.full.mixed.s1").spec
    prepared = loop.prepare(spec, trained[1], tmp_path, Hardware(), Group())
    # labels of MNLI, choices of CommonsenseQA, the vocabulary, and positions of SQuAD's windows by their mean
    positions = 1 + float(np.mean([(begins != -1).sum() for begins in windows(prepared.data[1]["train"].tokens)]))
    model = loop.start(prepared).eval()
    vocabulary = len(model.backbone.transformer.get_input_embeddings().weight)
    logs = [math.log(number) for number in (3, positions, 5, vocabulary)]
    factors = loss_scale.factors(prepared.tasks, prepared.data, spec.sampling, model)
    assert factors == pytest.approx([1 / log for log in logs])
    batches = Batches(prepared.schedule, prepared.tasks, prepared.data, factors, 1, Group(), Hardware(), False)
    step = next(step for step in range(6) if len({batch.task for batch in batches.at(step)}) == 2)
    of_step = batches.at(step)
    losses, expected = [], 0.0
    for batch in of_step:
        (micro,) = batch.micro_batches
        task = prepared.tasks[batch.task]
        outputs = model(task.task, tensors(micro.inputs, CPU), micro.instances)
        losses.append(forms.get(task.form).loss(outputs, tensors(micro.targets, CPU)))
        expected = expected + losses[-1] / logs[batch.task] / 2
        assert micro.instances <= task.batch_size // 2
    weights = [weight for weight in model.parameters() if weight.requires_grad]
    by_hand = torch.autograd.grad(expected, weights, allow_unused=True)
    optimiser = Kept(weights)
    settings = replace(spec.optimisation, gradient_norm=1e9)
    found = take_step(model, optimiser, prepared.tasks, of_step, 0.0, settings, Group(), CPU)
    assert found.losses == pytest.approx([loss.item() for loss in losses])
    norms = torch.stack([own.norm() for own in by_hand if own is not None])
    assert found.gradient_norm == pytest.approx(norms.norm().item(), rel=1e-4)
    assert sum(batch.tokens for batch in of_step) == sum(
        int(micro.inputs["mask"].sum()) for batch in of_step for micro in batch.micro_batches
    )
    for gradient, own in zip(optimiser.gradients, by_hand, strict=True):
        assert (gradient is None) == (own is None)
        assert own is None or torch.allclose(gradient, own, rtol=1e-4, atol=1e-7)


def windows(tokens):
    """Return for each instance the offsets of its tokens in the context, -1 outside of it."""
    return np.split(tokens.arrays["begins"], tokens.arrays["starts"][1:-1])


class Kept:
    """An optimiser that keeps the gradients and changes nothing."""

    def __init__(self, weights):
        self.param_groups, self._weights = [{"params": weights}], weights

    def step(self):
        self.gradients = [None if weight.grad is None else weight.grad.clone() for weight in self._weights]

    def zero_grad(self):
        for weight in self._weights:
            weight.grad = None


def test_loss_that_explodes_stops_the_run():
    """Twenty steps at 2, then 50 a step: the mean of the last twenty passes 20 and five times 2 at the eighth."""
    state = {"first": {}, "last": {}}
    for step in range(20):
        check_loss(state, "mnli", 2.0, step, 1e-3)
    for step in range(20, 27):
        check_loss(state, "mnli", 50.0, step, 1e-3)
    check_loss(state, "text", 50.0, 27, 1e-3)
    with pytest.raises(UserError, match=r"mnli: the loss exploded from 2 to 21.2 at step 28 \(learning rate 1.0"):
        check_loss(state, "mnli", 50.0, 28, 1e-3)
    # from 50 at the start to 100 is no explosion, nor is 19 after 2
    for start, then in ((50.0, 100.0), (2.0, 19.0)):
        state = {"first": {}, "last": {}}
        for step in range(60):
            check_loss(state, "mnli", start if step < 20 else then, step, 1e-3)
