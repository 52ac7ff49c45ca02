"""Scores by layer, by hand."""

import math

import pandas as pd
import pytest
from xstilts.evaluation import layers, scores
from xstilts.evaluation.analyses import layer_sweep

from tests.builders.compared import TATOEBA, XNLI, only, study

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


def table(made, layer=2.0, swept=True):
    """Return the table of a study, whose scores are of a layer."""
    plan = made.plan(swept=swept)
    rows = scores.collect(plan, made.results).assign(layer=layer)
    frame = layer_sweep.collect(plan, made.results, pd.DataFrame(), rows)
    assert layer_sweep.TABLE.problem(frame) is None, layer_sweep.TABLE.problem(frame)
    return frame


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return swept(tmp_path_factory.mktemp("swept"), {"none": [20.0, 20.0], "mnli": [30.0, 34.0]})


def test_means_of_runs_by_layer(made):
    frame = table(made)
    mnli = frame[frame["mixture"] == "mnli"]
    # without English
    assert mnli[["layer", "score", "low", "high", "runs"]].values.tolist() == [
        [0, 32, 30, 34, 2], [1, 33, 31, 35, 2], [2, 34, 32, 36, 2],
    ]  # fmt: skip
    assert set(frame["target"]) == {"tatoeba"} and only(frame, mixture="none", layer=1)["score"] == 21
    # one of 100 sentences
    assert frame["chance"].unique() == pytest.approx([1])


def test_the_layer_of_the_table_of_scores(made):
    frame = table(made)
    assert frame.loc[frame["scored"], ["mixture", "layer"]].values.tolist() == [["none", 2], ["mnli", 2]]
    assert not table(made, math.nan)["scored"].any()


def test_without_a_sweep_or_its_files_there_is_nothing(made, tmp_path):
    assert table(made, swept=False).empty
    assert table(study(tmp_path, SCORES, {"tatoeba": TATOEBA})).empty
