"""Training within the memory that there is: a step for which it lacks is taken again with settings that need less.

``Hardware.with_less_memory`` says which, as in a memory plan. On a GPU the largest batch of each task is computed
before the first step, so that the division of all batches is found there, and is that of a run that has started with
it. It stands in the work directory, for dropout depends on it: a run that is interrupted continues as it began.
"""

import json
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TypeVar

import torch

from xstilts.errors import UserError, reading
from xstilts.hardware import Hardware, may_recompute
from xstilts.models import architecture, distributed
from xstilts.models.device_memory import Lacked, tried
from xstilts.models.model import Model
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
        path, sharded = workplace / FILE, False
        if path.exists():
            with reading(path, f"delete {path} and run again"):
                noted = json.loads(path.read_text(encoding="utf-8"))
                limits = (noted["max_tokens_per_device"], hardware.max_tokens_per_device)
                tokens = min((int(limit) for limit in limits if limit is not None), default=None)
                again = bool(noted["gradient_checkpointing"]) or hardware.gradient_checkpointing
                sharded = bool(noted.get("sharded"))
            shards = None if sharded and hardware.shards == 1 else hardware.shards
            hardware = replace(hardware, max_tokens_per_device=tokens, gradient_checkpointing=again, shards=shards)
        _note(workplace, hardware, sharded)
    found: Hardware = group.share(hardware)
    return found


def _note(workplace: Path, hardware: Hardware, sharded: bool) -> None:
    """Note settings, and whether memory lacks for whole weights in each of several processes."""
    noted = {
        "max_tokens_per_device": hardware.max_tokens_per_device,
        "gradient_checkpointing": hardware.gradient_checkpointing,
        "sharded": sharded,
    }
    write_atomically(workplace / FILE, json.dumps(noted) + "\n")


@dataclass(frozen=True)
class Fitting:
    """Takes the steps of a run where memory may lack: each again and again with less, until it fits.

    Several processes cannot do so alone: there the run ends, and the next try begins with less.

    Attributes:
        model: in training mode, on the device.
        optimiser: of its weights.
        batches: those of the run; they follow the settings that were found.
        method: the fine-tuning method.
        workplace: the work directory, where the settings are noted.
        group: the processes, which do all of this together.
    """

    model: Model
    optimiser: torch.optim.Optimizer
    batches: Batches
    method: str
    workplace: Path
    group: distributed.Group

    def take(
        self,
        take: Callable[[Sequence[Batch]], T],
        step: int,
        of_step: Sequence[Batch],
        record: GradientRecord | None = None,
    ) -> T:
        """Return what a step gives.

        Args:
            take: takes it on its batches, as ``step.take_step`` does.
            step: its number.
            of_step: its batches, as they are now.
            record: where the gradients of the batches are kept, if anywhere.

        Raises:
            UserError: if memory lacks for one instance at a time, too, or a weight has been changed already; and of
                several processes in any case.
        """
        began: list[bool] = []
        with self.optimiser.register_step_pre_hook(lambda *_: began.append(True)):
            while True:
                taken = tried(partial(take, of_step))
                if not isinstance(taken, Lacked):
                    return taken
                if began:
                    raise UserError(f"the optimiser: {taken.said}; lower max_tokens_per_device in config.yaml")
                # nothing of the step may stay
                self.optimiser.zero_grad()
                if record is not None:
                    record.restart()
                of_step = self._divided_more(of_step, step, taken.said)

    def probe(self, tasks: Sequence[TaskSpec], device: torch.device) -> None:
        """Compute the gradients of each task's largest batch, and forget them: what memory lacks shows before any step.

        Memory for the optimiser's moments is taken meanwhile.

        Args:
            tasks: what is trained on.
            device: where the model is.

        Raises:
            UserError: as ``take``.
        """
        trained = [weight for weights in self.optimiser.param_groups for weight in weights["params"]]
        moments = [] if self.optimiser.state else [torch.empty_like(weight) for weight in trained for _ in range(2)]

        def gradients(of_step: Sequence[Batch]) -> None:
            for batch in of_step:
                add_gradients(self.model, tasks[batch.task], batch, self.group, device)
            self.group.average([weight.grad for weight in trained if weight.grad is not None])
            self.optimiser.zero_grad()

        for step in self.batches.largest():
            self.take(gradients, step, self.batches.at(step))
        del moments

    def _divided_more(self, of_step: Sequence[Batch], step: int, lacked: str) -> Sequence[Batch]:
        """Return a step's batches as they need less memory, and have all that follow need less."""
        batches, (tokens, instance) = self.batches, _largest(of_step)
        before, found = batches.hardware, of_step
        while _largest(found)[0] >= tokens and _but_tokens(batches.hardware) == _but_tokens(before):
            less = batches.hardware.with_less_memory(tokens, instance, may_recompute(self.method))
            if less is None:
                raise UserError(
                    f"step {step}: {lacked}; nothing needs less memory: use a larger GPU, or a shorter max_length"
                )
            batches.hardware = less
            found = batches.at(step)
        hardware = batches.hardware
        now_sharded = hardware.shards != before.shards
        _note(self.workplace, hardware, now_sharded or self.group.shards > 1)
        how = f"max_tokens_per_device {hardware.max_tokens_per_device}"
        how += " and gradient_checkpointing" * hardware.gradient_checkpointing
        how += " and sharded weights" * now_sharded
        if self.group.size > 1:
            raise UserError(f"step {step}: {lacked}; the next run continues with {how}")
        log.warning("step %d: %s; from here on with %s", step, lacked, how)
        if hardware.recomputes(self.method) and not before.gradient_checkpointing:
            architecture.recompute_layers(self.model.backbone.transformer)
        return found


def _but_tokens(hardware: Hardware) -> Hardware:
    """Return settings without what they say of tokens."""
    return replace(hardware, max_tokens_per_device=None)


def _largest(of_step: Sequence[Batch]) -> tuple[int, int]:
    """Return the positions of a step's largest micro-batch, and of its largest instance."""
    sizes = [(micro.inputs["ids"].size, micro.instances) for batch in of_step for micro in batch.micro_batches]
    return max(size for size, _ in sizes), max(size // instances for size, instances in sizes)
