"""Where a job computes, by what it was given; in which types several processes do, and what they say to each other."""

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
import torch
from torch import nn
from xstilts import forms
from xstilts.errors import UserError
from xstilts.models import distributed
from xstilts.models.distributed import Group, lost
from xstilts.models.model import tensors

from tests.builders.models import CPU, fresh
from tests.builders.processes import together

# a rule in a job of Slurm's is a step
GIVEN_BY = ("CUDA_VISIBLE_DEVICES", "SLURM_STEP_GPUS", "SLURM_JOB_GPUS")


@pytest.fixture
def broken(monkeypatch):
    """CUDA that does not work, and no word of a GPU."""

    def init():
        raise RuntimeError("The NVIDIA driver on your system is too old (found version 11040).\nUpdate it.")

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.cuda, "init", init)
    for name in GIVEN_BY:
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


@pytest.mark.parametrize("name", GIVEN_BY)
def test_a_gpu_that_was_given_and_does_not_work_ends_the_job(broken, name):
    broken.setenv(name, "0")
    with pytest.raises(
        UserError, match=rf"has a GPU \({name}=0\), .* driver on your system is too old .*; install"
    ) as error:
        distributed.device()
    assert "\n" not in str(error.value)


def test_a_driver_that_lists_a_gpu_may_be_too_old_for_it(broken):
    broken.setattr(torch.cuda, "is_available", lambda: True)
    with pytest.raises(UserError, match="too old"):
        distributed.device()


@pytest.mark.parametrize("given", [None, "", "-1", "NoDevFiles"])
def test_without_a_gpu_the_cpu_computes(broken, given):
    """Of a cluster's GPU that its user hides, too."""
    broken.setenv("SLURM_JOB_GPUS", "" if given is None else "0")
    if given is not None:
        broken.setenv("CUDA_VISIBLE_DEVICES", given)
    assert distributed.device() == torch.device("cpu")


def test_a_gpu_that_works_computes(broken):
    broken.setattr(torch.cuda, "init", lambda: None)
    broken.setenv("CUDA_VISIBLE_DEVICES", "0")
    assert distributed.device() == torch.device("cuda")


SHARDED = [("xlm-r", "full"), ("mt5", "full"), ("qwen", "lora")]


def losses_of(families, splits, name, method, precision, group):
    """Return the losses of three steps in which all processes compute one batch, and the types of what they hold."""
    torch.manual_seed(0)
    split, form = splits[name, "tagging"], forms.get("tagging")
    model = fresh(families, name, "tagging", method, precision).train()
    distributed.shard(model, group, model.reduced)
    types = set()
    for layer in model.backbone.modules():
        if getattr(layer, "weight", None) is not None:
            kind = "matrix" if isinstance(layer, nn.Linear) else "other"
            layer.register_forward_pre_hook(lambda layer, _, kind=kind: types.add((kind, layer.weight.dtype)))
    optimiser, losses = torch.optim.SGD(model.parameters(), 0.1), []
    inputs, targets = (tensors(arrays, CPU) for arrays in form.batch(split.tokens, np.arange(6), 0))
    for _ in range(3):
        loss = form.loss(model("task", inputs, 6), targets)
        loss.backward()
        types |= {("gradient", value.grad.dtype) for value in model.parameters() if value.grad is not None}
        optimiser.step()
        optimiser.zero_grad()
        losses.append(loss.item())
    types |= {("held", value.dtype) for value in model.parameters()}
    return losses, types


@pytest.fixture(scope="module")
def of_two(families, family_splits, tmp_path_factory):
    """What two processes find."""
    folder = tmp_path_factory.mktemp("sharded")

    def find(group):
        found = {
            (name, precision): losses_of(families, family_splits, name, method, precision, group)
            for name, method in SHARDED
            for precision in ("float32", "bfloat16")
        }
        if group.leads:
            torch.save(found, folder / "found.pt")

    together(2, find)
    return torch.load(folder / "found.pt", weights_only=True)


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
@pytest.mark.parametrize(("name", "method"), SHARDED)
def test_layers_are_gathered_in_the_type_of_their_products(families, family_splits, of_two, name, method, precision):
    """Two processes find what one does, and step and sum in float32 whatever the products are in."""
    losses, types = of_two[name, precision]
    alone, _ = losses_of(families, family_splits, name, method, precision, Group())
    assert losses == pytest.approx(alone, rel=1e-4 if precision == "float32" else 2e-3)
    assert alone[-1] < alone[0]
    product = getattr(torch, precision)
    # beside an adapter all weights are held in the type of the products
    held = torch.float32 if method == "full" else product
    expected = {("matrix", product), ("other", held), ("held", held), ("held", torch.float32)}
    assert types == {*expected, ("gradient", torch.float32)}


