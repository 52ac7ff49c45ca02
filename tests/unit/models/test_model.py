"""A model of every family with every form and method: it trains a step, is saved, and reads back equal."""

import json

import numpy as np
import pytest
import torch
import transformers
from safetensors.torch import load_file
from xstilts.errors import UserError
from xstilts.evaluation import prediction
from xstilts.forms import mlm
from xstilts.models import adapters, backbone
from xstilts.models.backbone import load_backbone
from xstilts.models.distributed import Group
from xstilts.models.model import Model, load_model, make_head, save_model, tensors
from xstilts.training.step import Batch, MicroBatch, make_optimiser, take_step

from tests.builders.families import FAMILIES
from tests.builders.models import (
    CPU,
    METHODS,
    MODELS,
    NO_HEAD,
    NO_PREFIX,
    OPTIMISATION,
    TRAINED,
    fresh,
    numerics,
    optimisation,
    outputs,
    split_of,
    step,
    task_of,
)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("name", MODELS)
def test_every_form_trains_a_step_and_reads_back_equal(families, family_splits, tmp_path, name, method):
    if method == "prefix" and name in NO_PREFIX:
        backbone = adapters.load([families[name]], numerics(name))
        with pytest.raises(UserError, match="a prefix needs a model whose layers take keys and values"):
            adapters.inject(backbone, METHODS[method], 1)
        return
    for form in TRAINED:
        if form == "mlm" and name in NO_HEAD:
            with pytest.raises(UserError, match="has no language-model head"):
                fresh(families, name, form, method)
            continue
        split = family_splits[name, form]
        model = fresh(families, name, form, method)
        before = {key: value.clone() for key, value in model.state_dict().items()}
        first = step(model, form, split)
        assert np.isfinite(first)
        changed = {key for key, value in model.state_dict().items() if not torch.equal(value, before[key])}
        named = list(model.named_parameters(remove_duplicate=False))
        trained = {key for key, value in named if value.requires_grad}
        adapter = {key for key in trained if key.startswith("backbone.")}
        # what is trained changes and nothing else does; of a model with an adapter that is the adapter and fresh heads
        assert changed <= trained and adapter & changed
        assert method == "full" or all("lora" in key or "prompt" in key for key in adapter)
        second = step(model, form, split)
        assert second != first
        folder = tmp_path / form
        folder.mkdir()
        save_model(model, folder, Group())
        assert adapters.is_adapter(folder) == (method != "full")
        below = [families[name]] if method != "full" else []
        again = load_model([folder, *below], [task_of(form)], numerics(name), families[name])
        assert torch.equal(outputs(model, form, split), outputs(again, form, split)), form
        # a second run from here: what is saved is what a later phase starts from
        assert prediction.evaluate(again, task_of(form), split, CPU)[0]


@pytest.mark.parametrize("name", MODELS)
def test_bfloat16_holds_what_is_not_trained(families, family_splits, tmp_path, name):
    split = family_splits[name, "classification"]
    model = fresh(families, name, "classification", "lora", "bfloat16")
    kinds = {parameter.requires_grad: set() for parameter in model.parameters()}
    for parameter in model.parameters():
        kinds[parameter.requires_grad].add(parameter.dtype)
    assert kinds == {True: {torch.float32}, False: {torch.bfloat16}}
    step(model, "classification", split)
    save_model(model, tmp_path, Group())
    reduced = numerics(name, "bfloat16", "bfloat16")
    again = load_model([tmp_path, families[name]], [task_of("classification")], reduced, None)
    one, other = outputs(model, "classification", split), outputs(again, "classification", split)
    assert torch.equal(one, other) and one.dtype == torch.float32


