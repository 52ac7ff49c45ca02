"""Which examples a training step sees: a pure function of the seed and the step.

A step's batch holds examples of one task. The task is drawn with a probability proportional to its rate times
min(training rows, cap)^(1 / temperature) (``proportional``; cap first, then temperature, as jiant's ``task_sampler.py``
and seqio's ``mixing_rate_num_examples`` have it) or to its rate alone (``equal``). The steps are the mixture's own
number, or the sum over tasks of epochs x ceil(min(rows, cap) / batch size).

Within a task every epoch is a fresh order of all instances, grouped by length inside windows of many batches, so that a
batch needs little padding while the order stays random at large.
"""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from xstilts.errors import UserError
from xstilts.store.manifest import TaskCounts
from xstilts.store.sampling import Sampling, TaskShare, probabilities, total_steps

# batches of a window inside which instances are grouped by length
_WINDOW = 100


class Schedule:
    """The batches of a whole training run, each found from its step alone."""

    def __init__(self, shares: Sequence[TaskShare], sampling: Sampling, seed: int) -> None:
        """Draw the task of every step.

        Raises:
            UserError: if a task has no training instances.
        """
        for share in shares:
            if len(share.instances) == 0:
                raise UserError(f"{share.name}: no training examples")
        self._shares, self._sampling, self._seed = list(shares), sampling, seed
        self.steps = total_steps(shares, sampling)
        self.probabilities = probabilities(shares, sampling)
        draws = np.random.Generator(np.random.Philox(key=[seed, 0]))
        self.tasks = draws.choice(len(shares), size=self.steps, p=self.probabilities)
        visits = np.zeros(self.steps, dtype=np.int64)
        for task in range(len(shares)):
            here = self.tasks == task
            visits[here] = np.arange(here.sum())
        self._visits = visits
        self._epochs: dict[int, tuple[int, list[np.ndarray]]] = {}

    def shortened(self, share: float) -> "Schedule":
        """Return a schedule of the same tasks over a share of its steps, of one at least."""
        steps = max(1, round(share * self.steps))
        return Schedule(self._shares, replace(self._sampling, steps=steps), self._seed)

    def batch(self, step: int) -> tuple[int, np.ndarray]:
        """Return the task's number and the instances of a step (counted from 0)."""
        task, visit = int(self.tasks[step]), int(self._visits[step])
        share = self._shares[task]
        epoch, place = divmod(visit, math.ceil(len(share.instances) / share.batch_size))
        if self._epochs.get(task, (None,))[0] != epoch:
            self._epochs[task] = (epoch, self._epoch(task, epoch))
        return task, self._epochs[task][1][place]

    def counts(self) -> dict[str, TaskCounts]:
        """Return for each task its probability, and how many steps and examples it is drawn for."""
        examples = [0] * len(self._shares)
        for step in range(self.steps):
            task, instances = self.batch(step)
            examples[task] += len(instances)
        return {
            share.name: TaskCounts(
                probability=round(float(self.probabilities[task]), 6),
                rows=share.rows,
                instances=len(share.instances),
                steps=int((self.tasks == task).sum()),
                examples=examples[task],
            )
            for task, share in enumerate(self._shares)
        }

    def _epoch(self, task: int, epoch: int) -> list[np.ndarray]:
        """Return the batches of one epoch of a task."""
        share = self._shares[task]
        # in the counter's highest word: the lower ones are counted up, and epochs would share most of their draws
        rng = np.random.Generator(np.random.Philox(key=[self._seed, 1 + task], counter=[0, 0, 0, epoch]))
        order = rng.permutation(len(share.instances))
        window = _WINDOW * share.batch_size
        batches = []
        for start in range(0, len(order), window):
            part = order[start : start + window]
            part = part[np.argsort(share.lengths[part], kind="stable")]
            batches += [part[at : at + share.batch_size] for at in range(0, len(part), share.batch_size)]
        return [share.instances[batches[place]] for place in rng.permutation(len(batches))]
