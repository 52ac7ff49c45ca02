"""Shares of tasks and numbers of steps, by their formulas."""

import numpy as np
import pytest
from xstilts.store.sampling import Sampling, TaskShare, examples_of_a_batch, probabilities, total_steps


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


def test_several_tasks_in_a_step_divide_its_examples():
    shares = [share("a", 10, epochs=2), share("b", 100)]
    assert total_steps(shares, Sampling(tasks_per_step=4)) == total_steps(shares, Sampling())
    assert examples_of_a_batch(32, Sampling()) == 32
    assert examples_of_a_batch(32, Sampling(tasks_per_step=4)) == 8


def test_cap_comes_before_temperature():
    shares = [share("a", 100), share("b", 400), share("c", 10_000, rate=2)]
    # 100, 400 and the cap of 900, to the power of a half: 10, 20 and 2 x 30
    assert probabilities(shares, Sampling(cap=900, temperature=2)) == pytest.approx([1 / 9, 2 / 9, 6 / 9])
    assert probabilities(shares, Sampling("equal", temperature=2)) == pytest.approx([0.25, 0.25, 0.5])
