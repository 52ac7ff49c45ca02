"""Estimates: shapes against the models of transformers and peft, and what is counted from them, by hand."""

import json

import numpy as np
import pytest
import torch
import transformers
from conftest import ROOT, plan_of
from families import FAMILIES
from xstilts import commands, estimate, machine, registry, shapes
from xstilts.commands.estimate import _plan
from xstilts.estimate import CARDS, Estimate
from xstilts.study import read_study

KNOWN = {name: entry for name, entry in registry.load().models.items() if entry["shape"]}
# Phang et al.'s model, and the sizes that papers give, in billions: with the language-model head's own matrix
PUBLISHED = {"xlm-roberta-large": 0.56, "xlm-roberta-xxl": 10.7, "mt5-base": 0.58, "mt5-xxl": 12.9}


def count(model):
    return sum(parameter.numel() for name, parameter in model.named_parameters() if "pooler" not in name)


def empty(config, kind="AutoModel"):
    with torch.device("meta"):
        return getattr(transformers, kind).from_config(config)


@pytest.mark.parametrize("name", KNOWN)
def test_parameters_are_those_of_the_model(name):
    stated = dict(KNOWN[name]["shape"])
    config = transformers.AutoConfig.for_model(**stated)
    shape = shapes.read(stated)
    assert shape.parameters == count(empty(config))
    if stated["model_type"] == "mt5":
        assert shapes.read(stated, "encoder").parameters == count(empty(config, "AutoModelForTextEncoding"))
    if name in PUBLISHED:
        assert (shape.parameters + shape.language_head) / 1e9 == pytest.approx(PUBLISHED[name], rel=0.01)


@pytest.mark.parametrize("family", sorted(set(FAMILIES) - {"modernbert"}))
def test_shape_of_a_config_and_its_adapters(family, tmp_path):
    """From the config.json that a model of the family writes; parameters of peft's adapters beside it."""
    import peft

    make_config = FAMILIES[family][0]
    config = make_config(200)
    config.save_pretrained(tmp_path)
    content = {**config.to_dict(), **json.loads((tmp_path / "config.json").read_text())}
    shape = shapes.read(content)
    model = transformers.AutoModel.from_config(config)
    assert shape.parameters == count(model)
    if getattr(model, "pooler", None) is not None:
        model.pooler = None
    lora = peft.LoraConfig(r=3, target_modules="all-linear", task_type="FEATURE_EXTRACTION")
    adapted = peft.get_peft_model(model, lora)
    assert shape.lora(3, "all-linear") == sum(one.numel() for one in adapted.parameters() if one.requires_grad)
    assert shape.virtual("prompt", 5) == 5 * 16


def test_unknown_shapes():
    with pytest.raises(shapes.UserError, match="model type 'modernbert': its size is not known; there are"):
        shapes.read({"model_type": "modernbert"})
    with pytest.raises(shapes.UserError, match="needs the key 'hidden_size' of config.json"):
        shapes.read({"model_type": "xlm-roberta"})


@pytest.fixture(scope="module")
def scale(tmp_path_factory):
    """The plan of studies/scale.yaml on a machine that has neither models nor data."""
    folder = tmp_path_factory.mktemp("scale")
    known = registry.load()
    study = read_study(ROOT / "studies/scale.yaml", known)
    return _plan(study, known, machine.from_config({"results": str(folder / "results")})), known, folder / "results"


def of(scale, stage, name, **hardware):
    plan, known, results = scale
    (node,) = [node for node in plan.stage(stage).values() if node.name == name]
    return estimate.of_node(node, plan, known, results, estimate.Hardware(**hardware)), node


def test_full_training_by_hand(scale):
    """XLM-R Large: 12,000 steps of 32 x 256 positions; 12 bytes a weight beside the weights and their copies."""
    found, node = of(scale, "intermediate", "xlm-roberta-large.full.mnli.s1")
    parameters = 559_890_432 - 1024 * 1024 - 1024
    assert found.parameters == found.trained == parameters
    assert found.gradients == 4 * parameters and found.optimiser == 8 * parameters
    matrices = 24 * 12 * 1024 * 1024
    assert found.weights == 4 * parameters + 2 * matrices
    assert found.tokens == 12_000 * 32 * 256
    attention = 2 * 24 * 256 * 1024 * 2
    assert found.operations == pytest.approx(found.tokens * 3 * (2 * matrices + attention))
    # Korthikanti et al. with norms in float32: 38 bytes a hidden number and layer
    assert found.activations == pytest.approx(32 * 256 * 24 * 1024 * 38)
    assert found.hours(CARDS["a100-80"], "bfloat16") == pytest.approx(found.operations / (312e12 * 0.4) / 3600)
    assert not found.measured
    less, _ = of(scale, "intermediate", "xlm-roberta-large.full.mnli.s1", device_pieces=4096)
    assert less.activations == found.activations / 2
    again, _ = of(scale, "intermediate", "xlm-roberta-large.full.mnli.s1", gradient_checkpointing=True)
    assert again.operations == pytest.approx(found.operations * 4 / 3) and again.activations < found.activations / 5


