"""Sampling: what a step sees is a pure function of seed and step, and batches hold little padding."""

import numpy as np
import pytest
from xstilts.data.sampler import Schedule
from xstilts.errors import UserError
from xstilts.store.sampling import Sampling, TaskShare

from tests.builders.lengths import LIMIT, made_up_mnli, made_up_squad, padding

BATCH_SIZE, EPOCHS = 32, 3


def epochs(lengths: np.ndarray, seed: int) -> list[list[np.ndarray]]:
    """Return the batches of each epoch."""
    share = TaskShare("task", np.arange(len(lengths)), lengths, len(lengths), 1.0, EPOCHS, BATCH_SIZE)
    schedule = Schedule([share], Sampling(), seed)
    batches = [schedule.batch(step)[1] for step in range(schedule.steps)]
    each = schedule.steps // EPOCHS
    return [batches[start : start + each] for start in range(0, schedule.steps, each)]


def test_little_padding_in_every_epoch(lengths):
    shares = [padding(lengths, batches) for seed in (1, 2) for batches in epochs(lengths, seed)]
    assert len(shares) == 2 * EPOCHS
    assert max(shares) <= LIMIT


def test_every_unit_once_and_in_another_order(lengths):
    orders = [np.concatenate(batches) for seed in (1, 2) for batches in epochs(lengths, seed)]
    for order in orders:
        assert np.array_equal(np.sort(order), np.arange(len(lengths)))
    # two random orders agree in a few places of thousands
    for number, order in enumerate(orders):
        assert all((order == before).mean() < 0.01 for before in orders[:number])


def test_batches_come_in_no_order_of_length(lengths):
    """Units are grouped by length, but a step does not tell how long they are."""
    longest = np.array([lengths[instances].max() for instances in epochs(lengths, 1)[0]])
    halves = np.array_split(longest, 2)
    spread = longest.std() * (2 / len(halves[0])) ** 0.5
    assert abs(halves[0].mean() - halves[1].mean()) < 4 * spread
    assert abs(np.corrcoef(longest[1:], longest[:-1])[0, 1]) < 4 / len(longest) ** 0.5


def test_a_batch_is_not_the_same_company_twice(lengths):
    """Who is in a batch with whom changes from epoch to epoch."""
    first, second = epochs(lengths, 1)[:2]
    batch_of = np.empty(len(lengths), np.int64)
    for number, instances in enumerate(second):
        batch_of[instances] = number
    most_again = [np.bincount(batch_of[instances]).max() for instances in first if len(instances) == BATCH_SIZE]
    assert np.mean(most_again) < 0.75 * BATCH_SIZE


def test_padding_of_each_task_of_a_mixture():
    rng = np.random.default_rng(0)
    tasks = [made_up_mnli(rng), made_up_squad(rng)]
    shares = [
        TaskShare(name, np.arange(len(lengths)), lengths, len(lengths), 1.0, 1, BATCH_SIZE)
        for name, lengths in zip(("mnli", "squad"), tasks, strict=True)
    ]
    schedule = Schedule(shares, Sampling(), seed=3)
    batches = [[], []]
    for task, instances in map(schedule.batch, range(schedule.steps)):
        batches[task].append(instances)
    assert all(padding(*pair) <= LIMIT for pair in zip(tasks, batches, strict=True))


def test_random_batches_pad_more():
    """The limit above can be missed: batches of instances in random order do."""
    lengths = made_up_mnli(np.random.default_rng(0))
    order = np.random.default_rng(1).permutation(len(lengths))
    assert padding(lengths, np.array_split(order, len(lengths) // BATCH_SIZE)) > 0.4


def share(name, rows, rate=1.0, epochs=1, batch_size=4, instances=None):
    instances = rows if instances is None else instances
    return TaskShare(name, np.arange(instances), np.arange(instances) % 17 + 3, rows, rate, epochs, batch_size)


def test_every_unit_once_an_epoch():
    schedule = Schedule([share("a", 1003, epochs=3, batch_size=8)], Sampling(), seed=1)
    epochs = np.split(np.arange(schedule.steps), 3)
    orders = []
    for steps in epochs:
        seen = np.concatenate([schedule.batch(step)[1] for step in steps])
        assert sorted(seen.tolist()) == list(range(1003))
        orders.append(seen.tolist())
    assert orders[0] != orders[1] != orders[2]


def test_a_step_is_a_pure_function():
    shares = [share("a", 200, epochs=2), share("b", 90, epochs=3)]
    one, other = (Schedule(shares, Sampling(), seed=5) for _ in range(2))
    forwards = [one.batch(step) for step in range(one.steps)]
    backwards = [other.batch(step) for step in reversed(range(other.steps))][::-1]
    assert all(a[0] == b[0] and a[1].tolist() == b[1].tolist() for a, b in zip(forwards, backwards, strict=True))
    different = Schedule(shares, Sampling(), seed=6)
    assert [task for task, _ in forwards] != different.tasks.tolist()


def test_realised_shares():
    shares = [share("a", 10_000, epochs=20, batch_size=2), share("b", 30_000, epochs=1, batch_size=2)]
    schedule = Schedule(shares, Sampling(), seed=0)
    assert schedule.steps == 115_000
    assert abs((schedule.tasks == 0).mean() - 0.25) < 4 * (0.25 * 0.75 / schedule.steps) ** 0.5


def test_counts():
    schedule = Schedule([share("a", 10, epochs=3), share("b", 30)], Sampling("equal"), seed=2)
    counts = schedule.counts()
    assert sum(entry.steps for entry in counts.values()) == schedule.steps
    seen = {name: 0 for name in counts}
    for step in range(schedule.steps):
        task, instances = schedule.batch(step)
        seen["ab"[task]] += len(instances)
    assert {name: entry.examples for name, entry in counts.items()} == seen


def test_batches_are_of_similar_length():
    schedule = Schedule([share("a", 4000, batch_size=16)], Sampling(), seed=0)
    lengths = np.arange(4000) % 17 + 3
    padded = sum(
        len(instances) * lengths[instances].max() for _, instances in map(schedule.batch, range(schedule.steps))
    )
    assert lengths.sum() / padded > 0.95


def test_no_examples():
    with pytest.raises(UserError, match="a: no training examples"):
        Schedule([share("a", 0, instances=0)], Sampling(), seed=0)
