"""The miniature world, from its text to its report, on a still smaller model than those of the default study."""

import json
import math

import pandas as pd
import pytest
from xstilts.store import manifest
from xstilts.store.manifest import path_of

from tests.builders.projects import ROOT, Project

LANGUAGES = ["en", "qab", "qag", "qad", "qae"]


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    project = Project(tmp_path_factory.mktemp("world"), ROOT / "tests/studies/world.yaml")
    project.snakemake()
    return project


def latest(project):
    return project.results / "studies/study/latest"


def test_every_target_has_scores_in_every_language(world):
    scores = pd.read_parquet(latest(world) / "scores.parquet")
    counts = scores[scores["headline"]].groupby(["mixture", "target"])["language"].nunique().unstack()
    # XCOPA and Tatoeba have no test set in the source language
    for mixture in ("none", "mixed"):
        assert counts.loc[mixture].to_dict() == {"tatoeba": 4, "udpos": 5, "xcopa": 4, "xnli": 5, "xquad": 5}
    assert scores["score"].between(0, 100).all()


def test_tokenizer_and_model_are_made_from_the_text(world):
    (tokenizer,) = (world.results / "tokenizers").glob("*/tokenizer.json")
    content = json.loads(tokenizer.read_text())
    assert content["model"]["type"] == "Unigram" and len(content["model"]["vocab"]) <= 500
    (pretrained,) = (world.results / "pretrained").glob("*/manifest.json")
    run = manifest.read(pretrained).results.run
    # the last batch of an epoch is a smaller one
    assert run.steps_done == 100 and 3100 < run.tasks["text"].examples <= 3200
    # it has learnt something: telling tokens by guessing gives the logarithm of their number
    assert run.dev["text"].scores["loss"] < 0.9 * math.log(len(content["model"]["vocab"]))
    mixed = next(cell.node for cell in world.plan().cells if (cell.mixture, cell.target) == ("mixed", "xnli"))
    training = manifest.read(path_of(world.results, mixed)).results.training
    (intermediate,) = (run for name, run in training.items() if name.startswith("intermediate"))
    assert set(intermediate.tasks) == {"mnli", "squad_v1", "text"}
    # the limit holds for each language of the text
    assert intermediate.tasks["text"].rows == 2 * 128


def test_report_says_first_that_the_world_is_synthetic(world):
    html = (latest(world) / "report.html").read_text()
    body = html[html.index("<body>") + len("<body>") :].strip()
    assert body.startswith('<header class="notice"><strong>The world of this study is synthetic')
    for heading in ("Contrasts", "Distance of a language", "Scores by language"):
        assert f"<h3>{heading}</h3>" in html
    # of five targets and their mean, of which one run says nothing
    assert "Expected differences: 6, of which 6 without a verdict" in html
    assert "emerged" not in html[html.index("<h3>Contrasts") : html.index("</main>")]


def test_contrasts_are_those_of_the_scores(world):
    contrasts = pd.read_csv(latest(world) / "tables/contrasts.csv").fillna({"target": "mean"}).set_index("target")
    gains = pd.read_csv(latest(world) / "tables/main.csv").query("mixture == 'mixed'").set_index("target")["gain"]
    assert sorted(contrasts.index) == sorted(gains.index)
    for target, row in contrasts.iterrows():
        assert row["estimate"] == pytest.approx(gains[target], abs=1e-9)
        assert row["low"] <= row["estimate"] <= row["high"]


def test_distance_has_a_rank_for_every_language(world):
    frame = pd.read_csv(latest(world) / "tables/distance.csv")
    assert set(frame["languages"]) == {4}
    assert frame["correlation"].between(-1, 1).all() and frame["p"].between(0, 1).all()


@pytest.mark.long
def test_same_world_same_scores_and_another_world_others(world, tmp_path):
    first = pd.read_parquet(latest(world) / "scores.parquet")
    again = Project(tmp_path / "again", ROOT / "tests/studies/world.yaml")
    again.snakemake()
    pd.testing.assert_frame_equal(first, pd.read_parquet(latest(again) / "scores.parquet"))
    other = Project(tmp_path / "other", ROOT / "tests/studies/world.yaml")
    other.change(lambda study: study.update(world=0))
    other.snakemake()
    second = pd.read_parquet(latest(other) / "scores.parquet")
    # the same structure: the same cells, of as many examples
    axes = ["model", "mixture", "target", "language", "metric", "n"]
    pd.testing.assert_frame_equal(first[axes], second[axes])
    assert (first["score"] != second["score"]).mean() > 0.5
