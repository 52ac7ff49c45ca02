"""Each arm of the default study against itself with other seeds, on the committed runs (benchmarks/false_alarms.py)."""

import pandas as pd
import pytest

from benchmarks import false_alarms


@pytest.fixture
def counted(false_alarm_shares):
    return false_alarm_shares[0]


def test_all_splits_of_eight_runs_each_once():
    found = list(false_alarms.splits(list(range(1, 9))))
    assert len({frozenset(map(tuple, sides)) for sides in found}) == len(found) == 280
    assert all(not set(first) & set(second) for first, second in found)


def test_runs_are_those_of_eight_seeds_and_their_draws():
    runs = pd.read_parquet(false_alarms.RUNS)
    assert (runs.groupby(["mixture", "target"])["seed"].nunique() == 8).all()
    assert set(runs["draws"].map(len)) == {1000}


def test_of_nothing_hardly_anything_is_found(counted):
    mean, _, high = false_alarms.over_arms(counted["nothing"])
    assert len(counted) == 12 and mean <= 7 and high <= 12


def test_one_pool_for_arms_of_one_and_of_several_tasks_would_raise_many_for_the_latter(false_alarm_shares):
    _, before = false_alarm_shares
    assert before.set_index("mixture").loc["nine", "nothing"].min() > 0.1


def test_no_arm_raises_many_more_alarms_than_the_others(counted):
    assert counted["nothing"].max() < 0.15


def test_more_is_found_of_a_difference_than_of_nothing(counted):
    assert (counted["planted"] > counted["nothing"]).mean() > 0.8
