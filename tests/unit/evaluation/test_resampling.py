"""Scores of draws of examples against formulas; which draws are the same."""

import math
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from xstilts.errors import UserError
from xstilts.evaluation import resampling
from xstilts.forms import FORMS
from xstilts.store.study_plan import PlannedTarget

from tests.builders.predicted import Predicted

XNLI = PlannedTarget("xnli", "classification", "accuracy", "en", "tiny")


def study(folder, answers, targets=None, **settings):
    """Return a study whose models have these answers, by model, target and language."""
    made = Predicted(folder, targets or {"xnli": XNLI}, {"none": ()}, **settings)
    for model, of_targets in answers.items():
        for target, languages in of_targets.items():
            columns = {code: {"correct": values} for code, values in languages.items()}
            made.add((model, "none"), 1, target, columns)
    return made.plan()


def draws(plan, folder, target="xnli", asked=None, form="classification"):
    """Return the scores of every model, by model, language and metric."""
    examples = resampling.examples_of(plan, folder, target)
    nodes = {cell.model: cell.node for cell in plan.cells if cell.target == target}
    asked = asked or {language: ["accuracy"] for language in examples}
    found = dict(resampling.scores(folder, nodes.values(), FORMS[form], examples, asked))
    return {(model, *key): values for model, node in nodes.items() for key, values in found[node].items()}


def answers(rows, share, seed=0):
    return (np.random.default_rng(seed).random(rows) < share).astype(float)


def test_first_is_the_score_and_draws_vary_as_formulas_say(tmp_path):
    plan = study(tmp_path, {"m": {"xnli": {"de": answers(2000, 0.6)}}})
    score, *drawn = draws(plan, tmp_path)["m", "de", "accuracy"]
    assert score == pytest.approx(100 * answers(2000, 0.6).mean())
    assert len(drawn) == resampling.DRAWS
    # the standard error of a share; that of a standard deviation from 1,000 draws is 2.2 %
    assert np.std(drawn) == pytest.approx(100 * math.sqrt(0.6 * 0.4 / 2000), rel=0.08)
    assert np.mean(drawn) == pytest.approx(score, abs=0.15)


def test_models_are_drawn_together(tmp_path):
    """Models that are right and wrong on the same examples differ by the same in every draw."""
    one = answers(500, 0.6)
    plan = study(tmp_path, {"a": {"xnli": {"de": one}}, "b": {"xnli": {"de": one}}, "c": {"xnli": {"de": 1 - one}}})
    found = draws(plan, tmp_path)
    assert (found["a", "de", "accuracy"] == found["b", "de", "accuracy"]).all()
    assert found["a", "de", "accuracy"] + found["c", "de", "accuracy"] == pytest.approx(np.full(1001, 100.0))


def test_draws_depend_on_the_data_alone(tmp_path):
    """Neither other languages, models and targets nor their order move a draw."""
    one, other = answers(300, 0.6), answers(300, 0.5, 1)
    few = study(tmp_path / "few", {"a": {"xnli": {"de": one}}})
    targets = {"pawsx": PlannedTarget("pawsx", "classification", "accuracy", "en", "tiny"), "xnli": XNLI}
    many = study(
        tmp_path / "many", {"b": {"pawsx": {"de": other}, "xnli": {"fr": one, "de": other}},
                            "a": {"pawsx": {"de": one}, "xnli": {"fr": one, "de": one}}}, targets
    )  # fmt: skip
    found, of_many = draws(few, tmp_path / "few"), draws(many, tmp_path / "many")
    assert (found["a", "de", "accuracy"] == of_many["a", "de", "accuracy"]).all()
    # another language, and another task with the same ids, have draws of their own
    for values in (of_many["a", "fr", "accuracy"], draws(many, tmp_path / "many", "pawsx")["a", "de", "accuracy"]):
        assert abs(np.corrcoef(values[1:], found["a", "de", "accuracy"][1:])[0, 1]) < 0.15


def test_translations_are_drawn_in_all_languages_at_once(tmp_path):
    one = answers(300, 0.6)
    languages = {"de": one, "fr": one}
    joint = draws(study(tmp_path / "j", {"a": {"xnli": languages}}, parallel=["xnli"]), tmp_path / "j")
    assert (joint["a", "de", "accuracy"] == joint["a", "fr", "accuracy"]).all()
    apart = draws(study(tmp_path / "a", {"a": {"xnli": languages}}), tmp_path / "a")
    assert abs(np.corrcoef(apart["a", "de", "accuracy"][1:], apart["a", "fr", "accuracy"][1:])[0, 1]) < 0.15


def test_clusters_are_drawn_whole(tmp_path):
    """Five copies of every row in a cluster say no more than the rows alone."""
    one = answers(400, 0.6)
    alone = study(tmp_path / "alone", {"a": {"xnli": {"de": one}}})
    copies = study(tmp_path / "copies", {"a": {"xnli": {"de": np.repeat(one, 5)}}}, clusters=5)
    scores, of_copies = draws(alone, tmp_path / "alone"), draws(copies, tmp_path / "copies")
    # the same clusters, and so the same draws
    assert of_copies["a", "de", "accuracy"] == pytest.approx(scores["a", "de", "accuracy"])


