"""Scores by layer, by hand."""

import math

import pandas as pd
import pytest
from xstilts.evaluation import layers, scores
from xstilts.evaluation.analyses import layer_sweep

from tests.builders.compared import TATOEBA, XNLI, analysed, only, study

SCORES = {("s", "none"): [50, 52], ("s", "mnli"): [60, 62]}


def swept(folder, of_seeds):
    """Return a study of XNLI and Tatoeba, in which the score of a layer is that of the arm's seed plus the layer."""
    made = study(folder, SCORES, {"xnli": XNLI, "tatoeba": TATOEBA})
    for cell in made.cells:
        if cell.target == "tatoeba":
            value = of_seeds[cell.mixture][cell.seed - 1]
            rows = [
                {"layer": layer, "language": language, "accuracy": value + layer + (language == "en") * 30}
                for layer in range(3)
                for language in ("en", "de")
            ]
            layers.write(pd.DataFrame(rows), made.results / cell.node / layers.FILE)
    return made


def test_means_of_runs_by_layer(tmp_path):
    made = swept(tmp_path, {"none": [20.0, 20.0], "mnli": [30.0, 34.0]})
    frame, _ = analysed(made, layer_sweep, swept=True)
    mnli = frame[frame["mixture"] == "mnli"]
    assert mnli[["layer", "score", "low", "high", "runs"]].values.tolist() == [
        [0, 32, 30, 34, 2], [1, 33, 31, 35, 2], [2, 34, 32, 36, 2],
    ]  # fmt: skip
    assert set(frame["target"]) == {"tatoeba"} and only(frame, mixture="none", layer=1)["score"] == 21
    # one of 100 sentences
    assert frame["chance"].unique() == pytest.approx([1])


def test_the_layer_of_the_table_of_scores(tmp_path):
    made = swept(tmp_path, {"none": [20.0, 20.0], "mnli": [30.0, 34.0]})
    plan = made.plan(swept=True)
    rows = scores.collect(plan, made.results)
    by_two = layer_sweep.collect(plan, made.results, pd.DataFrame(), rows.assign(layer=2.0))
    assert by_two.loc[by_two["scored"], "layer"].tolist() == [2, 2]
    assert not layer_sweep.collect(plan, made.results, pd.DataFrame(), rows.assign(layer=math.nan))["scored"].any()


def test_without_a_sweep_or_its_files_there_is_nothing(tmp_path):
    made = swept(tmp_path / "1", {"none": [20.0, 20.0], "mnli": [30.0, 34.0]})
    assert analysed(made, layer_sweep)[0].empty
    assert analysed(study(tmp_path / "2", SCORES, {"tatoeba": TATOEBA}), layer_sweep, swept=True)[0].empty
