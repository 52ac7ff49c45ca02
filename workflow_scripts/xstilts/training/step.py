"""What an optimiser step is made of: the batch in micro-batches, the loss, the learning rate, and when to give up."""

import math
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import nn

from xstilts import forms
from xstilts.data.dataset import Split
from xstilts.data.sampler import Schedule
from xstilts.errors import ExplodedError
from xstilts.forms import FORMS
from xstilts.models import distributed
from xstilts.models.model import Model, tensors
from xstilts.phase import Optimisation
from xstilts.store.specs.models import TaskSpec
from xstilts.training.division import Portion, divide

# steps of a task over which losses are compared; a mean this many times that of the task's first steps, and above this
# number of nats (a uniform guess among 250,000 tokens has 12.4), is no longer training
_WINDOW, _FACTOR, _LIMIT = 20, 5.0, 20.0


@dataclass(frozen=True)
class MicroBatch:
    """What is computed at once.

    Attributes:
        inputs: arrays that the model reads.
        targets: arrays that the loss needs.
        instances: number of instances.
        terms: number of terms that the loss is a mean over; 0 where it does not count.
    """

    inputs: Mapping[str, np.ndarray]
    targets: Mapping[str, np.ndarray]
    instances: int
    terms: int


@dataclass(frozen=True)
class Batch:
    """What one process computes of a step.

    Attributes:
        task: the index of the task.
        micro_batches: as many for every process.
        terms: number of terms that the loss is a mean over, those of all processes.
        key: of the step's random draws.
    """

    task: int
    micro_batches: list[MicroBatch]
    terms: int
    key: int


class Batches:
    """The batches of a run for one process, each found from its step alone, and on a GPU made while it computes."""

    def __init__(
        self,
        schedule: Schedule,
        tasks: Sequence[TaskSpec],
        data: Sequence[Mapping[str, Split]],
        seed: int,
        group: distributed.Group,
        max_tokens_per_device: int | None,
        ahead: bool,
    ) -> None:
        """Say which share of which batches is computed.

        Args:
            schedule: the instances of every step.
            tasks: what is trained on.
            data: their splits.
            seed: of the run.
            group: the processes among which a batch is divided.
            max_tokens_per_device: tokens, padding included, that are computed at once; None for the whole share.
            ahead: whether a batch is made while the one before it is computed.
        """
        self._schedule, self._tasks, self._data, self._seed = schedule, tasks, data, seed
        self._group, self._max_tokens, self._ahead = group, max_tokens_per_device, ahead

    def from_step(self, first: int) -> Iterator[Batch]:
        """Yield the batches from a step on to the last."""
        steps = range(first, self._schedule.steps)
        if not self._ahead:
            yield from map(self.at, steps)
            return
        with ThreadPoolExecutor(1) as maker:
            coming = [maker.submit(self.at, step) for step in steps[:1]]
            for step in steps:
                batch = coming.pop().result()
                coming += [maker.submit(self.at, after) for after in steps[step + 1 - first : step + 2 - first]]
                yield batch

    def at(self, step: int) -> Batch:
        """Return this process's share of a step's batch."""
        task, instances = self._schedule.batch(step)
        form, tokens = self._tasks[task].form, self._data[task]["train"].tokens
        module, key = forms.get(form), self._seed * 1_000_003 + step
        portions, size = [Portion(instances)], self._group.size
        if FORMS[form].separable:
            portions = divide(tokens, instances, size, self._max_tokens)[self._group.rank]
        micro_batches = []
        for portion in portions:
            inputs, targets = module.batch(tokens, portion.instances, key)
            terms = module.terms(targets, len(portion.instances)) if portion.counts else 0
            micro_batches.append(MicroBatch(inputs, targets, len(portion.instances), terms))
        total = sum(micro.terms for micro in micro_batches)
        if size > 1:
            total = module.terms(module.batch(tokens, instances, key)[1], len(instances))
            # a batch that cannot be divided is computed by all, and counts once for each
            total *= 1 if FORMS[form].separable else size
        return Batch(task, micro_batches, total, key)


def make_optimiser(model: nn.Module, settings: Optimisation) -> torch.optim.AdamW:
    """Return AdamW for what is trained, with weight decay on matrices only, not on biases and norms."""
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    groups = [
        {"params": [parameter for parameter in trained if parameter.ndim > 1], "weight_decay": settings.weight_decay},
        {"params": [parameter for parameter in trained if parameter.ndim <= 1], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, betas=(0.9, settings.adam_beta2), eps=settings.adam_epsilon, fused=True)


def learning_rate(step: int, steps: int, peak: float, warmup: float) -> float:
    """Return the learning rate of a step (from 0): linear from 0 in the warm-up, then linear to 0.

    The formula of transformers' ``get_linear_schedule_with_warmup``.
    """
    warm = math.ceil(steps * warmup)
    return peak * (step / warm if step < warm else (steps - step) / max(1, steps - warm))


def take_step(
    model: Model,
    optimiser: torch.optim.Optimizer,
    task: TaskSpec,
    batch: Batch,
    rate: float,
    settings: Optimisation,
    group: distributed.Group,
    device: torch.device,
) -> torch.Tensor:
    """Do one optimiser step and return this process's part of its loss, float32 on the device.

    The sum over processes is the mean over the terms of the whole batch.

    Args:
        model: in training mode, on the device.
        optimiser: of its weights.
        task: the batch's task.
        batch: this process's share of the batch.
        rate: the learning rate.
        settings: the other settings of the optimisation.
        group: the processes that take the step together.
        device: where the model is.
    """
    for parameters in optimiser.param_groups:
        parameters["lr"] = rate
    # dropout depends on seed, step and process alone
    torch.manual_seed(batch.key + group.rank * 1_000_000_007)
    form = forms.get(task.form)
    value = torch.zeros((), device=device)
    for micro in batch.micro_batches:
        outputs = model(task.task, tensors(micro.inputs, device), micro.instances)
        loss = form.loss(outputs, tensors(micro.targets, device)) * (micro.terms / batch.terms)
        # processes' gradients are averaged
        (loss * group.size).backward()
        value += loss.detach()
    trained = [parameter for parameter in model.parameters() if parameter.grad is not None]
    torch.nn.utils.clip_grad_norm_(trained, settings.gradient_norm)
    optimiser.step()
    optimiser.zero_grad()
    return value


def check_loss(state: dict[str, Any], task: str, loss: float, step: int, rate: float) -> None:
    """Stop a run whose loss is not finite or has exploded, and note the loss in ``state``.

    Raises:
        ExplodedError: with step, task and learning rate.
    """
    first, last = state["first"].setdefault(task, []), state["last"].setdefault(task, [])
    if len(first) < _WINDOW:
        first.append(loss)
    last.append(loss)
    del last[:-_WINDOW]
    mean, before = sum(last) / len(last), sum(first) / len(first)
    exploded = mean > _LIMIT and mean > _FACTOR * before
    if exploded or not math.isfinite(loss):
        what = f"exploded from {before:.3g} to {mean:.3g}" if exploded else f"is {loss}"
        raise ExplodedError(
            f"{task}: the loss {what} at step {step} (learning rate {rate:.2e}); lower the learning rate"
        )
