"""Sampling: what a step sees is a pure function of seed and step, and batches hold little padding."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from xstilts.data.sampler import Schedule
from xstilts.errors import UserError
from xstilts.store.sampling import Sampling, TaskShare

from tests.builders.lengths import LIMIT, made_up_mnli, made_up_squad, padding

BATCH_SIZE, EPOCHS = 32, 3


def drawn(schedule):
    """Return the batches of all steps: of each the task's number and the instances."""
    return [batch for step in range(schedule.steps) for batch in schedule.batches(step)]


def epochs(lengths: np.ndarray, seed: int) -> list[list[np.ndarray]]:
    """Return the batches of each epoch."""
    share = TaskShare("task", np.arange(len(lengths)), lengths, len(lengths), 1.0, EPOCHS, BATCH_SIZE)
    schedule = Schedule([share], Sampling(), seed)
    batches = [instances for _, instances in drawn(schedule)]
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
    for task, instances in drawn(schedule):
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
        seen = np.concatenate([schedule.batches(step)[0][1] for step in steps])
        assert sorted(seen.tolist()) == list(range(1003))
        orders.append(seen.tolist())
    assert orders[0] != orders[1] != orders[2]


def test_a_step_is_a_pure_function():
    shares = [share("a", 200, epochs=2), share("b", 90, epochs=3)]
    one, other = (Schedule(shares, Sampling(), seed=5) for _ in range(2))
    forwards = drawn(one)
    backwards = [batch for step in reversed(range(other.steps)) for batch in other.batches(step)][::-1]
    assert all(a[0] == b[0] and a[1].tolist() == b[1].tolist() for a, b in zip(forwards, backwards, strict=True))
    different = Schedule(shares, Sampling(), seed=6)
    assert [task for task, _ in forwards] != different.tasks.flatten().tolist()


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
    for task, instances in drawn(schedule):
        seen["ab"[task]] += len(instances)
    assert {name: entry.examples for name, entry in counts.items()} == seen


def test_batches_are_of_similar_length():
    schedule = Schedule([share("a", 4000, batch_size=16)], Sampling(), seed=0)
    lengths = np.arange(4000) % 17 + 3
    padded = sum(len(instances) * lengths[instances].max() for _, instances in drawn(schedule))
    assert lengths.sum() / padded > 0.95


def test_no_examples():
    with pytest.raises(UserError, match="a: no training examples"):
        Schedule([share("a", 0, instances=0)], Sampling(), seed=0)


@given(
    rows=st.lists(st.integers(1, 60), min_size=1, max_size=4),
    batches=st.integers(1, 4),
    kind=st.sampled_from(["equal", "proportional"]),
    seed=st.integers(0, 9),
)
def test_batches_of_several_tasks_add_up(rows, batches, kind, seed):
    """Steps are as many as with one batch a step; counts by task add up, and no batch is larger than its share."""
    shares = [share(f"t{number}", count, epochs=2, batch_size=12) for number, count in enumerate(rows)]
    sampling = Sampling(kind, tasks_per_step=batches)
    schedule = Schedule(shares, sampling, seed)
    assert schedule.steps == Schedule(shares, Sampling(kind), seed).steps
    counts = schedule.counts().values()
    seen = drawn(schedule)
    assert sum(task.steps for task in counts) == len(seen) == schedule.steps * batches
    assert sum(task.examples for task in counts) == sum(len(instances) for _, instances in seen)
    assert all(1 <= len(instances) <= 12 // batches for _, instances in seen)
    assert {task for task, _ in seen} <= set(range(len(rows)))


def test_a_step_of_several_batches_has_as_many_examples():
    """Tasks are drawn one by one with their probabilities, and each goes through its own rows."""
    shares = [share("a", 4_000, batch_size=8), share("b", 12_000, batch_size=16)]
    schedule = Schedule(shares, Sampling(tasks_per_step=4), seed=0)
    assert schedule.tasks.shape == (schedule.steps, 4) and schedule.steps == 500 + 750
    assert abs((schedule.tasks == 0).mean() - 0.25) < 4 * (0.25 * 0.75 / (4 * schedule.steps)) ** 0.5
    # tasks of a step do not depend on each other
    both = (schedule.tasks[:, 0] == 0) & (schedule.tasks[:, 1] == 0)
    assert abs(both.mean() - 0.25**2) < 4 * (0.25**2 / schedule.steps) ** 0.5
    of_a = [instances for task, instances in drawn(schedule) if task == 0]
    assert {len(instances) for instances in of_a} == {2}
    first = np.concatenate(of_a[:1000])
    assert len(np.unique(first)) == len(first)
