"""Estimates over worlds by hand and against scipy; how far verdicts of single worlds agree."""

import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from xstilts.evaluation import estimates, worlds
from xstilts.evaluation.estimates import COLUMNS

USUAL = {
    "name": "gain", "primary": True, "kind": "difference", "scale": "points", "budget": "", "family": "", "size": "",
    "recipe": "r", "model": "m", "mixture": "", "a": "nine", "b": "none", "outcome": "zero-shot", "target": "tydiqa",
    "targets": 1, "languages": 5, "n": 100, "clusters": 90, "runs_a": 3, "runs_b": 3, "chosen": "", "collapsed": 0,
    "runs_used": "all", "low": -9.0, "high": 9.0, "interval": "runs and examples", "standard_error": 1.0,
    "degrees": 8.0, "run_part": 0.8, "example_part": 0.6, "run_sd": 1.0, "p": 0.5, "p_holm": 0.5,
    "verdict": "undecided", "detectable": 3.0, "runs_needed": 30.0, "expected": "", "emerged": "",
}  # fmt: skip


def single(*differences, verdicts=None, **changes):
    """Return the estimates of one comparison in the worlds 4, 5, 6, ..."""
    verdicts = verdicts or ["undecided"] * len(differences)
    rows = [
        {**USUAL, "row": 1, "world": world, "estimate": estimate, "verdict": verdict, **changes}
        for world, (estimate, verdict) in enumerate(zip(differences, verdicts, strict=True), 4)
    ]
    return pd.DataFrame(rows, columns=[column.name for column in COLUMNS])


def over(*frames, smallest=1.0):
    """Return the table of estimates over worlds, and of it the rows over worlds."""
    table = worlds.over_worlds(pd.concat(frames, ignore_index=True), smallest)
    return table, table[table["world"].isna()].to_dict("records")


def test_a_mean_over_three_worlds_by_hand():
    """Of 1, 2 and 3 the mean is 2, the standard error 1 / sqrt(3), and the quantile of t with 2 degrees 4.3027."""
    table, (row,) = over(single(1.0, 2.0, 3.0))
    assert row["estimate"] == 2 and row["worlds"] == 3 and row["world_sd"] == 1 and row["degrees"] == 2
    assert (row["low"], row["high"]) == pytest.approx((2 - 2.4841, 2 + 2.4841), abs=1e-4)
    assert row["interval"] == "worlds" and row["verdict"] == "undecided"
    # the parts of a single world's standard error are not those of worlds
    assert all(math.isnan(row[name]) for name in ("run_part", "example_part", "run_sd"))
    assert estimates.TABLE.problem(table) is None


@pytest.mark.parametrize("number", [2, 6, 40])
def test_interval_and_p_are_scipys(number):
    differences = np.random.default_rng(number).normal(0.7, 1.3, number)
    _, (row,) = over(single(*differences))
    error = stats.sem(differences)
    low, high = stats.t.interval(0.95, number - 1, differences.mean(), error)
    assert (row["low"], row["high"]) == pytest.approx((low, high))
    assert row["p"] == pytest.approx(stats.ttest_1samp(differences, 0).pvalue)
    assert row["standard_error"] == pytest.approx(error)


def test_worlds_that_would_decide_are_those_of_a_power_analysis():
    _, (row,) = over(single(1.0, 2.0, 3.0))
    needed = int(row["runs_needed"])

    def power(number):
        t, ratio = stats.t.ppf(0.975, number - 1), 2 * math.sqrt(number)
        return stats.nct.sf(t, number - 1, ratio) + stats.nct.cdf(-t, number - 1, ratio)

    assert power(needed - 1) < 0.8 <= power(needed)
    assert row["detectable"] > 2


def test_verdicts_are_by_the_rules_of_single_studies():
    verdicts = {
        "higher": (2.0, 2.2, 2.1), "lower": (-2.0, -2.2, -2.1), "equivalent": (0.1, -0.1, 0.0),
        "undecided": (5.0, -1.0, 2.0),
    }  # fmt: skip
    frames = [single(*found, target=name, expected="higher") for name, found in verdicts.items()]
    _, rows = over(*frames)
    assert {row["target"]: row["verdict"] for row in rows} == {name: name for name in verdicts}
    emerged = {"higher": "emerged", "lower": "the opposite", "equivalent": "equivalent", "undecided": "undecided"}
    assert {row["target"]: row["emerged"] for row in rows} == emerged
    _, (row,) = over(single(*verdicts["equivalent"], expected="not higher"))
    assert row["emerged"] == "emerged"
    # in log-odds no difference is too small to matter
    _, (row,) = over(single(*verdicts["equivalent"], scale="log-odds"))
    assert row["verdict"] == "undecided"
    _, (row,) = over(single(*verdicts["equivalent"]), smallest=0.01)
    assert row["verdict"] == "undecided"


