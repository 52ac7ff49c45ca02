"""Training within the memory that there is: a step for which it lacks is taken again with settings that need less.

``Hardware.with_less_memory`` says which, as in a memory plan. On a GPU the largest batch of each task is computed
before the first step, so that the division of all batches is found there, and is that of a run that has started with
it. It stands in the work directory, for dropout depends on it: a run that is interrupted continues as it began.
"""

import json
import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

import torch

from xstilts.errors import UserError, first_line, reading
from xstilts.hardware import Hardware, may_recompute
from xstilts.models import architecture, distributed
from xstilts.models.model import Model
from xstilts.phase import Optimisation
from xstilts.store.files import write_atomically
from xstilts.store.specs.models import TaskSpec
from xstilts.training.gradient_conflict import GradientRecord
from xstilts.training.step import Batch, Batches, add_gradients

log = logging.getLogger(__name__)

# in a work directory
FILE = "memory.json"
T = TypeVar("T")


def resumed(workplace: Path, hardware: Hardware, group: distributed.Group) -> Hardware:
    """Return the settings that a run continues with: those in its work directory, or fewer tokens at once if so given.

    Args:
        workplace: the work directory.
        hardware: what is given now; of a run that begins it is noted.
        group: the processes; the first one reads and writes.

    Raises:
        UserError: if what stands in the work directory cannot be read.
    """
    if group.leads:
        path = workplace / FILE
        if path.exists():
            with reading(path, f"delete {path} and run again"):
                noted = json.loads(path.read_text(encoding="utf-8"))
                limits = (noted["max_tokens_per_device"], hardware.max_tokens_per_device)
                tokens = min((int(limit) for limit in limits if limit is not None), default=None)
                again = bool(noted["gradient_checkpointing"]) or hardware.gradient_checkpointing
            hardware = replace(hardware, max_tokens_per_device=tokens, gradient_checkpointing=again)
        _note(workplace, hardware)
    found: Hardware = group.share(hardware)
    return found


def _note(workplace: Path, hardware: Hardware) -> None:
    noted = {
        "max_tokens_per_device": hardware.max_tokens_per_device,
        "gradient_checkpointing": hardware.gradient_checkpointing,
    }
    write_atomically(workplace / FILE, json.dumps(noted) + "\n")


def fitting(take: Callable[..., T], batches: Batches, step: int, method: str, workplace: Path) -> Callable[..., T]:
    """Return ``step.take_step`` as it is taken where memory may lack: again and again with less, until it fits.

    Several processes cannot do so alone: there the run ends, and the next try begins with less.

    Args:
        take: ``step.take_step``.
        batches: where the step's batches are from; they follow the settings that were found.
        step: its number.
        method: the fine-tuning method.
        workplace: the work directory, where the settings are noted.

    Raises:
        UserError: if memory lacks for one instance at a time, too, or a weight has been changed already; and of
            several processes in any case.
    """

    def taken(
        model: Model,
        optimiser: torch.optim.Optimizer,
        tasks: Sequence[TaskSpec],
        of_step: Sequence[Batch],
        rate: float,
        settings: Optimisation,
        group: distributed.Group,
        device: torch.device,
        record: GradientRecord | None = None,
        *flags: object,
    ) -> T:
        began: list[bool] = []
        with optimiser.register_step_pre_hook(lambda *_: began.append(True)):
            while True:
                try:
                    return take(model, optimiser, tasks, of_step, rate, settings, group, device, record, *flags)
                except torch.OutOfMemoryError as error:
                    lacked = first_line(error)
                if began:
                    raise UserError(f"the optimiser: {lacked}; lower max_tokens_per_device in config.yaml")
                # nothing of the step may stay
                optimiser.zero_grad()
                if record is not None:
                    record.restart()
                of_step = _divided_more(of_step, step, batches, model, method, workplace, group, lacked)

    return taken


def probe(
    model: Model,
    optimiser: torch.optim.Optimizer,
    batches: Batches,
    tasks: Sequence[TaskSpec],
    method: str,
    workplace: Path,
    group: distributed.Group,
    device: torch.device,
) -> None:
    """Compute the gradients of each task's largest batch, and forget them: what memory lacks shows before any step.

    Args:
        model: in training mode, on the device.
        optimiser: of its weights; memory for its moments is taken meanwhile.
        batches: those of the run.
        tasks: what is trained on.
        method: the fine-tuning method.
        workplace: the work directory.
        group: the processes, which all call it.
        device: where the model is.

    Raises:
        UserError: as ``fitting``.
    """
    trained = [weight for weights in optimiser.param_groups for weight in weights["params"]]
    moments = [] if optimiser.state else [torch.empty_like(weight) for weight in trained for _ in range(2)]

    def gradients(
        model: Model, optimiser: torch.optim.Optimizer, tasks: Sequence[TaskSpec], of_step: Sequence[Batch], *_: object
    ) -> None:
        for batch in of_step:
            add_gradients(model, tasks[batch.task], batch, group, device)
        optimiser.zero_grad()

    for step in batches.largest():
        take = fitting(gradients, batches, step, method, workplace)
        take(model, optimiser, tasks, batches.at(step), 0.0, None, group, device)
    del moments


def _divided_more(
    of_step: Sequence[Batch],
    step: int,
    batches: Batches,
    model: Model,
    method: str,
    workplace: Path,
    group: distributed.Group,
    lacked: str,
) -> Sequence[Batch]:
    """Return a step's batches as they need less memory, and have all that follow need less."""
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
    tokens, instance = _largest(of_step)
    before, found = batches.hardware, of_step
    while _largest(found)[0] >= tokens and batches.hardware.gradient_checkpointing == before.gradient_checkpointing:
        less = batches.hardware.with_less_memory(tokens, instance, may_recompute(method))
        if less is None:
            raise UserError(
                f"step {step}: {lacked}; nothing needs less memory: use a larger GPU, or a shorter max_length"
            )
        batches.hardware = less
        found = batches.at(step)
    hardware = batches.hardware
    _note(workplace, hardware)
    how = f"max_tokens_per_device {hardware.max_tokens_per_device}"
    how += " and gradient_checkpointing" * hardware.gradient_checkpointing
    if group.size > 1:
        raise UserError(f"step {step}: {lacked}; the next run continues with {how}")
    log.warning("step %d: %s; from here on with %s", step, lacked, how)
    if hardware.recomputes(method) and not before.gradient_checkpointing:
        architecture.recompute_layers(model.backbone.transformer)
    return found


def _largest(of_step: Sequence[Batch]) -> tuple[int, int]:
    """Return the positions of a step's largest micro-batch, and of its largest instance."""
    sizes = [(micro.inputs["ids"].size, micro.instances) for batch in of_step for micro in batch.micro_batches]
    return max(size for size, _ in sizes), max(size // instances for size, instances in sizes)