def test_adapter_by_hand(scale):
    """XLM-R XXL with LoRA of rank 16: weights in bfloat16, and moments of the adapter alone; it alone stays on disk."""
    found, _ = of(scale, "intermediate", "xlm-roberta-xxl.lora.nine.s1")
    adapter = 48 * 16 * (4 * (4096 + 4096) + 2 * (4096 + 16384))
    assert found.trained == adapter
    assert found.weights == 2 * found.parameters + 4 * adapter
    assert found.disk == 4 * adapter and found.optimiser == 8 * adapter
    assert found.cards(CARDS["h100"]) == 2 and found.cards(CARDS["h200"]) == 1
    search, _ = of(scale, "rates", "xlm-roberta-xxl.lora.nine")
    assert search.operations == pytest.approx(3 * found.operations) and search.disk == 0


def test_memory_of_the_host():
    found = Estimate(0, 0, 2e9, 1e9, 2e9, 7e9, 0, 0, 0, True)
    assert found.host_megabytes(None) == 13_500 and found.host_megabytes(CARDS["h100"]) == 11_000
    assert found.cards(CARDS["a100-40"]) == 1


def test_scale_compares_lora_at_both_sizes(scale):
    plan, _, _ = scale
    tunings = {(cell.model, cell.tuning) for cell in plan.cells}
    large = {"xlm-roberta-xxl", "mt5-xxl", "qwen3-14b-base"}
    assert {model for model, tuning in tunings if tuning == "lora"} == large | {
        "xlm-roberta-large", "mt5-base", "qwen3-0_6b-base"
    }  # fmt: skip
    assert {model for model, tuning in tunings if tuning == "full"} == {"xlm-roberta-large"}
    parents = {role for node in plan.stage("targets").values() for role in node.spec["parents"]}
    assert {"model", "model.1", "rate"} <= parents


def test_command(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config.yaml").write_text("{}")
    assert commands.main(["estimate", str(ROOT / "studies/scale.yaml"), "--gpu", "h200"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split()[:3] == ["node", "params", "trained"]
    (row,) = [line for line in lines if line.startswith("intermediate/mt5-xxl.lora.nine.s1 ")]
    assert row.split()[1:3] == ["11896.6", "70.8"]
    assert max(map(len, lines[:-4])) <= 130
    assert any("hours of one h200" in line for line in lines[-4:])


def test_tokens_that_exist_are_counted(tmp_path, monkeypatch):
    """A study of which all is made: real lengths in place of upper bounds, and shapes from the models themselves."""
    study = tmp_path / "study.yaml"
    study.write_text(
        "{description: x, source: tiny, models: [tiny], mixtures: {none: , mnli: [mnli]}, targets: {xnli: },"
        " languages: [en, de], seeds: [1],"
        " recipes: {short: {intermediate: {max_length: 64}, target: {max_length: 64}}}}"
    )
    results = tmp_path / "results"
    plan = plan_of(study, results=str(results))
    (node,) = plan.stage("intermediate").values()
    with pytest.raises(shapes.UserError, match="model tiny: its size is not known yet"):
        estimate.of_node(node, plan, registry.load(), results, estimate.Hardware())
    for stage, command in {"data": "fetch", "models": "fetch", "prepared": "prepare", "tokens": "tokenize"}.items():
        for one in plan.stage(stage).values():
            output = results / one.id / "manifest.json"
            assert commands.main([command, "--spec", json.dumps(one.spec), "--output", str(output)]) == 0
    found = estimate.of_node(node, plan, registry.load(), results, estimate.Hardware())
    tokens = json.loads((results / node.spec["parents"]["tokens.mnli"] / "manifest.json").read_text())
    part = tokens["parts"]["train"]
    steps = 3 * int(np.ceil(part["units"] / 32))
    assert found.measured and found.tokens == pytest.approx(steps * 32 * part["pieces"] / part["units"])
