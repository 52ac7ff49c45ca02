"""Vectors of texts: which hidden state, and how its positions become one vector."""

import numpy as np
import pytest
import torch
import yaml
from xstilts.data.dataset import splits
from xstilts.errors import UserError
from xstilts.evaluation import embedding
from xstilts.models.backbone import load_backbone
from xstilts.models.model import Model, tensors, without_heads
from xstilts.store.specs.evaluation import Pooling

from tests.builders.models import CPU, MODELS, fresh, submodel_of
from tests.builders.plans import make, node_of, plan_study, results_of
from tests.builders.projects import STUDY


@pytest.mark.parametrize(
    ("pooling", "depth", "layer"),
    [
        (Pooling(layer_fraction=14 / 24), 24, 14), (Pooling(layer_fraction=14 / 24), 12, 7),
        (Pooling(layer_fraction=0.5), 3, 2), (Pooling(layer=0), 24, 0), (Pooling(layer=24), 24, 24),
        # layer 7, counted from 0, of the last 12: of 24 the 13th to the 24th, of 12 the first to the 12th
        (Pooling(layer=-5), 24, 20), (Pooling(layer=-5), 12, 8), (Pooling(layer=-1), 12, 12),
        (Pooling(layer=-13), 12, 0),
    ],
)  # fmt: skip
def test_number_of_the_hidden_state(pooling, depth, layer):
    assert embedding.layer_number(pooling, depth) == layer


@pytest.mark.parametrize("layer", [13, -14])
def test_hidden_state_that_a_model_lacks(layer):
    with pytest.raises(UserError, match=f"bitext.layer: {layer} is no hidden state of a model of 12 layers"):
        embedding.layer_number(Pooling(layer=layer), 12)


@pytest.mark.parametrize("name", MODELS)
def test_vectors_are_of_the_layers_and_positions_that_are_asked_for(families, family_splits, name):
    """Against each text alone, without padding: the mean of its positions, and the one that stands for it."""
    tokens = family_splits[name, "retrieval"].tokens
    model = Model(load_backbone(families[name], submodel_of(name)), {}).eval()
    masked = model.backbone.family == "masked"
    found = {way: embedding.pooled_vectors(model, tokens, [0, 1, 2], way, CPU) for way in ("mean", "cls")}
    for instance in range(len(tokens)):
        inputs = tensors(tokens.inputs(np.array([instance])), CPU)
        with torch.inference_mode():
            layers = model.layers(inputs)
        for row, sequence in enumerate(tokens.sequences(np.array([instance]))):
            length = int(inputs["mask"][row].sum())
            for layer, states in enumerate(layers):
                text = states[row, :length].numpy()
                close = {"rtol": 1e-4, "atol": 1e-5}
                np.testing.assert_allclose(found["mean"][layer, sequence], text.mean(0), **close)
                np.testing.assert_allclose(found["cls"][layer, sequence], text[0 if masked else -1], **close)


@pytest.mark.parametrize("pooler", ["mean", "cls"])
def test_vectors_for_which_memory_lacks_at_once_are_made_in_halves(families, family_splits, little_memory, pooler):
    """Those of layers, and those of a dual encoder."""
    tokens = family_splits["llama", "retrieval"].tokens
    model = fresh(families, "llama", "retrieval", "full").eval()

    def found():
        layers = embedding.pooled_vectors(model, tokens, [0, 2], pooler, CPU)
        return layers, embedding.head_vectors(model, "task", tokens, CPU)

    whole, seen = found(), little_memory(60)
    for one, other in zip(whole, found(), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)
    assert not all(had_memory for _, had_memory in seen)
    little_memory(1)
    with pytest.raises(UserError, match=r"^vectors of texts: 1 instance of \d+ tokens in all, with padding: CUDA"):
        embedding.pooled_vectors(model, tokens, [0, 2], pooler, CPU)


def test_a_node_has_the_vectors_that_its_recipe_asks_for(tmp_path):
    """Of all layers, which are pooled alike, those of the one that it is about."""
    content = yaml.safe_load(STUDY.read_text())
    content["recipes"]["quick"]["bitext"] |= {"pooling": "cls", "layer": -2, "sweep": True}
    plan = plan_study(tmp_path, content)
    node = node_of(plan, "embeddings", "tiny.quick.none.tatoeba")
    folder = make(plan, node.id, tmp_path / "results")
    model = without_heads([tmp_path / "results" / node.spec.parents["model"]], node.spec.numerics)
    tokens = splits(tmp_path / "results", node.spec.parents["tokens"])["de"].tokens
    expected = embedding.pooled_vectors(model, tokens, [0, 1, 2], "cls", CPU)
    assert results_of(tmp_path / "results", node.id).layer == 1
    assert np.array_equal(np.load(folder / "de.npy"), expected[1])
    assert all(np.array_equal(np.load(folder / f"de.layer-{layer}.npy"), expected[layer]) for layer in range(3))