def test_primary_rows_over_worlds_are_corrected_for_each_other_and_others_for_none():
    first, second, third = single(1.0, 2.0, 1.5), single(1.0, 2.0, 1.6, target="xnli"), single(1.0, 2.0, 1.5, b="mnli")
    _, rows = over(first, second, third.assign(primary=False))
    assert [row["primary"] for row in rows] == [True, True, False]
    low, high = sorted(row["p"] for row in rows[:2])
    assert sorted(row["p_holm"] for row in rows[:2]) == pytest.approx([2 * low, max(2 * low, high)])
    assert math.isnan(rows[2]["p_holm"]) and rows[2]["verdict"] == "higher" and rows[0]["verdict"] == "undecided"


def test_rows_of_single_worlds_are_below_exploratory_and_as_they_were():
    first, second = single(1.0, 2.0, verdicts=["higher", "lower"]), single(1.0, 3.0, target="xnli")
    table, rows = over(first, second)
    assert table["row"].tolist() == list(range(1, 7)) and [row["row"] for row in rows] == [1, 2]
    below = table[2:]
    assert below["world"].tolist() == [4, 5, 4, 5] and not below["primary"].any()
    kept = [name for name in USUAL if name != "primary"]
    before = pd.concat([first, second], ignore_index=True)
    pd.testing.assert_frame_equal(below[kept].reset_index(drop=True), before[kept])
    assert table["primary"].dtype == bool


def test_counts_are_those_of_all_worlds():
    frame = single(1.0, 2.0, 3.0).assign(
        n=[10, 20, 30], clusters=[1, 2, 3], runs_a=[3, 2, 3], runs_b=[3, 3, 3], collapsed=[0, 1, 0],
        chosen=["mnli 2, squad_v1 1; qqp 3", "squad_v1 3; qqp 3", "mnli 3; ccg 3"],
    )  # fmt: skip
    _, (row,) = over(frame)
    assert (row["n"], row["clusters"], row["runs_a"], row["runs_b"], row["collapsed"]) == (60, 6, 2, 3, 1)
    assert row["chosen"] == "mnli 5, squad_v1 4; qqp 6, ccg 3"
    assert (row["targets"], row["languages"]) == (1, 5)


def test_without_collapsed_runs_a_world_without_any_counts_as_it_is():
    everything = single(1.0, 2.0, 3.0, 4.0).assign(collapsed=[0, 1, 0, 3])
    # of world 7 an arm has no run left
    without = single(0.0, 5.0)[1:].assign(runs_used="without collapsed", primary=False, collapsed=1)
    _, rows = over(everything, without)
    assert [(row["runs_used"], row["worlds"], row["estimate"]) for row in rows] == [
        ("all", 4, 2.5), ("without collapsed", 3, 3.0)
    ]  # fmt: skip
    assert [row["primary"] for row in rows] == [True, False]


def test_a_comparison_that_one_world_alone_has_is_not_over_worlds():
    """The log-odds of 0 % are none."""
    table, rows = over(single(1.0, 2.0), single(0.3, scale="log-odds"))
    assert [row["scale"] for row in rows] == ["points"]
    assert table["scale"].tolist() == ["points", "points", "points", "log-odds"]


def test_agreement_counts_verdicts_and_opposite_pairs_of_worlds():
    first = single(3.0, 2.0, -2.0, 0.1, 9.9, verdicts=["higher", "higher", "lower", "equivalent", "undecided"])
    second = single(3.0, 2.0, 1.0, target="xnli", verdicts=["higher", "higher", "higher"])
    third = single(3.0, 2.0, target="xquad", verdicts=["", ""])
    table, _ = over(first, second, third)
    found = worlds.agreement(table).set_index("target")
    counts = ["higher", "lower", "equivalent", "undecided", "no verdict", "pairs", "alike", "opposite"]
    assert found.loc["tydiqa", counts].tolist() == [2, 1, 1, 1, 0, 10, 1, 2]
    assert found.loc["xnli", counts].tolist() == [3, 0, 0, 0, 0, 3, 3, 0]
    assert found.loc["xquad", counts].tolist() == [0, 0, 0, 0, 2, 1, 0, 0]
    assert found["worlds"].tolist() == [5, 3, 2] and found["row"].tolist() == [1, 2, 3]
    assert found.loc["xnli", "estimate"] == 2


def test_gains_have_estimates_over_worlds_and_no_agreement():
    gain = single(3.0, 2.0, name="gain over none", target="xnli")
    table, rows = over(single(3.0, 2.0), gain)
    assert [row["estimate"] for row in rows] == [2.5, 2.5]
    assert worlds.agreement(table)["name"].tolist() == ["gain"]


def test_agreement_is_that_of_all_runs():
    everything = single(1.0, 2.0, verdicts=["higher", "higher"]).assign(collapsed=1)
    without = everything.assign(runs_used="without collapsed", verdict=["higher", "lower"])
    table, _ = over(everything, without)
    (row,) = worlds.agreement(table).to_dict("records")
    assert (row["higher"], row["lower"], row["opposite"]) == (2, 0, 0)
