"""LoRA adapters that stay beside the weights: fixed ones below, the fresh one trained and saved alone."""

import dataclasses
import json

import numpy as np
import pytest
import torch
import transformers
from safetensors.torch import load_file
from xstilts.models import adapters
from xstilts.models.distributed import Group
from xstilts.models.inference import for_inference
from xstilts.models.model import Model, load_model, make_head, save_model, tensors

from tests.builders.models import CPU, METHODS, numerics, outputs, step, task_of

FORM = "classification"
# an adapter that drops half of what it reads while it is trained
LORA = dataclasses.replace(METHODS["lora"], dropout=0.5)


def trained(chain, base, name, split, seed, method=LORA, **held):
    """Return a model after two steps from a chain of folders, whose adapters stay beside the weights."""
    held = numerics(name, unmerged=True, **held)
    backbone = adapters.load(chain, held)
    adapters.inject(backbone, method, seed, unmerged=True)
    model = Model(backbone, {"task": make_head(task_of(FORM), backbone, seed, base)}, held.precision)
    adapters.freeze(model.backbone, model.heads, False)
    for number in range(2):
        step(model, FORM, split, number, learning_rate=3e-2)
    return model


def vectors(model, split):
    """Return the hidden states of all instances as the model computes them now, in training or not."""
    inputs = tensors(split.tokens.inputs(np.arange(len(split.tokens))), CPU)
    with torch.inference_mode():
        return model.backbone(inputs).hidden_states


def saved(model, folder):
    folder.mkdir()
    save_model(model, folder, Group())
    return folder


@pytest.fixture(scope="module")
def phases(families, family_splits, tmp_path_factory):
    """By family: the models of three phases, and the folders of the last one's chain."""
    found = {}
    for name in ("xlm-r", "qwen", "mt5"):
        chain, models, folder = [families[name]], [], tmp_path_factory.mktemp(name)
        for seed in (1, 2, 3):
            model = trained(chain, families[name], name, family_splits[name, FORM], seed)
            models.append(model)
            chain = [saved(model, folder / str(seed)), *chain]
        found[name] = models, chain
    return found


@pytest.mark.parametrize("name", ["xlm-r", "qwen", "mt5"])
def test_outputs_are_those_of_merged_adapters(phases, family_splits, name):
    """Up to rounding in float32, and not those of the uppermost adapter alone; read back they are the same bits."""
    models, chain = phases[name]
    split = family_splits[name, FORM]

    def read(chain, **held):
        return load_model(chain, [task_of(FORM)], numerics(name, **held), None)

    unmerged = read(chain, unmerged=True)
    assert torch.equal(outputs(unmerged, FORM, split), outputs(models[-1], FORM, split))
    expected = vectors(unmerged, split)
    torch.testing.assert_close(vectors(read(chain), split), expected, rtol=1e-5, atol=1e-5)
    assert (vectors(read([chain[0], chain[-1]]), split) - expected).abs().max() > 1e-2


def test_a_phase_trains_the_fresh_adapter_alone(phases, family_splits):
    """Those below are as they were saved, bit for bit, and the file of the last phase has none of them."""
    models, chain = phases["xlm-r"]
    state = models[-1].backbone.transformer.state_dict()
    for folder, label in zip(reversed(chain[:-1]), ("default", "above_1", "above_2"), strict=True):
        stated = load_file(folder / adapters.WEIGHTS)
        assert len(stated) == 2 * 2 * 6
        for key, value in stated.items():
            assert torch.equal(state[key.replace(".weight", f".{label}.weight")], value)
    moving = {key for key, value in models[-1].named_parameters() if value.requires_grad}
    assert {key for key in moving if not key.startswith("heads.")} == {key for key in moving if ".above_2." in key}
    content = json.loads((chain[0] / adapters.CONFIGURATION).read_text())
    assert content["r"] == 2 and content["base_model_name_or_path"] is None


