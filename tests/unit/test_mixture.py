"""Sampling: what a step sees is a pure function of seed and step, and follows the formulas."""

import numpy as np
import pytest
from xstilts.data.sampler import Schedule
from xstilts.errors import UserError
from xstilts.store.sampling import Sampling, TaskShare, probabilities, total_steps


def share(name, rows, rate=1.0, epochs=1, batch_size=4, instances=None):
    instances = rows if instances is None else instances
    return TaskShare(name, np.arange(instances), np.arange(instances) % 17 + 3, rows, rate, epochs, batch_size)


def test_probabilities():
    shares = [share("a", 100), share("b", 300)]
    assert probabilities(shares, Sampling()).tolist() == [0.25, 0.75]
    assert probabilities(shares, Sampling(cap=100)).tolist() == [0.5, 0.5]
    assert probabilities(shares, Sampling("equal")).tolist() == [0.5, 0.5]
    rated = [share("a", 100, rate=3), share("b", 300)]
    assert probabilities(rated, Sampling()).tolist() == [0.5, 0.5]
    assert probabilities(rated, Sampling("equal")).tolist() == [0.75, 0.25]


def test_steps():
    assert total_steps([share("a", 10, epochs=2)], Sampling()) == 6
    assert total_steps([share("a", 10, epochs=2), share("b", 100)], Sampling(cap=8)) == 4 + 2

    assert total_steps([share("a", 10, epochs=2), share("b", 100)], Sampling(cap=8, steps=17)) == 17


def test_cap_comes_before_temperature():
    shares = [share("a", 100), share("b", 400), share("c", 10_000, rate=2)]
    # 100, 400 and the cap of 900, to the power of a half: 10, 20 and 2 x 30
    assert probabilities(shares, Sampling(cap=900, temperature=2)) == pytest.approx([1 / 9, 2 / 9, 6 / 9])
    assert probabilities(shares, Sampling("equal", temperature=2)) == pytest.approx([0.25, 0.25, 0.5])


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
    assert sum(entry["steps"] for entry in counts.values()) == schedule.steps
    seen = {name: 0 for name in counts}
    for step in range(schedule.steps):
        task, instances = schedule.batch(step)
        seen["ab"[task]] += len(instances)
    assert {name: entry["examples"] for name, entry in counts.items()} == seen


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
