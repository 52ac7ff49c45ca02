"""How often the tasks of a mixture are drawn, and for how many steps: pure functions, for planning and for training.

A batch holds examples of one task, and a step has one batch, or several smaller ones that are drawn independently of
each other: together they have as many examples as the one, so that steps, epochs and cost can be compared. Of every
batch the task is drawn with a probability proportional to its rate times
min(training rows, cap)^(1 / temperature) (``proportional``; cap first, then temperature, as jiant's ``task_sampler.py``
and seqio's ``mixing_rate_num_examples`` have it) or to its rate alone (``equal``). The steps are the mixture's own
number, or the sum over tasks of epochs x ceil(min(rows, cap) / batch size), whatever the batches of a step.

Several tasks in a step, and losses divided by the logarithm of the number of classes, are from Muppet (Aghajanyan et
al. 2021, https://aclanthology.org/2021.emnlp-main.468).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

# a task's loss as it is, or divided by the logarithm of the number of classes among which its head chooses
AS_IT_IS, LOG_CLASSES = "none", "log_classes"


@dataclass(frozen=True)
class Sampling:
    """How the tasks of a mixture are drawn, how often, and how their losses come together in a step.

    Attributes:
        kind: ``proportional`` or ``equal``.
        cap: training rows of a task beyond this number do not count; None for no cap.
        temperature: 1 is proportional; the higher, the more alike the tasks' probabilities.
        steps: number of optimiser steps; None for what the tasks' epochs come to.
        tasks_per_step: batches of a step, whose tasks are drawn one by one; each has this share of its task's batch
            size, and the loss is the mean of theirs.
        loss_scale: ``none``, or ``log_classes`` for losses divided by the logarithm of the number of classes.
        gradient_conflict_every: steps from one record of the cosines between the gradients of a step's batches to the
            next; None for none. It changes no weights.
    """

    kind: str = "proportional"
    cap: int | None = None
    temperature: float = 1
    steps: int | None = None
    tasks_per_step: int = 1
    loss_scale: str = AS_IT_IS
    gradient_conflict_every: int | None = None


@dataclass(frozen=True)
class TaskShare:
    """One task of a mixture: its training instances, their lengths, and how it is sampled.

    ``batch_size`` is the number of examples of a step that has one batch.
    """

    name: str
    instances: np.ndarray
    lengths: np.ndarray
    rows: int
    weight: float
    epochs: int
    batch_size: int


def probabilities(shares: Sequence[TaskShare], sampling: Sampling) -> np.ndarray:
    """Return the probability of each task, float64 of shape (tasks,)."""
    sizes = np.ones(len(shares))
    if sampling.kind == "proportional":
        sizes = np.array([_counted(share, sampling) for share in shares]) ** (1 / sampling.temperature)
    factors = sizes * np.array([share.weight for share in shares])
    return factors / factors.sum()


def total_steps(shares: Sequence[TaskShare], sampling: Sampling) -> int:
    """Return the number of optimiser steps of the mixture."""
    if sampling.steps is not None:
        return sampling.steps
    return sum(share.epochs * math.ceil(_counted(share, sampling) / share.batch_size) for share in shares)


def examples_of_a_batch(batch_size: int, sampling: Sampling) -> int:
    """Return the number of examples of one of a step's batches, from that of a step."""
    return batch_size // sampling.tasks_per_step


def _counted(share: TaskShare, sampling: Sampling) -> int:
    """Return the training rows of a task that count."""
    return min(share.rows, sampling.cap or share.rows)
