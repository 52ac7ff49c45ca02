"""Which examples a training step sees: a pure function of the seed and the step.

How often a task is drawn, and how many steps there are, is in ``store/sampling.py``. A step has one batch, or several
whose tasks are drawn independently of each other. A batch holds examples of one task.

Within a task every epoch is a fresh order of all instances, grouped by length inside windows of many batches, so that a
batch needs little padding while the order stays random at large.
"""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from xstilts.errors import UserError
from xstilts.store import halving
from xstilts.store.manifest import TaskCounts
from xstilts.store.sampling import Sampling, TaskShare, examples_of_a_batch, probabilities, total_steps

# batches of a window inside which instances are grouped by length
_WINDOW = 100


class Schedule:
    """The batches of a whole training run, each found from its step alone."""

    def __init__(self, shares: Sequence[TaskShare], sampling: Sampling, seed: int) -> None:
        """Draw the task of every batch.

        Raises:
            UserError: if a task has no training instances.
        """
        for share in shares:
            if len(share.instances) == 0:
                raise UserError(f"{share.name}: no training examples")
        self._shares, self._sampling, self._seed = list(shares), sampling, seed
        self._sizes = [examples_of_a_batch(share.batch_size, sampling) for share in shares]
        self.steps = total_steps(shares, sampling)
        self.probabilities = probabilities(shares, sampling)
        draws = np.random.Generator(np.random.Philox(key=[seed, 0]))
        # of every step the tasks of its batches
        self.tasks = draws.choice(len(shares), size=(self.steps, sampling.tasks_per_step), p=self.probabilities)
        visits = np.zeros(self.tasks.shape, dtype=np.int64)
        for task in range(len(shares)):
            here = self.tasks == task
            visits[here] = np.arange(here.sum())
        self._visits = visits
        self._epochs: dict[int, tuple[int, list[np.ndarray]]] = {}

    def shortened(self, share: float) -> "Schedule":
        """Return a schedule of the same tasks over a share of its steps, of one at least."""
        sampling = replace(self._sampling, steps=halving.steps(self.steps, share))
        return Schedule(self._shares, sampling, self._seed)

    def batches(self, step: int) -> list[tuple[int, np.ndarray]]:
        """Return the batches of a step (counted from 0): the task's number and the instances of each."""
        visits = self._visits[step].tolist()
        return [self._batch(task, visit) for task, visit in zip(self.tasks[step].tolist(), visits, strict=True)]

    def _batch(self, task: int, visit: int) -> tuple[int, np.ndarray]:
        """Return a task's number and the instances of its batch with a number."""
        epoch, place = divmod(visit, math.ceil(len(self._shares[task].instances) / self._sizes[task]))
        known = self._epochs.get(task)
        if known is None or known[0] != epoch:
            # another thread may ask for another epoch meanwhile
            known = self._epochs[task] = (epoch, self._epoch(task, epoch))
        return task, known[1][place]

    def counts(self) -> dict[str, TaskCounts]:
        """Return for each task its probability, and how many batches and examples of it are drawn."""
        examples = [0] * len(self._shares)
        for step in range(self.steps):
            for task, instances in self.batches(step):
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
        share, size = self._shares[task], self._sizes[task]
        # in the counter's highest word: the lower ones are counted up, and epochs would share most of their draws
        rng = np.random.Generator(np.random.Philox(key=[self._seed, 1 + task], counter=[0, 0, 0, epoch]))
        order = rng.permutation(len(share.instances))
        window = _WINDOW * size
        batches = []
        for start in range(0, len(order), window):
            part = order[start : start + window]
            part = part[np.argsort(share.lengths[part], kind="stable")]
            batches += [part[at : at + size] for at in range(0, len(part), size)]
        return [share.instances[batches[place]] for place in rng.permutation(len(batches))]
