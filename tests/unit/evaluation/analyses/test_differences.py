"""Which row of the table of estimates a difference of an analysis is."""

import numpy as np
from xstilts.evaluation.analyses.differences import Differences
from xstilts.evaluation.comparisons import Arm
from xstilts.evaluation.outcomes import Outcome, Term

from tests.builders.estimates import CONTRAST, INTERACTION, estimates

ARM = Arm("m", "r", "nine")
XNLI = Outcome("zero-shot", "xnli", (Term("xnli", "de", "accuracy", 1.0),))
LOSS = Outcome("zero-shot", "lm_loss", (Term("lm_loss", "de", "loss", 1.0),))
MEAN = Outcome("zero-shot", "", (Term("xnli", "de", "accuracy", 0.5), Term("pawsx", "de", "accuracy", 0.5)))
GAIN = {**CONTRAST, "name": "gain over none", "model": "m", "b": "none", "target": "xnli", "targets": 1}


def row(*rows, outcome=XNLI, arm=ARM, other="none"):
    found = Differences(estimates(*rows)).minus(arm, other, outcome)
    return None if np.isnan(found["row"]) else found["row"]


def test_a_difference_is_found_by_what_it_compares():
    assert row(GAIN) == 1
    for name, value in {"model": "l", "recipe": "x", "a": "mnli", "b": "mnli", "target": "pawsx"}.items():
        assert row({**GAIN, name: value}) is None
    assert row({**GAIN, "outcome": "benchmark"}) is None
    assert row(GAIN, arm=ARM._replace(mixture="mnli")) is None


def test_what_the_study_asks_for_is_taken_as_it_is_judged_there():
    found = Differences(estimates({**GAIN, "name": "asked"}, {**GAIN, "name": "claim 2", "verdict": "undecided"}))
    assert found.minus(ARM, "none", XNLI) == {
        "row": 1, "scale": "points", "estimate": 1.2, "low": 0.2, "high": 2.2, "interval": "runs and examples",
        "runs_a": 3, "runs_b": 3, "collapsed": 0, "n": 3000, "clusters": 900, "verdict": "higher",
    }  # fmt: skip


def test_the_mean_over_targets_is_over_all_of_them():
    two = {**GAIN, "target": "", "targets": 2}
    assert row({**two, "targets": 3}, two, outcome=MEAN) == 2
    # over one target it is the outcome of that target, unless that one is a loss
    alone = {**two, "targets": 1}
    assert row(alone) == 1 and row(alone, outcome=LOSS) is None and row(alone, outcome=MEAN) is None


def test_other_rows_are_left_alone():
    assert row({**GAIN, "runs_used": "without collapsed"}) is None
    assert row({**GAIN, "world": 4}) is None
    assert row({**GAIN, **INTERACTION}) is None


def test_without_an_estimate_all_is_missing_but_the_scale():
    found = Differences(estimates()).minus(ARM, "none", LOSS)
    assert (found["scale"], found["interval"], found["verdict"]) == ("nats", "", "")
    assert all(np.isnan(found[name]) for name in ("row", "estimate", "low", "high", "n", "runs_a", "collapsed"))
