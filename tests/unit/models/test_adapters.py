"""Adapters: from one phase to the next, what they change, and what of them is saved."""

import itertools
import json

import numpy as np
import pytest
import torch
import transformers
from xstilts.errors import UserError
from xstilts.models import adapters
from xstilts.models.backbone import load_backbone
from xstilts.models.distributed import Group
from xstilts.models.model import load_model, save_model, tensors

from tests.builders.models import CPU, METHODS, fresh, numerics, outputs, step, task_of, with_adapter


def tuned(families, name, method, split, start=None):
    """Return a model after two steps, from the pretrained one or from the folders of a phase before."""
    model = with_adapter(start or [families[name]], families[name], name, "classification", method, 2)
    for number in range(2):
        step(model, "classification", split, number)
    return model


@pytest.mark.parametrize(("before", "after"), [("lora", "lora"), ("lora", "full"), ("lora", "prompt"), ("full", "lora"),
                                               ("prompt", "prompt"), ("prefix", "prefix")])  # fmt: skip
@pytest.mark.parametrize("name", ["xlm-r", "qwen", "mt5"])
def test_second_phase_starts_from_the_first(families, family_splits, tmp_path, name, before, after):
    split = family_splits[name, "classification"]
    one, two = tmp_path / "one", tmp_path / "two"
    one.mkdir()
    two.mkdir()
    model = tuned(families, name, before, split)
    save_model(model, one, Group())
    start = [one, families[name]] if before != "full" else [one]
    # what the second phase starts from gives the first one's vectors, though a LoRA adapter is part of the weights now
    inputs = tensors(split.tokens.inputs(np.arange(len(split.tokens))), CPU)
    backbone = adapters.load(start, numerics(name))
    adapters.inject(backbone, METHODS["full" if before != after else after], 2)
    with torch.inference_mode():
        expected, found = model.eval().backbone(inputs).hidden_states, backbone.eval()(inputs).hidden_states
    torch.testing.assert_close(found, expected, rtol=1e-4, atol=1e-5)
    later = tuned(families, name, after, split, start)
    if after == "full":
        assert all(parameter.requires_grad for parameter in later.parameters())
    save_model(later, two, Group())
    chain = [two, *start] if after != "full" else [two]
    again = load_model(chain, [task_of("classification")], numerics(name), None)
    assert torch.equal(outputs(later, "classification", split), outputs(again, "classification", split))


def test_fresh_adapters_depend_on_the_seed_alone(families):
    states = itertools.count()

    def adapter(method, seed):
        torch.manual_seed(next(states))
        backbone = adapters.load([families["xlm-r"]], numerics())
        adapters.inject(backbone, METHODS[method], seed)
        return {key: value for key, value in backbone.state_dict().items() if "lora_A" in key or "prompt" in key}

    for method in ("lora", "prompt", "prefix"):
        first, again, other = adapter(method, 1), adapter(method, 1), adapter(method, 2)
        assert first and all(torch.equal(first[key], again[key]) for key in first)
        assert any(not torch.equal(first[key], other[key]) for key in first)


def test_a_fresh_prompt_is_made_of_tokens(families):
    backbone = adapters.load([families["xlm-r"]], numerics())
    adapters.inject(backbone, METHODS["prompt"], 1)
    prompt = backbone.transformer.prompt_encoder["default"].embedding.weight
    tokens = backbone.transformer.get_input_embeddings().weight
    assert all((tokens == vector).all(1).any() for vector in prompt)


def test_fresh_lora_changes_no_output(families, family_splits):
    split = family_splits["xlm-r", "classification"]
    inputs = tensors(split.tokens.inputs(np.arange(3)), CPU)
    plain = load_backbone(families["xlm-r"]).eval()
    adapted = load_backbone(families["xlm-r"])
    adapters.inject(adapted, METHODS["lora"], 1)
    with torch.inference_mode():
        assert torch.equal(plain(inputs).hidden_states, adapted.eval()(inputs).hidden_states)


def test_saved_adapter_is_peft_s_and_says_nothing_of_this_machine(families, family_splits, tmp_path):
    import peft

    model = tuned(families, "xlm-r", "lora", family_splits["xlm-r", "classification"])
    save_model(model, tmp_path, Group())
    text = (tmp_path / adapters.CONFIGURATION).read_text()
    assert str(families["xlm-r"]) not in text and json.loads(text)["r"] == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "adapter_config.json", "adapter_model.safetensors", "heads.safetensors"
    ]  # fmt: skip
    inputs = tensors(family_splits["xlm-r", "classification"].tokens.inputs(np.arange(3)), CPU)
    plain = transformers.AutoModel.from_pretrained(families["xlm-r"])
    by_peft = peft.PeftModel.from_pretrained(plain, tmp_path).eval()
    with torch.inference_mode():
        expected = by_peft(input_ids=inputs["ids"], attention_mask=inputs["mask"]).last_hidden_state
        torch.testing.assert_close(model.eval().backbone(inputs).hidden_states, expected)


def test_adapter_has_no_room_beside_a_long_text(families):
    backbone = adapters.load([families["xlm-r"]], numerics())
    adapters.inject(backbone, METHODS["prompt"], 1)
    ids = torch.full((1, 62), 9)
    with pytest.raises(UserError, match="62 tokens and the 3 of the adapter are more than the 64 positions"):
        backbone({"ids": ids, "mask": torch.ones_like(ids)})


def test_frozen_embeddings_stay(families, family_splits):
    split = family_splits["xlm-r", "classification"]
    model = fresh(families, "xlm-r", "classification", "full")
    adapters.freeze(model.backbone, model.heads, True)
    before = model.backbone.transformer.get_input_embeddings().weight.clone()
    step(model, "classification", split)
    assert torch.equal(model.backbone.transformer.get_input_embeddings().weight, before)