def test_tied_embeddings_are_trained_saved_once_and_read_back(model_folder, tokenizer, tmp_path):
    rows = [{"text": "the farmer sees a cat in the old garden .", "language": "en"}] * 4
    split = split_of("mlm", rows, tokenizer, tmp_path / "train.parquet", max_length=40)
    task = task_of("mlm", "text", None)
    backbone = load_backbone(model_folder)
    model = Model(backbone, {"text": make_head(task, backbone, 1, model_folder)}).train()
    embeddings = backbone.transformer.get_input_embeddings().weight
    before = embeddings.detach().clone()
    optimiser = make_optimiser(model, optimisation())
    assert sum(parameter is embeddings for group in optimiser.param_groups for parameter in group["params"]) == 1
    batch = Batch(0, [MicroBatch(*mlm.batch(split.tokens, np.arange(4), 0), 4, 1)], 1, 0)
    take_step(model, optimiser, [task], [batch], 1e-3, OPTIMISATION, Group(), CPU)
    # every token is a wrong answer whose score is lowered, so that all rows change and not only those of the text
    assert ((embeddings - before).abs().max(1).values > 0).float().mean() > 0.9
    saved = tmp_path / "saved"
    saved.mkdir()
    save_model(model.eval(), saved, Group())
    names = set(load_file(saved / "heads.safetensors"))
    assert "text.layers.dense.weight" in names and "text.layers.bias" in names
    assert not any(name.endswith("decoder.weight") for name in names)
    again = load_model([saved], [task], numerics(), model_folder)
    assert again.heads["text"].layers.decoder.weight is again.backbone.transformer.get_input_embeddings().weight
    inputs = tensors(mlm.batch(split.tokens, np.arange(4), 0)[0], CPU)
    with torch.inference_mode():
        assert torch.equal(model("text", inputs, 4), again("text", inputs, 4))


@pytest.mark.parametrize("tied", [True, False])
def test_scores_of_mt5_are_its_embeddings_where_its_weights_are(families, family_splits, tmp_path, tied):
    """Whatever its config.json says: that of published mT5 ties what its weights do not."""
    whole = transformers.MT5ForConditionalGeneration.from_pretrained(families["mt5"])
    if not tied:
        whole.lm_head.weight = torch.nn.Parameter(whole.lm_head.weight + torch.randn(whole.lm_head.weight.shape))
    folder, saved = tmp_path / "mt5", tmp_path / "saved"
    saved.mkdir()
    whole.save_pretrained(folder)
    assert json.loads((folder / "config.json").read_text()).get("tie_word_embeddings", True)
    split = family_splits["mt5", "mlm"]
    model = fresh({"mt5": folder}, "mt5", "mlm", "full")
    embeddings = model.backbone.transformer.get_input_embeddings().weight
    assert (model.heads["task"].layers.weight is embeddings) == tied
    step(model, "mlm", split)
    save_model(model, saved, Group())
    again = load_model([saved], [task_of("mlm")], numerics(), folder)
    assert torch.equal(outputs(model, "mlm", split), outputs(again, "mlm", split))


@pytest.mark.parametrize("stored", ["float32", "bfloat16"])
@pytest.mark.parametrize("name", ["xlm-r", "qwen"])
def test_language_head_is_read_in_the_type_of_its_file_and_kept_in_float32(
    families, tmp_path, monkeypatch, name, stored
):
    """Else the whole model would be in memory in float32 beside the backbone that is trained."""
    whole = getattr(transformers, FAMILIES[name][1]).from_pretrained(families[name], dtype=getattr(torch, stored))
    whole.save_pretrained(tmp_path)
    loaded = load_backbone(tmp_path, dtype=stored)
    read, types = backbone._read, []
    monkeypatch.setattr(backbone, "_read", lambda *given: types.append(given[2]) or read(*given))
    head = backbone.language_head(tmp_path, loaded)
    assert types == [stored]
    expected = dict(read(tmp_path, FAMILIES[name][1]).named_parameters())
    embeddings = loaded.transformer.get_input_embeddings().weight
    own = [weight for weight in head.parameters() if weight is not embeddings]
    assert len(own) == {"xlm-r": 5, "qwen": 0}[name] and all(weight.dtype == torch.float32 for weight in own)
    assert all(any(torch.equal(weight, one) for one in expected.values()) for weight in own)


@pytest.mark.parametrize("deviation", [0.02, 0.1])
def test_fresh_heads_are_spread_as_the_model(tmp_path, deviation):
    """The standard deviation of its own random weights; the usual one leaves a head as it was."""
    config = transformers.XLMRobertaConfig(
        vocab_size=30, hidden_size=64, num_hidden_layers=1, num_attention_heads=2, intermediate_size=64,
        max_position_embeddings=40, initializer_range=deviation,
    )  # fmt: skip
    torch.manual_seed(0)
    transformers.XLMRobertaModel(config).save_pretrained(tmp_path)
    head = make_head(task_of("classification", "mnli"), load_backbone(tmp_path), 1, None)
    assert head.dense.weight.std().item() == pytest.approx(deviation, rel=0.05)
    assert head.dense.bias.abs().max() == 0
