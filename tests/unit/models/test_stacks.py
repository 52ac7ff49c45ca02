"""Layers, one by one; without a compiler, by what is given to one."""

from functools import partial

import pytest
import torch
from xstilts.models import stacks
from xstilts.models.backbone import load_backbone

from tests.builders.models import MODELS, fresh, step, submodel_of


@pytest.mark.parametrize("name", MODELS)
def test_all_weights_of_all_layers_are_in_one(families, name):
    transformer = load_backbone(families[name], submodel_of(name)).transformer
    found = list(stacks.layers(transformer))
    # two layers a stack; T5's are lists of attention, attention to the text, and a dense part
    assert len(found) == {"mt5": 2 * 2 + 2 * 3, "mt5-encoder": 2 * 2}.get(name, 2)
    within = {id(weight) for layer in found for weight in layer.parameters()}
    assert all(
        id(value) in within for key, value in transformer.named_parameters() if ".layer" in key or ".block" in key
    )


def test_compiled_layers_train_the_same_where_they_are_computed_again(families, family_splits, monkeypatch):
    """Also beside an adapter of T5, whose body as a whole cannot be compiled; layers that are alike share a graph."""
    monkeypatch.setattr(torch, "compile", partial(torch.compile, backend="eager"))
    losses = []
    for compiled in (False, True):
        model = fresh(families, "mt5", "tagging", "lora", "bfloat16")
        model.backbone.transformer.activation_checkpointing_enable()
        if compiled:
            torch._dynamo.reset()
            torch._dynamo.utils.counters.clear()
            stacks.compile_layers(model.backbone.transformer)
        losses.append(step(model, "tagging", family_splits["mt5", "tagging"]))
    assert losses[1] == pytest.approx(losses[0], rel=1e-3)
    graphs = torch._dynamo.utils.counters["stats"]["unique_graphs"]
    assert 0 < graphs < len(list(stacks.layers(model.backbone.transformer)))