def test_metric_is_that_of_all_counts_of_a_draw(tmp_path):
    """F1 is no mean over rows: it is computed anew from the counts of each draw; so are several metrics at once."""
    target = PlannedTarget("udpos", "tagging", "f1", "en", "tiny")
    made = Predicted(tmp_path, {"udpos": target}, {"none": ()})
    columns = {"true_positives": [8, 0], "false_positives": [0, 2], "false_negatives": [0, 2], "correct": [8, 0],
               "words": [8, 4]}  # fmt: skip
    made.add(("m", "none"), 1, "udpos", {"de": columns})
    found = draws(made.plan(), tmp_path, "udpos", {"de": ["f1", "accuracy"]}, "tagging")
    f1, accuracy = found["m", "de", "f1"], found["m", "de", "accuracy"]
    assert f1[0] == pytest.approx(100 * 16 / 20) and accuracy[0] == pytest.approx(100 * 8 / 12)
    # draws have the first row twice, the second twice, or both
    assert set(f1.round(6)) == {0, 80, 100}
    assert {(a > 0, b > 0) for a, b in zip(f1, accuracy, strict=True)} == {(True, True), (False, False)}


def test_metric_of_examples(tmp_path):
    """Macro-averaged F1 of a draw is that of its examples, whatever the block in which it is computed."""
    made = Predicted(tmp_path, {"xnli": XNLI}, {"none": ()})
    made.add(("m", "none"), 1, "xnli", {"de": {"correct": answers(30, 0.6)}})
    plan = made.plan()
    path = tmp_path / plan.cells[0].node / "predictions.parquet"
    rng = np.random.default_rng(0)
    gold, predicted = rng.choice(["a", "b", "c"], (2, 30))
    pd.read_parquet(path).assign(gold=gold, prediction=predicted).to_parquet(path)
    found = draws(plan, tmp_path, asked={"de": ["macro_f1"]})["m", "de", "macro_f1"]
    examples = resampling.examples_of(plan, tmp_path, "xnli")["de"]
    counts = resampling.draws(examples)
    metric = FORMS["classification"].metrics["macro_f1"]
    once = np.ones((1, 30))
    expected = metric.of_examples({"gold": gold, "prediction": predicted}, np.vstack([once, counts]))
    assert found == pytest.approx(expected)


@pytest.mark.parametrize(
    ("form", "name"),
    [(form, name) for form, entry in FORMS.items() for name, metric in entry.metrics.items() if metric.of_sums],
)
def test_all_draws_at_once_and_one_by_one(form, name):
    """Every metric of sums takes arrays, and has the scores that it has of numbers; none of a draw without examples."""
    metric, rng = FORMS[form].metrics[name], np.random.default_rng(1)
    statistics = ["correct", "words", "exact_match", "f1", "loss", "positions", "average_precision"]
    statistics += ["true_positives", "false_positives", "false_negatives"]
    sums = rng.integers(1, 9, (20, len(statistics) + 1)).astype(float)
    sums[3, :-1], sums[4] = [0.0, 5.0, 0, 0, 0, 7.0, 0, 0, 0, 0], 0.0
    rows = [(dict(zip(statistics, values, strict=True)), n) for *values, n in sums.tolist() if n]

    def one_by_one(values, n):
        if n:
            return metric.of_sums(values, n)
        raise AssertionError

    found = resampling._of_sums(metric, statistics, sums)
    assert np.isnan(found[4]) and np.delete(found, 4).tolist() == [metric.of_sums(*row) for row in rows]
    metric.of_sums(dict(zip(statistics, np.delete(sums, 4, axis=0).T[:-1], strict=True)), np.ones(19))
    numbers_only = replace(metric, of_sums=one_by_one)
    assert np.array_equal(resampling._of_sums(numbers_only, statistics, sums), found, equal_nan=True)


def test_draw_without_the_language_has_no_score(tmp_path):
    """Of translations a language may lack some clusters; a draw without any of its own is missing."""
    plan = study(tmp_path, {"m": {"xnli": {"de": [1, 0], "fr": [1]}}}, parallel=["xnli"])
    found = draws(plan, tmp_path)
    assert np.isnan(found["m", "fr", "accuracy"]).any() and np.isfinite(found["m", "de", "accuracy"]).all()


def test_other_examples_are_refused(tmp_path):
    plan = study(tmp_path, {"a": {"xnli": {"de": [1, 0]}}, "b": {"xnli": {"de": [1, 0, 1]}}})
    with pytest.raises(UserError, match="not of the same examples"):
        draws(plan, tmp_path)


def test_independent_clusters_are_counted_once(tmp_path):
    languages = {"de": answers(20, 0.5), "fr": answers(20, 0.5)}
    for parallel, expected in ((["xnli"], 10), ([], 20)):
        folder = tmp_path / str(len(parallel))
        plan = study(folder, {"m": {"xnli": languages}}, parallel=parallel, clusters=2)
        assert resampling.clusters_in(resampling.examples_of(plan, folder, "xnli").values()) == expected
