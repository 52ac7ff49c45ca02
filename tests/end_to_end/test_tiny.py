"""The tiny study, with the forms that the smaller one has not: mining, dual encoder, masked language model."""

import json

import numpy as np
import pandas as pd
import pytest
from safetensors.numpy import load_file
from xstilts import forms
from xstilts.commands import main
from xstilts.store import manifest, provenance
from xstilts.store.metrics import files_of, read

from tests.builders.plans import named, node_of
from tests.builders.projects import ROOT, Project


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    project = Project(tmp_path_factory.mktemp("tiny"), ROOT / "studies/tiny.yaml", keep_models="all")
    done = project.snakemake("--verbose")
    (project.folder / "snakemake.log").write_text(done.stdout + done.stderr)
    return project


def frames(project, stage):
    """Return the predictions of a stage by the node's name."""
    return {
        name: pd.read_parquet(project.results / node.id / "predictions.parquet")
        for name, node in named(project.plan(), stage).items()
    }


def test_every_target_has_scores(tiny):
    scores = pd.read_parquet(tiny.results / "studies/study/latest/scores.parquet")
    counts = scores[scores["headline"]].groupby(["mixture", "target"])["language"].nunique().unstack()
    assert counts.loc["none"].to_dict() == counts.loc["four"].to_dict()
    assert counts.loc["none"].to_dict() == {
        "bucc": 1, "lareqa": 3, "lm_loss": 3, "tatoeba": 2, "udpos": 3, "xnli": 3, "xquad": 3,
    }  # fmt: skip
    percent = scores[scores["metric"] != "loss"]
    assert percent["score"].between(0, 100).all()
    # a random model is about as good as guessing one token of all
    vocabulary = len(json.loads(next((tiny.results / "models").glob("*/tokenizer.json")).read_text())["model"]["vocab"])
    losses = scores[(scores["metric"] == "loss") & (scores["mixture"] == "none")]["score"]
    assert (np.abs(losses - np.log(vocabulary)) < 1).all()


def test_snakemake_looks_for_jobs_when_one_has_ended(tiny):
    """And not every second, once for each job that has ended before."""
    log = (tiny.folder / "snakemake.log").read_text()
    ended = log.count("Finished jobid")
    assert ended > 50 and 0 < log.count("Ready jobs: ") <= ended


def test_the_pool_holds_all_languages(tiny):
    frame = frames(tiny, "retrieval")["tiny.quick.none.s1.lareqa"]
    assert set(frame["language"]) == {"en", "de", "tr"}
    ranked = frame["prediction"].map(json.loads)
    assert (ranked.map(len) == 20).all() and (ranked.map(lambda names: len(set(names))) == 20).all()
    assert {name.partition(":")[0] for names in ranked for name in names} == {"en", "de", "tr"}
    # the answer's sentence in each of the three languages
    assert (frame["gold"].map(lambda text: len(json.loads(text))) == 3).all()
    precision = [forms.get("retrieval").statistics(*pair, {})["average_precision"]
                 for pair in zip(frame["prediction"], frame["gold"], strict=True)]  # fmt: skip
    assert precision == pytest.approx(frame["stat_average_precision"].tolist())


def test_mined_pairs_are_one_to_one_and_half_of_the_sentences_is_scored(tiny):
    frame = frames(tiny, "retrieval")["tiny.quick.none.bucc"]
    assert 0 < len(frame) < 48
    paired = frame[frame["prediction"] != ""]
    assert paired["prediction"].is_unique
    assert set(frame["split"]) == {"dev"}


def test_the_language_model_head_is_the_pretrained_one_and_tied(tiny):
    node = node_of(tiny.plan(), "intermediate", "tiny.quick.four.s1")
    heads = load_file(tiny.results / node.id / "heads.safetensors")
    own = {name for name in heads if name.startswith("text.")}
    assert own and not any("decoder.weight" in name for name in own)
    scores = pd.read_parquet(tiny.results / "studies/study/latest/scores.parquet")
    losses = scores[scores["metric"] == "loss"].pivot(index="language", columns="mixture", values="score")
    # it was trained on English text, of which the measure knows
    assert losses.loc["en", "four"] < losses.loc["en", "none"]


