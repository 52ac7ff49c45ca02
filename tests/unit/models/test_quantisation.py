"""Weights in 4-bit NormalFloat below adapters: how near they are, what is trained, saved and read back."""

import dataclasses
import json
import sys

import pytest
import torch
from safetensors.torch import load_file
from torch import nn
from xstilts.errors import UserError
from xstilts.models import adapters, quantisation
from xstilts.models.backbone import load_backbone
from xstilts.models.distributed import Group
from xstilts.models.inference import for_inference
from xstilts.models.model import Model, load_model, make_head, save_model
from xstilts.models.quantisation import QuantisedLinear
from xstilts.training.metrics import operations_per_token

from tests.builders.models import CPU, METHODS, numerics, outputs, step, task_of

FORM = "classification"
HELD = {"dtype": "bfloat16", "precision": "bfloat16", "quantised": "nf4", "unmerged": True}


@pytest.fixture
def library():
    return pytest.importorskip("bitsandbytes", reason="bitsandbytes is not installed: pip install -e '.[qlora]'")


def trained(chain, base, name, split):
    """Return a model after twelve steps over quantised weights, and its losses."""
    held = numerics(name, **HELD)
    backbone = adapters.load(chain, held)
    adapters.inject(backbone, METHODS["lora"], len(chain), unmerged=True)
    model = Model(backbone, {"task": make_head(task_of(FORM), backbone, 1, base)}, held.precision)
    adapters.freeze(model.backbone, model.heads, False)
    return model, [step(model, FORM, split, learning_rate=1e-2) for _ in range(12)]


def layers_of(model):
    return {name: layer for name, layer in model.named_modules() if isinstance(layer, QuantisedLinear)}


def test_weights_are_as_near_as_the_format_allows(library):
    """Each is the nearest level times its block's scale; scales of 8 bits add less than a hundredth of one."""
    torch.manual_seed(0)
    layer = nn.Linear(192, 64).to(torch.bfloat16)
    held = QuantisedLinear(layer, CPU)
    weights, found = layer.weight.detach().float().view(-1, 64), held.dequantised().float().view(-1, 64)
    scales, levels = weights.abs().amax(1, keepdim=True), held.levels
    # the widest gap between two levels is from -1 to -0.696
    assert len(levels) == 16 and float(levels.diff().max()) == pytest.approx(0.3038, abs=1e-4)
    nearest = levels[(weights[..., None] / scales[..., None] - levels).abs().argmin(-1)] * scales
    # bfloat16 has eight bits
    assert ((found - nearest).abs() <= scales * (0.01 + 2**-8)).all()
    assert ((found - weights).abs() <= scales * (0.3038 / 2 + 0.01 + 2**-8)).all()
    assert 0.05 < float((found - weights).norm() / weights.norm()) < 0.15
    bits = 8 * sum(value.numel() * value.element_size() for value in (held.weight, held.scales, held.scales_of_scales))
    assert held.weight.numel() == 192 * 64 // 2 and bits / (192 * 64) == pytest.approx(4 + 8 / 64 + 32 / (192 * 64))
    vectors = torch.randn(5, 192)
    expected = nn.functional.linear(vectors.bfloat16(), held.dequantised(), layer.bias)
    torch.testing.assert_close(held(vectors), expected)


@pytest.mark.parametrize("name", ["xlm-r", "qwen", "mt5"])
def test_only_linear_layers_are_quantised(library, families, name):
    """All of the layers, and nothing that is not a product alone; the rest is as it is read."""
    plain = load_backbone(families[name], dtype="bfloat16")
    backbone = adapters.load([families[name]], numerics(name, **HELD))
    held = layers_of(backbone.transformer)
    linear = {key: layer for key, layer in plain.transformer.named_modules() if type(layer) is nn.Linear}
    assert held.keys() == linear.keys() != set()
    assert not any(type(layer) is nn.Linear for layer in backbone.modules())
    state, before = backbone.transformer.state_dict(), plain.transformer.state_dict()
    assert before.keys() - state.keys() == {f"{key}.weight" for key in linear}
    assert all(torch.equal(value, before[key]) for key, value in state.items())
    expected = sum(parameter.numel() for parameter in plain.transformer.parameters())
    assert quantisation.parameters(backbone.transformer) == expected
    # of frozen weights: 2 operations forwards and 2 backwards for each number
    numbers = sum(layer.weight.numel() for layer in linear.values())
    assert operations_per_token(backbone.requires_grad_(False)) == 4 * numbers


@pytest.mark.parametrize("name", ["xlm-r", "qwen", "mt5"])
def test_adapters_are_trained_saved_and_read_back(library, families, family_splits, tmp_path, name):
    """In two phases: the loss falls, nothing else moves, files are peft's, and outputs are the same bits."""
    split, chain = family_splits[name, FORM], [families[name]]
    for phase in ("one", "two"):
        model, losses = trained(chain, families[name], name, split)
        assert losses[-1] < losses[0]
        gradients = {key for key, value in model.named_parameters() if value.requires_grad}
        assert all("lora_" in key or key.startswith("heads.") for key in gradients)
        assert sum("lora_" in key for key in gradients) == 2 * len(layers_of(model))
        fresh = layers_of(adapters.load(chain, numerics(name, **HELD)))
        held = layers_of(model.backbone)
        assert len(held) == len(fresh)
        for one, other in zip(held.values(), fresh.values(), strict=True):
            assert torch.equal(one.weight, other.weight) and torch.equal(one.scales, other.scales)
        folder = tmp_path / phase
        folder.mkdir()
        save_model(model, folder, Group())
        assert json.loads((folder / adapters.CONFIGURATION).read_text())["peft_type"] == "LORA"
        assert all("lora_" in key for key in load_file(folder / adapters.WEIGHTS))
        chain = [folder, *chain]
        again = load_model(chain, [task_of(FORM)], numerics(name, **HELD), None)
        expected = outputs(model, FORM, split)
        assert torch.equal(outputs(again, FORM, split), expected)
        assert torch.equal(outputs(for_inference(again, CPU), FORM, split), expected)
    # the same adapters over weights that are not quantised give other outputs
    other = load_model(chain, [task_of(FORM)], dataclasses.replace(numerics(name, **HELD), quantised=None), None)
    assert not torch.equal(outputs(other, FORM, split), expected)


def test_a_machine_without_the_library_is_told_so(families, monkeypatch):
    monkeypatch.setitem(sys.modules, "bitsandbytes", None)
    line = "^recipe: quantised: nf4 needs the library bitsandbytes, which is not installed; install it"
    with pytest.raises(UserError, match=line):
        adapters.load([families["xlm-r"]], numerics(**HELD))
