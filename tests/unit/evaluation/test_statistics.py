"""Bootstrap intervals against formulas and simulations; contrasts and rank correlations by hand."""

import math

import numpy as np
import pandas as pd
import pytest
from xstilts.errors import UserError
from xstilts.evaluation import statistics
from xstilts.forms import FORMS
from xstilts.store.answer import Contrast
from xstilts.store.specs import to_json
from xstilts.store.specs.data import EvaluationDataSpec, Reading
from xstilts.store.study_plan import Cell, PlannedNode

from tests.builders.study_plans import planned, study_plan

CLASSIFICATION = FORMS["classification"]


def side(correct, language="de", clusters=None, ids=None):
    """Return predictions with these right (1) and wrong (0) answers."""
    rows = range(len(correct))
    return pd.DataFrame(
        {
            "example_id": [str(one) for one in ids or rows], "cluster_id": [str(one) for one in clusters or rows],
            "language": language, "split": "test", "prediction": "", "gold": "",
            "stat_correct": np.asarray(correct, dtype=float),
        }
    )  # fmt: skip


def compare(*pairs, joint=False, source="en", form=CLASSIFICATION, metric="accuracy"):
    return statistics.difference(pairs, form.metrics[metric], source, joint)


def width(found):
    return found["high"] - found["low"]


def two_sides(rows, seed=0):
    """Return answers of two sides that are alike but for some rows."""
    rng = np.random.default_rng(seed)
    one = (rng.random(rows) < 0.6).astype(float)
    return one, np.where(rng.random(rows) < 0.2, rng.random(rows) < 0.4, one).astype(float)


def test_difference_and_interval_of_paired_answers():
    """Variance of the mean of paired differences: that of the differences, over the number of rows."""
    one, other = two_sides(2000)
    found = compare((side(one), side(other)))
    assert found["difference"] == pytest.approx(100 * (one - other).mean())
    expected = 2 * 1.96 * 100 * (one - other).std() / math.sqrt(2000)
    assert width(found) == pytest.approx(expected, rel=0.1)
    assert found["low"] < found["difference"] < found["high"]
    assert found["verdict"] == ("higher" if found["low"] > 0 else "no difference shown")
    turned = compare((side(other), side(one)))
    assert (turned["low"], turned["high"]) == pytest.approx((-found["high"], -found["low"]))


def test_same_answers_have_no_difference_and_no_interval():
    one, _ = two_sides(100)
    found = compare((side(one), side(one)))
    assert (found["difference"], found["low"], found["high"], found["verdict"]) == (0, 0, 0, "no difference shown")


def test_verdicts():
    right, wrong = side([1] * 50), side([1] * 20 + [0] * 30)
    assert compare((right, wrong))["verdict"] == "higher"
    assert compare((wrong, right))["verdict"] == "lower"


