"""Whether the tasks of a step pull a model the same way: the cosines between the gradients of its batches.

Two tasks are in conflict where the cosine is below 0 (Yu et al. 2020, PCGrad, https://arxiv.org/abs/2001.06782, section
2.2). Only weights of the backbone count, which all tasks share: a head is of one task. Two batches of one task give a
cosine too, with which those of other tasks can be compared.

Gradients add up in the weights while the batches of a step are computed. The sum is copied after each batch, and a
batch's gradient is the difference of two copies. So a step that is recorded trains the same as one that is not.
"""

import contextlib
import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch

from xstilts.models import distributed
from xstilts.models.model import Model

# in the state of the loop and in the history
_CONFLICT = "gradient_conflict"


class GradientRecord:
    """The gradients of a step's batches."""

    def __init__(self, model: Model) -> None:
        """Begin before the first batch; ``model`` is on the device, and has no gradients."""
        self._weights = [weight for weight in model.backbone.parameters() if weight.requires_grad]
        self._tasks: list[str] = []
        self._sums: list[list[torch.Tensor | None]] = []

    def restart(self) -> None:
        """Forget what was noted of a step that is taken again."""
        self._tasks.clear()
        self._sums.clear()

    def add(self, task: str) -> None:
        """Note that a batch of a task has been computed."""
        self._tasks.append(task)
        sums = [weight.grad for weight in self._weights]
        self._sums.append([None if each is None else distributed.local(each).clone() for each in sums])

    def cosines(self, step: int, group: distributed.Group) -> list[dict[str, Any]]:
        """Return the cosine of every two batches, but of those with a gradient of zeros, which has none.

        Args:
            step: optimiser steps done, with this one.
            group: the processes, which all call it: each may have a shard of every weight.
        """
        # whole gradients are each process's own until the step's end
        for of_batch in self._sums:
            group.average([each for each in of_batch if each is not None])
        count = len(self._tasks)
        products = torch.zeros(count, count, dtype=torch.float64)
        for sums in zip(*self._sums, strict=True):
            products += _products(sums)
        pairs = list(itertools.combinations_with_replacement(range(count), 2))
        # with several replicas all products are as many times too large, which no cosine shows
        dot = dict(zip(pairs, group.sums([products[pair] for pair in pairs]), strict=True))
        return [
            {"step": step, "tasks": sorted((self._tasks[i], self._tasks[j])), "cosine": round(value / norms, 6)}
            for (i, j), value in dot.items()
            if i != j and (norms := (dot[i, i] * dot[j, j]) ** 0.5)
        ]


@contextlib.contextmanager
def recorded(
    state: dict[str, Any], every: int | None, step: int, model: Model, group: distributed.Group
) -> Iterator[GradientRecord | None]:
    """Give a record of the step that is taken meanwhile, and note its cosines in ``state``; None for other steps.

    Args:
        state: JSON values of the training loop.
        every: steps from one that is recorded to the next, beginning with the first; None for none.
        step: the step, from 0.
        model: on the device, without gradients.
        group: the processes that take the step together.
    """
    if every is None or step % every:
        yield None
        return
    record = GradientRecord(model)
    yield record
    state.setdefault(_CONFLICT, []).extend(record.cosines(step + 1, group))


def noted(state: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the history says of cosines; nothing of a training in which none are recorded."""
    return {_CONFLICT: state[_CONFLICT]} if _CONFLICT in state else {}


def _products(sums: Sequence[torch.Tensor | None]) -> torch.Tensor:
    """Return the scalar products of the batches' gradients of one weight, (batches, batches); its upper half counts.

    Args:
        sums: the gradients' sums after each batch; None before the first one that has a gradient.
    """
    gradients: list[torch.Tensor | None] = [
        after if after is None or before is None else after - before
        for before, after in itertools.pairwise([None, *sums])
    ]
    products = torch.zeros(len(sums), len(sums), dtype=torch.float64)
    for (i, a), (j, b) in itertools.combinations_with_replacement(enumerate(gradients), 2):
        if a is not None and b is not None:
            products[i, j] = torch.dot(a.flatten().float(), b.flatten().float()).double()
    return products
