"""Whole nodes: training with labels that the data bring, and with the head of the stage before."""

import argparse

import pyarrow
import pyarrow.parquet
import pytest
import torch
from safetensors.torch import load_file
from xstilts import commands
from xstilts.commands import train
from xstilts.data.prepared_rows import read_prepared
from xstilts.data.sources import tiny
from xstilts.errors import UserError
from xstilts.evaluation import predictions
from xstilts.forms import tagging
from xstilts.models.backbone import load_backbone
from xstilts.models.model import make_head
from xstilts.store import manifest

from tests.builders.models import task_of
from tests.builders.plans import make, named, plan_study, results_of

CCG = """
description: Supertags of a mirror, the rest made up.
source: tiny
tasks: {ccg: {source: mirror}}
models: [tiny]
recipes: {r: {intermediate: {epochs: 1, batch_size: 4, max_length: 64}}}
mixtures: {ccg: [ccg]}
targets: {tatoeba: }
languages: [de]
seeds: [1]
"""
SENTENCES = {
    "train": [
        (["a", "cat", "sleeps"], ["NP/N", "N", "S\\NP"]),
        (["the", "dog", "sees", "a", "ship"], ["NP/N", "N", "(S\\NP)/NP", "NP/N", "N"]),
    ]
    * 6,
    "dev": [(["cat", "!"], ["N", "S[dcl]"])] * 2,
}


def test_tags_of_ccg_are_those_of_its_data(tmp_path):
    mirror = tmp_path / "mirror"
    (mirror / "ccg_pmb").mkdir(parents=True)
    for split, rows in SENTENCES.items():
        lines = ["\n".join(f"{word}\t{word}\t_\t_\t{tag}\t_\t_" for word, tag in zip(*row, strict=True))
                 for row in rows]  # fmt: skip
        (mirror / f"ccg_pmb/en.{split}.conll").write_text("\n\n".join(lines) + "\n")
    plan = plan_study(tmp_path, CCG, mirror)
    (node,) = plan.stage("intermediate").values()
    folder = make(plan, node.id, tmp_path / "results", mirror, {})
    (prepared,) = (tmp_path / "results/prepared").glob("ccg.training-*")
    labels = ["(S\\NP)/NP", "N", "NP/N", "S[dcl]", "S\\NP"]
    stated = manifest.read(prepared / "manifest.json").results
    assert stated.labels == labels
    # by word: six sentences with one and six with two N
    assert stated.splits["train"].labels == {"(S\\NP)/NP": 6, "N": 18, "NP/N": 18, "S\\NP": 6}
    dev = pyarrow.parquet.read_table(prepared / "dev.parquet").to_pylist()
    assert tagging.gold(dev[0], labels) == "N S[dcl]"
    assert load_file(folder / "heads.safetensors")["ccg.out.weight"].shape[0] == len(labels)
    dev_scores = manifest.read(folder / "manifest.json").results.run.dev
    assert set(dev_scores["ccg"].scores) == {"f1", "accuracy"}


XCOPA = """
description: SIQA, then COPA.
source: download
models: [tiny]
recipes:
  r:
    target:
      {epochs: 1, batch_size: 4, max_length: 64, learning_rate: 1.0e-2, overrides: {copa: {learning_rate: 1.0e-30}}}
targets: {xcopa: }
languages: [et]
seeds: [1]
limits: {dev_rows: 4}
"""


def choices(count, labels, **fields):
    names = [f"answer{letter}" for letter in "ABC"] if count == 3 else ["choice1", "choice2"]
    return [
        {**fields, **{name: f"the {tiny.LEXICON[at + place]}" for place, name in enumerate(names)}, "label": label}
        for at, label in enumerate(labels * 4)
    ]


def test_copa_goes_on_with_the_head_of_siqa(tmp_path):
    """COPA's learning rate is next to nothing, so that its head is the one with which it starts."""
    copa = choices(2, [0, 1], premise="the cat sees a ship .", question="effect")
    hub = {
        **dict.fromkeys(("default/train", "default/validation"),
                        choices(3, ["1", "3"], context="a dog .", question="where ?")),
        **dict.fromkeys(("copa/train", "copa/validation", "et/test"), copa),
    }  # fmt: skip
    plan = plan_study(tmp_path, XCOPA)
    by_name = {name.rpartition(".")[2]: node for name, node in named(plan, "targets").items()}
    assert list(by_name) == ["siqa", "siqa+copa"]
    assert [node.spec.warm_start_head for node in by_name.values()] == [None, "siqa"]
    results = tmp_path / "results"
    (cell,) = plan.cells
    frame = pyarrow.parquet.read_table(make(plan, cell.node, results, None, hub) / "predictions.parquet").to_pydict()
    assert frame["gold"] == [str(row["label"]) for row in copa]
    assert set(frame["prediction"]) <= {"0", "1"}
    first, second = (load_file(results / node.id / "heads.safetensors") for node in by_name.values())
    assert {name.replace("siqa", "copa") for name in first} == set(second)
    for name, value in first.items():
        assert torch.allclose(value, second[name.replace("siqa", "copa")], atol=1e-12), name
    # a head of its own would be another one
    backbone = load_backbone(results / by_name["siqa+copa"].id)
    fresh = make_head(task_of("multiple_choice", "copa", None), backbone, 1, None)
    assert not torch.allclose(fresh.dense.weight, second["copa.dense.weight"], atol=1e-3)


def test_nodes_have_as_many_processes_each():
    with pytest.raises(UserError, match="^--processes 1: those of all nodes together, and not a multiple of --nodes 2"):
        train.run(argparse.Namespace(processes=1, nodes=2))


@pytest.mark.parametrize("option", ["--processes", "--nodes"])
def test_at_least_one_process_trains(option, capsys):
    with pytest.raises(SystemExit):
        commands.main(["train", "--spec", "{}", "--output", "manifest.json", option, "0"])
    assert f"argument {option}: 0: give a number from 1" in capsys.readouterr().err


def test_few_shots_train_the_targets_model_further(tmp_path):
    """On so many rows of a language's dev split, with the head of the target's training; one language is predicted."""
    phase = {"epochs": 1, "batch_size": 4, "max_length": 48, "method": {"name": "lora", "rank": 2}}
    plan = plan_study(tmp_path, {
        "description": "x", "source": "tiny", "models": ["tiny"], "mixtures": ["none"], "targets": {"xnli": None},
        "recipes": {"quick": {"target": phase, "few_shot": {"epochs": 3}}}, "languages": ["en", "de"], "seeds": [2],
        "limits": {"dev_rows": 4, "train_rows": 8}, "shots": [6],
    })  # fmt: skip
    (few,) = plan.few_shot
    results = tmp_path / "results"
    predicted = predictions.read(make(plan, few.cell.node, results) / predictions.FILE)
    assert set(predicted["language"]) == {"de"} and len(predicted) == tiny.TEST_ROWS
    model = plan.nodes[few.cell.node].spec.parents["model"]
    trained = results_of(results, model)
    # three epochs of two batches; the target's own two steps are behind it
    assert (trained.run.steps_done, trained.run.tasks["xnli@de"].rows) == (6, 6)
    before = plan.nodes[model].spec.parents["model"]
    assert list(trained.trained_before) == [before] and results_of(results, before).run.tasks["mnli"].rows == 8
    rows = plan.nodes[plan.nodes[model].spec.parents["tokens.xnli@de"]].spec.parents["prepared"]
    labels = read_prepared(results / rows / "train.parquet")["label"].to_pylist()
    assert sorted(labels) == [0, 0, 1, 1, 2, 2]
