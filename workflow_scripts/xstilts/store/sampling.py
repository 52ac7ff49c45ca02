"""How often the tasks of a mixture are drawn, and for how many steps: pure functions, for planning and for training.

A step's batch holds examples of one task. The task is drawn with a probability proportional to its rate times
min(training rows, cap)^(1 / temperature) (``proportional``; cap first, then temperature, as jiant's ``task_sampler.py``
and seqio's ``mixing_rate_num_examples`` have it) or to its rate alone (``equal``). The steps are the mixture's own
number, or the sum over tasks of epochs x ceil(min(rows, cap) / batch size).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Sampling:
    """How the tasks of a mixture are drawn, and how often.

    Attributes:
        kind: ``proportional`` or ``equal``.
        cap: training rows of a task beyond this number do not count; None for no cap.
        temperature: 1 is proportional; the higher, the more alike the tasks' probabilities.
        steps: number of optimiser steps; None for what the tasks' epochs come to.
    """

    kind: str = "proportional"
    cap: int | None = None
    temperature: float = 1
    steps: int | None = None


@dataclass(frozen=True)
class TaskShare:
    """One task of a mixture: its training instances, their lengths, and how it is sampled."""

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


def _counted(share: TaskShare, sampling: Sampling) -> int:
    """Return the training rows of a task that count."""
    return min(share.rows, sampling.cap or share.rows)