def test_sums_are_those_of_all_processes():
    """In float64: what one process has in float32 it has back."""
    value = torch.tensor(0.1)
    assert Group().sums([value], True, 2.5) == [value.item(), 1.0, 2.5]

    def check(group):
        assert group.sums([torch.tensor(float(group.rank))], group.leads, 0.25) == [1.0, 1.0, 0.5]
        assert group.share(f"of {group.rank}") == "of 0"
        assert group.all(f"of {group.rank}") == ["of 0", "of 1"]

    assert Group().all("own") == ["own"]
    together(2, check)


def test_gradients_of_whole_weights_are_averaged_in_buckets(monkeypatch):
    """One that fits no bucket alone; shards have been averaged."""
    monkeypatch.setattr(distributed, "_BUCKET", 10)

    def check(group):
        shapes = [(2, 3), (3,), (), (4, 4), (5,)]
        values = [torch.full(shape, float(number + 10 * group.rank)) for number, shape in enumerate(shapes)]
        # as those of matrices that are held transposed, one of them in a bucket with others
        for place in (0, 3):
            values[place] = torch.full(shapes[place][::-1], values[place][0, 0].item()).T
        before = [value.clone() for value in values]
        reduce = torch.distributed.all_reduce

        def contiguous(tensor):
            # NCCL takes no other
            assert tensor.is_contiguous()
            reduce(tensor)

        torch.distributed.all_reduce = contiguous
        group.average(values)
        assert all(torch.equal(value, old) for value, old in zip(values, before, strict=True))
        replace(group, shards=1).average(values)
        assert [value.shape for value in values] == [torch.Size(shape) for shape in shapes]
        assert all(torch.equal(value, torch.full_like(value, number + 5)) for number, value in enumerate(values))

    assert [len(bucket) for bucket in distributed._buckets([torch.ones(n) for n in (6, 3, 1, 16, 5)])] == [3, 1, 1]
    together(2, check)


def test_a_thread_speaks_to_those_of_the_others_alone():
    """It waits for them as long as it takes, while the processes speak to each other."""

    def check(group):
        own = group.with_own_connections()
        with ThreadPoolExecutor(1) as thread:
            if group.leads:
                found = thread.submit(own.all, group.rank)
            assert group.share(f"of {group.rank}") == "of 0"
            if not group.leads:
                found = thread.submit(own.all, group.rank)
            assert found.result() == [0, 1]

    together(2, check)


def test_no_process_waits_long_for_one_that_does_not_come(monkeypatch):
    monkeypatch.setattr(distributed, "_TIMEOUT", timedelta(seconds=1))

    def wait(group):
        if group.rank == 1:
            time.sleep(3)
            return
        with pytest.raises(RuntimeError) as error:
            group.sums([torch.tensor(1.0)])
        found = lost(error.value)
        assert found.startswith("processes waited in vain for one another: ") and "\n" not in found

    together(2, wait)


def test_a_process_that_has_ended_is_noticed_at_once():
    def leave(group):
        if group.rank == 1:
            return
        with pytest.raises(RuntimeError) as error:
            group.share(None)
            group.sums([torch.tensor(1.0)])
        assert lost(error.value) == ""

    together(2, leave)


def test_what_nccl_says_of_a_process_that_has_ended():
    text = (
        "NCCL error in: ProcessGroupNCCL.cpp:2385, remote process exited or there was a network error, NCCL version"
        " 2.27.5\nncclRemoteError: A call failed possibly due to a network error or a remote process exiting."
    )
    assert lost(torch.distributed.DistBackendError(text)) == ""


def test_other_errors_are_no_loss():
    assert lost(RuntimeError("CUDA out of memory. Tried to allocate 2 GiB")) is None