def test_adapters_below_drop_nothing_in_training(phases, family_splits):
    """The fresh adapter adds nothing before its first step, so vectors in training are those of the phase before."""
    models, chain = phases["xlm-r"]
    backbone = adapters.load(chain[1:], numerics(unmerged=True))
    adapters.inject(backbone, LORA, 3, unmerged=True)
    split = family_splits["xlm-r", FORM]
    expected = vectors(models[1].eval(), split)
    assert torch.equal(vectors(Model(backbone, {}).train(), split), expected)
    assert not torch.equal(vectors(models[1].train(), split), expected)


def test_peft_reads_the_files_and_adds_them(phases, families, family_splits):
    import peft

    models, chain = phases["xlm-r"]
    plain = transformers.AutoModel.from_pretrained(families["xlm-r"])
    by_peft = peft.PeftModel.from_pretrained(plain, chain[2], "one")
    by_peft.load_adapter(chain[1], "two")
    by_peft.load_adapter(chain[0], "three")
    by_peft.base_model.set_adapter(["one", "two", "three"])
    inputs = tensors(family_splits["xlm-r", FORM].tokens.inputs(np.arange(3)), CPU)
    with torch.inference_mode():
        found = by_peft.eval()(input_ids=inputs["ids"], attention_mask=inputs["mask"]).last_hidden_state
        torch.testing.assert_close(found, models[-1].eval().backbone(inputs).hidden_states)


def test_other_layers_may_have_the_later_adapter(phases, families, family_splits, tmp_path):
    """An adapter on some layers alone, between two on all of them."""
    _, chain = phases["xlm-r"]
    few = dataclasses.replace(LORA, modules=["query"])
    split = family_splits["xlm-r", FORM]
    chain = chain[2:]
    for seed, method in ((4, few), (5, LORA)):
        model = trained(chain, families["xlm-r"], "xlm-r", split, seed, method)
        chain = [saved(model, tmp_path / str(seed)), *chain]
    again = load_model(chain, [task_of(FORM)], numerics(unmerged=True), None)
    assert torch.equal(outputs(model, FORM, split), outputs(again, FORM, split))
    merged = load_model(chain, [task_of(FORM)], numerics(), None)
    torch.testing.assert_close(vectors(merged, split), vectors(again, split), rtol=1e-5, atol=1e-5)


def test_weights_in_few_bits_keep_what_merging_rounds_away(families, family_splits, tmp_path):
    """Of an adapter that adds little to weights in bfloat16 merging loses the most; unmerged it stays as it was."""
    name, split, held = "qwen", family_splits["qwen", FORM], {"dtype": "bfloat16", "precision": "bfloat16"}
    model = trained([families[name]], families[name], name, split, 1, **held)
    with torch.no_grad():
        for key, value in model.backbone.named_parameters():
            if "lora_B" in key:
                value.mul_(1e-3)
    one = saved(model, tmp_path / "one")
    layer = model.backbone.transformer.base_model.model.layers[0].mlp.up_proj
    added, weights = layer.get_delta_weight("default").double(), layer.get_base_layer().weight.double()
    merged = adapters.load([one, families[name]], numerics(name, **held))
    adapters.merge(merged)
    lost = merged.transformer.layers[0].mlp.up_proj.weight.double() - weights - added
    assert 0 < added.norm() / 2 < lost.norm()
    later = trained([one, families[name]], families[name], name, split, 2, **held)
    state = later.backbone.transformer.state_dict()
    for key, value in load_file(one / adapters.WEIGHTS).items():
        assert torch.equal(state[key.replace(".weight", ".default.weight")], value)
    # read back, and with all linear layers in bfloat16 as in prediction, the same bits
    two = saved(later, tmp_path / "two")
    again = load_model([two, one, families[name]], [task_of(FORM)], numerics(name, unmerged=True, **held), None)
    expected = outputs(later, FORM, split)
    assert torch.equal(outputs(again, FORM, split), expected)
    assert torch.equal(outputs(for_inference(again, CPU), FORM, split), expected)