def test_a_loss_is_no_part_of_a_mean_in_percent(tiny):
    table = pd.read_csv(tiny.results / "studies/study/latest/tables/main.csv")
    row = (tiny.results / "studies/study/latest/tables/main.md").read_text().splitlines()[4]
    shown = float(row.split("|")[-2].strip(" †‡!"))
    part = table[(table["model"] == "tiny") & (table["mixture"] == "none") & (table["metric"] != "loss")]
    assert shown == pytest.approx(part["zero_shot"].mean(), abs=0.051)


def test_exported_predictions_score_as_the_study(tiny):
    """What is written in XTREME's layout gives the study's own scores to the last digit."""
    cell = ["--model", "tiny", "--recipe", "quick", "--mixture", "four", "--seed", "1"]
    tiny.xstilts("export-xtreme", *cell, "--output", "predictions", "--labels", "labels", "--benchmark", "xtreme")
    sides = ["--predictions", "predictions", "--labels", "labels"]
    tiny.xstilts("score-xtreme", *sides, "--benchmark", "xtreme", "--json", "scores.json")
    found = json.loads((tiny.folder / "scores.json").read_text())
    scores = pd.read_parquet(tiny.results / "studies/study/latest/scores.parquet")
    scores = scores[scores["mixture"] == "four"].set_index(["target", "language", "metric"])["score"]
    compared = 0
    for task, entry in found["tasks"].items():
        for language, metrics in entry["languages"].items():
            for metric, value in ((name, value) for name, value in metrics.items() if name != "n"):
                assert value == scores[task, language, metric], (task, language, metric)
                compared += 1
    # xnli 3, udpos 3, xquad 2 x 2 (en, de and tr), tatoeba 2, bucc 1
    assert compared >= 12


def test_all_layers_are_scored_from_one_pass(tiny):
    """A model of two layers has three hidden states; the score of the recipe's layer is the one of the predictions."""
    folder = tiny.results / "studies/study/latest"
    layers = pd.read_csv(folder / "tables/layers.csv")
    scores = pd.read_parquet(folder / "scores.parquet")
    scores = scores[scores["headline"]]
    assert set(layers["target"]) == {"tatoeba", "bucc"}
    for (mixture, target), part in layers.groupby(["mixture", "target"]):
        assert sorted(part["layer"]) == [0, 1, 2]
        own = scores[(scores["mixture"] == mixture) & (scores["target"] == target)]
        (layer,) = set(own["layer"])
        assert part.set_index("layer").loc[layer, "score"] == pytest.approx(own["score"].mean())
    assert layers[layers["target"] == "tatoeba"]["score"].nunique() > 1


def test_trainings_leave_metrics_that_curves_prints(tiny, monkeypatch, capsys):
    trained = [node for stage in ("intermediate", "targets") for node in tiny.plan().stage(stage).values()]
    for node in trained:
        (path,) = files_of(tiny.results, node.id)
        made = manifest.results_of(tiny.results, node.id, manifest.TrainingResults)
        assert read(path)[-1].step == made.run.steps_done
        assert provenance.read(tiny.results / node.id).training.tokens_per_second > 0
    monkeypatch.chdir(tiny.folder)
    assert main(["curves"]) == 0
    shown = capsys.readouterr().out
    assert all(tiny.plan().made.names[node.id][0] in shown for node in trained)


def test_merged_mixed_prompted_and_few_shot_arms_are_in_the_tables(tiny):
    tables = tiny.results / "studies/study/latest/tables"
    main = pd.read_csv(tables / "main.csv")
    arms = {(row.model, row.recipe, row.mixture) for row in main.itertuples()}
    assert arms == {
        *(("tiny", "quick", mixture) for mixture in ("none", "four", "mixed", "merged")),
        ("tiny_decoder", "prompted", "none"),
    }
    prompted = set(main[main["recipe"] == "prompted"]["target"])
    assert prompted == {"xnli", "xquad"}
    few, of_runs = pd.read_csv(tables / "few_shot.csv"), pd.read_parquet(tables.parent / "few_shot_scores.parquet")
    assert set(of_runs["shots"]) == {0, 8} and set(of_runs["mixture"]) == set(few["mixture"])
    assert set(few["shots"]) == {0, 8} and set(few["mixture"]) == {"none", "four", "mixed", "merged"}