def test_clusters_are_drawn_whole():
    """Five copies of every row in a cluster say no more than the rows alone."""
    one, other = two_sides(400)
    alone = compare((side(one), side(other)))
    clusters = [row // 5 for row in range(2000)]
    copies = compare(tuple(side(np.repeat(answers, 5), clusters=clusters) for answers in (one, other)))
    loose = compare(tuple(side(np.repeat(answers, 5)) for answers in (one, other)))
    assert copies["difference"] == pytest.approx(alone["difference"])
    assert width(copies) == pytest.approx(width(alone), rel=0.1)
    assert width(loose) == pytest.approx(width(alone) / math.sqrt(5), rel=0.15)


def in_languages(answers):
    return pd.concat([side(answers, language) for language in ("en", "de", "fr", "ru", "tr")], ignore_index=True)


def test_translated_examples_are_drawn_in_all_languages_at_once():
    one, other = two_sides(500)
    alone = compare((side(one), side(other)))
    pair = (in_languages(one), in_languages(other))
    joint, apart = compare(pair, joint=True), compare(pair)
    assert joint["languages"] == 4 and joint["n"] == 2000
    assert width(joint) == pytest.approx(width(alone), rel=0.1)
    assert width(apart) == pytest.approx(width(alone) / 2, rel=0.15)


def test_source_language_counts_only_where_there_is_no_other():
    one, other = [1] * 30, [0] * 30
    pair = tuple(pd.concat([side(a, "en"), side([1] * 30, "de")], ignore_index=True) for a in (one, other))
    assert compare(pair)["difference"] == 0
    assert compare((side(one, "en"), side(other, "en")))["difference"] == 100


def test_seeds_are_averaged():
    pairs = [(side([1] * 10), side([0] * 10)), (side([0] * 10), side([0] * 10))]
    assert compare(*pairs)["difference"] == 50


def test_intervals_cover():
    """Of 200 data sets with a true difference of 5 points, about 95 % of the intervals have it inside."""
    rng, inside = np.random.default_rng(1), 0
    for _ in range(200):
        one, other = rng.random(120) < 0.65, rng.random(120) < 0.6
        found = compare((side(one), side(other)))
        inside += found["low"] <= 5 <= found["high"]
    # five standard deviations of a binomial of 200 x 0.95 are 15
    assert 175 <= inside <= 199


def test_metric_is_that_of_all_counts_of_a_draw():
    """F1 is no mean over rows: it is computed anew from the counts of each draw."""
    tagging = FORMS["tagging"]
    counts = {"true_positives": [8.0, 0.0], "false_positives": [0.0, 2.0], "false_negatives": [0.0, 2.0]}
    frame = side([0, 0]).drop(columns="stat_correct")
    one = frame.assign(**{f"stat_{name}": value for name, value in counts.items()}, stat_correct=1.0, stat_words=1.0)
    other = one.assign(stat_true_positives=0.0)
    found = compare((one, other), form=tagging, metric="f1")
    assert found["difference"] == pytest.approx(100 * 16 / 20)
    # draws have the first row twice, the second twice, or both
    assert found["high"] == pytest.approx(100) and found["low"] == pytest.approx(0)


def test_other_examples_are_refused():
    with pytest.raises(UserError, match="not of the same examples"):
        compare((side([1, 0]), side([1, 0], ids=[0, 2])))


@pytest.fixture
def plan(tmp_path):
    """Two models, two mixtures and two seeds on one target; the second model lacks a mixture with seed 2."""
    answers = {("a", "none"): [1] * 20 + [0] * 20, ("a", "nine"): [1] * 30 + [0] * 10, ("b", "none"): [0] * 40,
               ("b", "nine"): [0] * 40}  # fmt: skip
    reading = Reading(
        reader="jsonl", header=None, columns={}, values={}, labels=None, drop_labels=(), unanswerable="refuse"
    )
    evaluation = EvaluationDataSpec(
        version=1, parents={}, task="xnli", form="classification", labels=None, task_version=1, reading=reading,
        languages={}, test_rows=None, cluster_rows=1, parallel=True,
    )  # fmt: skip
    nodes = {
        "prepared/x": PlannedNode("", ("x",), to_json(evaluation)),
        "tokens/x": planned(parents={"prepared": "prepared/x"}),
    }
    cells = []
    for (model, mixture), correct in answers.items():
        for seed in (1, 2):
            if (model, mixture, seed) != ("b", "nine", 2):
                name = f"predictions/{model}-{mixture}-{seed}"
                (tmp_path / name).mkdir(parents=True)
                side(correct).to_parquet(tmp_path / name / "predictions.parquet")
                cells.append(Cell(model, "r", "full", mixture, seed, "xnli", name))
                nodes[name] = planned(parents={"tokens": "tokens/x"})
    contrasts = {
        "gain": Contrast("mixture", ("nine", "none"), expected="higher"),
        "size": Contrast("model", ("b", "a"), ("xnli",), expected="higher"),
        "elsewhere": Contrast("model", ("b", "a"), ("udpos",)),
    }
    return study_plan(nodes, cells=tuple(cells), contrasts=contrasts)


def test_contrasts(plan, tmp_path):
    found = statistics.contrasts(plan, tmp_path).fillna("").set_index(["contrast", "model", "mixture"])
    assert list(found.index) == [("gain", "a", ""), ("gain", "b", ""), ("size", "", "none"), ("size", "", "nine")]
    assert found["difference"].tolist() == [25, 0, -50, -75]
    assert found["seeds"].tolist() == [2, 1, 2, 1]
    assert found["verdict"].tolist() == ["higher", "no difference shown", "lower", "lower"]
    assert found["outcome"].tolist() == ["emerged", "did not emerge", "the opposite", "the opposite"]


def scores_of(values):
    """Return scores without an intermediate phase, and with one that changes the order."""
    axes = {"model": "m", "recipe": "r", "method": "full", "seed": 1, "target": "xnli", "metric": "accuracy"}
    rows = []
    for language, score in values.items():
        for mixture, more in {"none": 0, "nine": 50 if language == "qab" else 0}.items():
            rows.append({**axes, "mixture": mixture, "language": language, "headline": True, "score": score + more})
    return pd.DataFrame(rows)


def test_scores_that_fall_with_the_distance():
    distance = {"en": 0, "qab": 1, "qag": 2, "qad": 3, "qae": 4, "qaz": 5}
    values = {"en": 10, "qab": 60, "qag": 50, "qad": 40, "qae": 30, "qaz": 20}
    (row,) = statistics.distances(scores_of(values), distance).to_dict("records")
    assert row["correlation"] == pytest.approx(-1) and row["languages"] == 5
    # one of the 120 orders of five languages falls as steeply
    assert row["p"] == pytest.approx(1 / 120)
    (row,) = statistics.distances(scores_of({**values, "qab": 20, "qaz": 60}), distance).to_dict("records")
    # ranks of the scores 1 4 3 2 5 against 1 2 3 4 5: 1 - 6 * 8 / (5 * 24)
    assert row["correlation"] == pytest.approx(1 - 6 * 8 / 120)
    assert statistics.distances(scores_of({"en": 1, "qab": 2, "qag": 3, "qad": 4}), distance).empty


def test_bound_of_zero_is_no_difference():
    """Rounding errors of means over languages do not make one: 0.1 + 0.2 + 0.7 is more than 0.7 + 0.1 + 0.2."""
    one, other = (
        pd.concat([side([score] * 5, language) for language, score in zip(("de", "fr", "sw"), scores, strict=True)])
        for scores in ((0.1, 0.2, 0.7), (0.7, 0.1, 0.2))
    )
    assert one["stat_correct"].tolist() != other["stat_correct"].tolist()
    assert compare((one, other))["verdict"] == compare((other, one))["verdict"] == "no difference shown"
