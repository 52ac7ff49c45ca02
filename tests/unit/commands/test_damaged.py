"""Commands of rules on what is not as its maker left it: one line, exit code 2, and the next run makes it again."""

import json
import os
import shutil
from dataclasses import replace

import pytest
from safetensors.torch import load_file, save_file
from xstilts.commands import main
from xstilts.store import manifest, study_plan
from xstilts.store.manifest import path_of

from tests.builders.plans import COMMANDS, make, node_of, spec_text
from tests.builders.projects import STUDY, plan_of


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A plan with one cell, its nodes by stage, and results in which they are made."""
    folder = tmp_path_factory.mktemp("made")
    plan = plan_of(STUDY)
    predictions = node_of(plan, "predictions", "tiny.quick.none.s1.xnli")
    make(plan, predictions.id, folder / "results")
    parents = predictions.spec.parents
    tokens = plan.nodes[parents["tokens"]]
    prepared = plan.nodes[tokens.spec.parents["prepared"]]
    nodes = {"predictions": predictions, "targets": plan.nodes[parents["model"]], "tokens": tokens}
    nodes |= {"prepared": prepared, "data": plan.nodes[prepared.spec.parents["data"]]}
    cells = tuple(cell for cell in plan.study_plan.cells if cell.node == predictions.id)
    outputs = folder / "results/studies/test/01234567"
    outputs.mkdir(parents=True)
    (outputs / "plan.json").write_text(study_plan.text(replace(plan.study_plan, cells=cells)))
    return plan, nodes, folder


def half(folder):
    path = max(path for path in folder.rglob("*") if path.name not in ("record.json", "provenance.json"))
    os.truncate(path, path.stat().st_size // 2)


def another_language(folder):
    shutil.copyfile(folder / "de.parquet", folder / "en.parquet")


def other_weights(folder):
    path = folder / "model.safetensors"
    save_file({name: value + 1 for name, value in load_file(path).items()}, path, {"format": "pt"})


def another_spec(folder):
    for name in ("record.json", "manifest.json"):
        content = json.loads((folder / name).read_text())
        content["spec"]["lengths"]["max_length"] += 1
        (folder / name).write_text(json.dumps(content))


def other_predictions(folder):
    path = folder / "predictions.parquet"
    path.write_bytes(path.read_bytes().replace(b"mnli", b"qqp!").replace(b"PAR1", b"PAR2", 1))


def zero_bytes(folder):
    for path in folder.rglob("*.*"):
        os.truncate(path, 0)


# what is damaged, how, and the stage that reads it; None for the commands of a study
DAMAGE = {
    "half of a raw file": ("data", half, "prepared"),
    "another language's rows": ("prepared", another_language, "tokens"),
    "other weights behind a right manifest": ("targets", other_weights, "predictions"),
    "a record of another spec": ("tokens", another_spec, "predictions"),
    "all files cut to 0 bytes by a power cut": ("tokens", zero_bytes, "predictions"),
    "other predictions": ("predictions", other_predictions, None),
}


@pytest.mark.parametrize("damage", DAMAGE)
def test_damage_is_a_line_and_the_next_run_mends(made, tmp_path, caplog, damage):
    plan, nodes, folder = made
    results = tmp_path / "results"
    shutil.copytree(folder / "results", results)
    stage, change, reader = DAMAGE[damage]
    read = path_of(results, nodes[reader].id) if reader else results / "studies/test/01234567/scores.parquet"
    if reader:
        before = read.read_bytes()
        shutil.rmtree(read.parent)
        command = [COMMANDS[reader], "--spec", spec_text(nodes[reader].spec), "--output", str(read)]
    else:
        command = ["scores", "--plan", str(read.with_name("plan.json"))]
    change(results / nodes[stage].id)
    assert main(command) == 2
    (line,) = [record.getMessage() for record in caplog.records if record.levelname == "ERROR"]
    assert f"{results / nodes[stage].id}: " in line and "the next run makes it again" in line
    assert not read.exists()
    # as Snakemake does: what has no manifest is made, and then what reads it
    make(plan, nodes[stage].id, results)
    assert main(command) == 0
    if reader:
        assert read.read_bytes() == before


def test_a_plan_without_cells_is_refused(made, tmp_path, caplog):
    _, _, folder = made
    shutil.copytree(folder / "results", tmp_path / "results")
    path = tmp_path / "results/studies/test/01234567/plan.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), "cells": []}))
    assert main(["scores", "--plan", str(path)]) == 2
    assert f"{path}: not the plan of a study" in caplog.text


def test_what_it_was_made_with_is_computed(made, tmp_path, monkeypatch):
    """The hashes of weights are those of the files, whatever the node of the model says."""
    _, nodes, folder = made
    from xstilts.store import lineage

    spec = nodes["predictions"].spec
    right = manifest.of_node(folder / "results" / nodes["predictions"].id).results.fingerprint
    shutil.copytree(folder / "results", tmp_path / "results")
    model = tmp_path / "results" / nodes["targets"].id
    other_weights(model)
    assert lineage.fingerprint(spec, tmp_path / "results") != right
    assert set(lineage.fingerprint(spec, tmp_path / "results")) == set(right)
