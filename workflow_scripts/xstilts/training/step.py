"""What an optimiser step is made of: the batch in micro-batches, the loss, the learning rate, and when to give up."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
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
from xstilts.hardware import Hardware
from xstilts.models import distributed
from xstilts.models.model import Model, tensors
from xstilts.phase import Optimisation
from xstilts.store.specs.models import TaskSpec
from xstilts.training.division import Portion, divide
from xstilts.training.gradient_conflict import GradientRecord

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
    """What one process computes of a batch.

    Attributes:
        task: the index of the task.
        micro_batches: as many for every process.
        terms: number of terms that the loss is a mean over, those of all processes.
        key: of the step's random draws.
        factor: of this loss in that of the step.
        tokens: of all processes, without padding.
    """

    task: int
    micro_batches: list[MicroBatch]
    terms: int
    key: int
    factor: float = 1.0
    tokens: int = 0


class Batches:
    """The batches of a run for one process, found from their step alone, and on a GPU made while it computes."""

    def __init__(
        self,
        schedule: Schedule,
        tasks: Sequence[TaskSpec],
        data: Sequence[Mapping[str, Split]],
        factors: Sequence[float],
        seed: int,
        group: distributed.Group,
        hardware: Hardware,
        ahead: bool,
    ) -> None:
        """Say which share of which batches is computed.

        Args:
            schedule: the instances of every step.
            tasks: what is trained on.
            data: their splits.
            factors: of their losses.
            seed: of the run.
            group: the processes among which a batch is divided.
            hardware: how many tokens are computed at once; it may be changed meanwhile (``memory.py``).
            ahead: whether a batch is made while the one before it is computed.
        """
        self._schedule, self._tasks, self._data, self._factors, self._seed = schedule, tasks, data, factors, seed
        self._group, self.hardware, self._ahead = group, hardware, ahead

    def from_step(self, first: int) -> Iterator[list[Batch]]:
        """Yield the batches of each step from one on to the last."""
        steps = range(first, self._schedule.steps)
        if not self._ahead:
            yield from map(self.at, steps)
            return
        with ThreadPoolExecutor(1) as maker:
            coming, made_for = [maker.submit(self.at, step) for step in steps[:1]], self.hardware
            for step in steps:
                batches = coming.pop().result()
                if made_for is not self.hardware:
                    batches, made_for = self.at(step), self.hardware
                coming += [maker.submit(self.at, after) for after in steps[step + 1 - first : step + 2 - first]]
                yield batches

    def largest(self) -> list[int]:
        """Return for each task the step of its largest batch, padding included, as far as it is computed at once."""
        found: dict[int, tuple[tuple[float, int], int]] = {}
        limit = self.hardware.max_tokens_per_device or math.inf
        for step in range(self._schedule.steps):
            for task, instances in self._schedule.batches(step):
                tokens = self._data[task]["train"].tokens
                longest, sequences = int(tokens.lengths[instances].max()), len(tokens.sequences(instances))
                size = (min(longest * sequences, limit), longest)
                found[task] = max(found.get(task, (size, step)), (size, step), key=lambda sized: sized[0])
        return [step for _, step in found.values()]

    def at(self, step: int) -> list[Batch]:
        """Return this process's shares of a step's batches, whose losses count equally."""
        batches, key = self._schedule.batches(step), self._seed * 1_000_003 + step
        return [self._share(task, instances, key, self._factors[task] / len(batches)) for task, instances in batches]

    def _share(self, task: int, instances: np.ndarray, key: int, factor: float) -> Batch:
        """Return this process's share of a batch."""
        form, tokens = self._tasks[task].form, self._data[task]["train"].tokens
        module = forms.get(form)
        portions, size = [Portion(instances)], self._group.size
        if FORMS[form].separable:
            portions = divide(tokens, instances, size, self.hardware.max_tokens_per_device)[self._group.rank]
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
        return Batch(task, micro_batches, total, key, factor, tokens.count(instances))


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


@dataclass(frozen=True)
class Taken:
    """What an optimiser step gave.

    Attributes:
        losses: of each of its batches, without its factor: the mean over the terms of the whole batch.
        gradient_norm: that of all gradients together, before it is limited.
        flags: which of the flags any process has.
    """

    losses: list[float]
    gradient_norm: float
    flags: list[bool]


def take_step(
    model: Model,
    optimiser: torch.optim.Optimizer,
    tasks: Sequence[TaskSpec],
    batches: Sequence[Batch],
    rate: float,
    settings: Optimisation,
    group: distributed.Group,
    device: torch.device,
    record: GradientRecord | None = None,
    flags: Callable[[], Sequence[bool]] = tuple,
) -> Taken:
    """Do one optimiser step on the sum of its batches' losses, each times the factor of its batch.

    Args:
        model: in training mode, on the device.
        optimiser: of its weights.
        tasks: what is trained on.
        batches: this process's shares of the step's batches.
        rate: the learning rate.
        settings: the other settings of the optimisation.
        group: the processes that take the step together.
        device: where the model is.
        record: where the gradients of the batches are kept; None for nowhere.
        flags: gives at the end of the step what processes tell each other beside.
    """
    for parameters in optimiser.param_groups:
        parameters["lr"] = rate
    # dropout depends on seed, step and process alone
    torch.manual_seed(batches[0].key + group.rank * 1_000_000_007)
    losses = []
    for batch in batches:
        task = tasks[batch.task]
        losses.append(add_gradients(model, task, batch, group, device))
        if record is not None:
            record.add(task.task)
    trained = [parameter for parameter in model.parameters() if parameter.grad is not None]
    group.average([parameter.grad for parameter in trained if parameter.grad is not None])
    norm = torch.nn.utils.clip_grad_norm_(trained, settings.gradient_norm)
    optimiser.step()
    optimiser.zero_grad()
    # all of a step's numbers at once, for each costs a wait for the device and the other processes
    norms = distributed.whole(norm) / group.size
    sums, number = group.sums([*losses, norms], *flags()), len(losses)
    return Taken(sums[:number], sums[number], [one > 0 for one in sums[number + 1 :]])


def add_gradients(
    model: Model, task: TaskSpec, batch: Batch, group: distributed.Group, device: torch.device
) -> torch.Tensor:
    """Add the gradients of a batch to those of the weights, and return this process's part of the batch's loss."""
    form = forms.get(task.form)
    value = torch.zeros((), device=device)
    for micro in batch.micro_batches:
        outputs = model(task.task, tensors(micro.inputs, device), micro.instances)
        loss = form.loss(outputs, tensors(micro.targets, device)) * (micro.terms / batch.terms)
        # processes' gradients are averaged
        (loss * (batch.factor * group.size)).backward()
        value += loss.detach()
    return value


def note_losses(
    state: dict[str, Any],
    tasks: Sequence[TaskSpec],
    batches: Sequence[Batch],
    losses: Sequence[float],
    step: int,
    rate: float,
) -> None:
    """Note the losses of a step's batches in ``state``.

    Raises:
        ExplodedError: as ``check_loss``.
    """
    for batch, loss in zip(batches, losses, strict=True):
        check_loss(state, tasks[batch.task].task, loss, step, rate)
        state["since"].append([batch.task, loss])


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
