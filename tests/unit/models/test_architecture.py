"""A tiny model of every architecture: it trains a step, is saved and reads back equal; and what is refused."""

import dataclasses
import json
from importlib.util import find_spec
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import transformers
from transformers.masking_utils import create_causal_mask
from xstilts.commands import main
from xstilts.errors import UserError
from xstilts.model_config import BOTH_WAYS
from xstilts.models import adapters, architecture
from xstilts.models.backbone import language_head, load_backbone
from xstilts.models.distributed import Group
from xstilts.models.model import Model, load_model, make_head, save_model, tensors
from xstilts.models.quantisation import QuantisedLinear
from xstilts.store.specs.models import BIDIRECTIONAL
from xstilts.tokenization.tokenizer import ModelTokenizer

from tests.builders.architectures import ARCHITECTURES, READ_IMAGES, write_architecture
from tests.builders.models import (
    CPU,
    LENGTHS,
    METHODS,
    encode,
    fresh,
    numerics,
    outputs,
    rows_of,
    split_of,
    step,
    task_of,
)

# every architecture, and encoders alone whose whole model is another one
PARTS = [*ARCHITECTURES, "t5gemma-encoder", "umt5-encoder"]


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    made = {}
    for kind in ARCHITECTURES:
        made[kind] = tmp_path_factory.mktemp(kind)
        write_architecture(kind, made[kind])
    return {**made, **{f"{kind}-encoder": made[kind] for kind in ("t5gemma", "umt5")}}


# with a language-model head of their own, to which none of their inputs but text is needed
DECODERS = [kind for kind, (family, _) in ARCHITECTURES.items() if family in ("qwen", "gemma")]


@pytest.mark.parametrize("kind", [kind for kind in DECODERS if kind not in READ_IMAGES])
def test_language_head_gives_the_scores_of_the_whole_model(folders, kind):
    """With the factors and bounds of its type."""
    whole = transformers.AutoModelForCausalLM.from_pretrained(folders[kind]).eval()
    backbone = load_backbone(folders[kind]).eval()
    head = language_head(folders[kind], backbone).eval()
    ids = torch.arange(4, 16).reshape(2, 6)
    inputs = {"ids": ids, "mask": torch.ones_like(ids), "labelled": torch.ones_like(ids, dtype=torch.bool)}
    with torch.inference_mode():
        scores = head(backbone(inputs), inputs, 2)
        expected = whole(input_ids=ids, attention_mask=inputs["mask"]).logits.flatten(0, 1)
    torch.testing.assert_close(scores, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", PARTS)
def test_every_architecture_trains_a_step_and_reads_back_equal(folders, tmp_path, name):
    """With LoRA and a fresh head, and in full with its own head; padding changes nothing."""
    folder, part = folders[name], numerics(name).submodel
    architecture.check(folder)
    tokenizer = ModelTokenizer(folder)
    split = split_of("classification", rows_of("classification"), tokenizer, tmp_path / "rows.parquet", **LENGTHS)
    backbone = load_backbone(folder, part).eval()
    order = np.argsort(split.tokens.lengths)
    with torch.inference_mode():
        together = backbone(tensors(split.tokens.inputs(order), CPU)).pooled[:1]
        alone = backbone(tensors(split.tokens.inputs(order[:1]), CPU)).pooled
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-5)
    assert (backbone.depth, backbone.width) == (2, 16)
    for form, method in [("classification", "lora"), *([] if part else [("mlm", "full")])]:
        split = split_of(form, rows_of(form), tokenizer, tmp_path / "rows.parquet", **LENGTHS)
        model = fresh(folders, name, form, method)
        assert np.isfinite(step(model, form, split))
        saved = tmp_path / form
        saved.mkdir()
        save_model(model, saved, Group())
        below = [folder] if method == "lora" else []
        again = load_model([saved, *below], [task_of(form)], numerics(name), folder)
        assert torch.equal(outputs(model, form, split), outputs(again, form, split))


NF4 = pytest.param("nf4", marks=pytest.mark.skipif(find_spec("bitsandbytes") is None, reason="no bitsandbytes"))


@pytest.mark.parametrize("quantised", [None, NF4])
@pytest.mark.parametrize("name", PARTS)
def test_every_architecture_takes_an_adapter_beside_another(folders, tmp_path, name, quantised):
    """Of weights in bfloat16, and in 4 bits: both adapters are trained for a step and read back equal."""
    folder, chain = folders[name], [folders[name]]
    rows, tokenizer = rows_of("classification"), ModelTokenizer(folder)
    split = split_of("classification", rows, tokenizer, tmp_path / "rows.parquet", **LENGTHS)
    held = numerics(name, "bfloat16", "bfloat16", unmerged=True, quantised=quantised)
    for phase in (1, 2):
        backbone = adapters.load(chain, held)
        adapters.inject(backbone, METHODS["lora"], phase, unmerged=True)
        model = Model(backbone, {"task": make_head(task_of("classification"), backbone, 1, folder)}, held.precision)
        assert np.isfinite(step(model, "classification", split))
        chain = [tmp_path / str(phase), *chain]
        chain[0].mkdir()
        save_model(model, chain[0], Group())
        again = load_model(chain, [task_of("classification")], held, folder)
        assert torch.equal(outputs(model, "classification", split), outputs(again, "classification", split))


@pytest.mark.parametrize("quantised", [NF4])
@pytest.mark.parametrize("name", PARTS)
def test_every_architecture_computes_with_the_weights_that_4_bits_stand_for(folders, tmp_path, name, quantised):
    """Of vectors that no layer has cut to integers, below an adapter, too: as T5 does by the type of weights."""
    held = numerics(name, "bfloat16", "bfloat16", quantised=quantised)
    backbones = [adapters.load([folders[name]], one) for one in (held, dataclasses.replace(held, quantised=None))]
    layers, read = {}, set()
    for key, layer in backbones[0].transformer.named_modules():
        if isinstance(layer, QuantisedLinear):
            layers[key] = layer
            layer.register_forward_pre_hook(lambda _, given: read.add(given[0].dtype))
    with torch.no_grad():
        for key, layer in layers.items():
            backbones[1].transformer.get_submodule(key).weight.copy_(layer.dequantised())
    tokenizer = ModelTokenizer(folders[name])
    split = split_of("classification", rows_of("classification"), tokenizer, tmp_path / "rows.parquet", **LENGTHS)
    inputs = tensors(split.tokens.inputs(np.arange(len(split.tokens))), CPU)

    def vectors(backbone):
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
            return backbone.eval()(inputs).hidden_states.float()

    expected = vectors(backbones[1])
    for way in ("alone", "below an adapter"):
        if way != "alone":
            adapters.inject(backbones[0], METHODS["lora"], 1)
        found = vectors(backbones[0])
        assert float((found - expected).norm() / expected.norm()) < 0.02, way
    assert read and all(dtype.is_floating_point for dtype in read)


@pytest.mark.parametrize("kind", READ_IMAGES)
def test_language_model_of_a_model_for_images_and_text_is_used_alone(folders, kind):
    """It gives what the whole model gives for a text, and has no weights for images."""
    backbone = load_backbone(folders[kind]).eval()
    whole = transformers.AutoModelForImageTextToText.from_pretrained(folders[kind]).eval()
    tokens = encode("classification", rows_of("classification"), ModelTokenizer(folders[kind]), **LENGTHS)
    inputs = tensors(tokens.inputs(np.arange(1)), CPU)
    with torch.inference_mode():
        expected = whole(input_ids=inputs["ids"], attention_mask=inputs["mask"], output_hidden_states=True)
        torch.testing.assert_close(backbone(inputs).hidden_states, expected.hidden_states[-1])
    assert backbone.family == "decoder"
    names = [name for name, _ in backbone.named_parameters()]
    assert names and not any("vision" in name or "visual" in name or "projector" in name for name in names)


def test_routers_have_no_adapter(folders):
    """They give more than a product, so a matrix beside them has nowhere to stand; other linear layers have one."""
    backbone = adapters.load([folders["llama4"]], numerics())
    adapters.inject(backbone, METHODS["lora"], 1)
    adapted = {name for name, _ in backbone.named_parameters() if "lora" in name}
    assert any("q_proj" in name for name in adapted) and not any("router" in name for name in adapted)


@pytest.mark.parametrize(
    ("kind", "method", "message"),
    [("rembert", "prompt", "a prompt needs a model that reads vectors in place of tokens, which rembert does not"),
     ("gemma4", "prompt", "a prompt needs a model that reads vectors in place of tokens, which gemma4_text does not"),
     ("qwen3_5", "prefix", "a prefix needs a model whose layers take keys and values from outside"),
     ("t5gemma", "prefix", "the model does not take this adapter: .*; use lora"),
     ("xglm", "prompt", "the model does not take this adapter: .*; use lora")],
)  # fmt: skip
def test_adapters_that_an_architecture_does_not_take(folders, kind, method, message):
    backbone = adapters.load([folders[kind]], numerics())
    with pytest.raises(UserError, match=message):
        adapters.inject(backbone, METHODS[method], 1)


def test_lora_on_layers_that_a_model_lacks(folders):
    backbone = adapters.load([folders["rembert"]], numerics())
    method = dataclasses.replace(METHODS["lora"], modules=("q_projection",))
    with pytest.raises(
        UserError, match="Target modules .*q_projection.*; name some of the model's layers in `modules`"
    ):
        adapters.inject(backbone, method, 1)


def test_decoder_of_t5gemma_begins_with_the_token_before_every_text(folders):
    """As transformers moves its labels."""
    whole = transformers.T5GemmaForConditionalGeneration.from_pretrained(folders["t5gemma"])
    backbone = load_backbone(folders["t5gemma"])
    ids = torch.tensor([[5, 6, 7]])
    arguments = backbone._arguments({"ids": ids, "mask": torch.ones_like(ids)})
    assert torch.equal(arguments["decoder_input_ids"], whole.prepare_decoder_input_ids_from_labels(ids))


# the decoders that can look both ways, by the name of a tiny model of each
BOTH = {kind: {"llama": "llama", "qwen3": "qwen", "gemma2": "gemma"}.get(kind, kind) for kind in BOTH_WAYS}


def states(backbone, ids, mask=None):
    inputs = {"ids": ids, "mask": torch.ones_like(ids) if mask is None else mask}
    with torch.inference_mode():
        return backbone.eval()(inputs)


@pytest.mark.parametrize("kind", BOTH_WAYS)
def test_a_later_token_changes_earlier_vectors_where_attention_looks_both_ways(folders, families, kind):
    """And does not by the model's own attention; padding changes nothing, nor does it which kernel computes it."""
    folder = {**families, **folders}[BOTH[kind]]
    ids = torch.tensor([[9, 7, 21, 30, 12, 17]])
    other = torch.tensor([[9, 7, 21, 30, 12, 18]])
    own = load_backbone(folder)
    torch.testing.assert_close(states(own, ids).hidden_states[:, :-1], states(own, other).hidden_states[:, :-1])
    both = load_backbone(folder, attention=BIDIRECTIONAL)
    assert both.transformer.config.model_type == kind
    alone = states(both, ids)
    assert ((alone.hidden_states - states(both, other).hidden_states)[0].abs().amax(1) > 1e-5).all()
    torch.testing.assert_close(alone.pooled, alone.hidden_states.mean(1))
    rows = torch.cat([torch.nn.functional.pad(ids, (0, 3)), torch.full((1, 9), 11)])
    mask = torch.ones_like(rows)
    mask[0, 6:] = 0
    padded = states(both, rows, mask)
    torch.testing.assert_close(padded.hidden_states[:1, :6], alone.hidden_states, rtol=1e-4, atol=1e-5)
    torch.testing.assert_close(padded.pooled[:1], alone.pooled, rtol=1e-4, atol=1e-5)
    both.transformer.set_attn_implementation("eager")
    torch.testing.assert_close(states(both, rows, mask).pooled, padded.pooled, rtol=1e-4, atol=1e-5)


def test_masks_of_flash_attention_are_those_of_padding_alone(families):
    both = load_backbone(families["qwen"], attention=BIDIRECTIONAL).transformer
    assert not any(layer.self_attn.is_causal for layer in both.layers)
    both.config._attn_implementation = "flash_attention_2"
    embedded, mask = torch.zeros(1, 4, 16), torch.tensor([[1, 1, 1, 0]])
    made = [
        create_causal_mask(both.config, embedded, given, past_key_values=None)
        for given in (mask, torch.ones_like(mask))
    ]
    assert made[0].tolist() == [[True, True, True, False]] and made[1] is None


def test_attention_both_ways_is_that_of_a_written_out_llama(families):
    """Scaled products of queries and keys over all positions (Vaswani et al. 2017, section 3.2.1), and no mask."""
    model = load_backbone(families["llama"], attention=BIDIRECTIONAL)
    ids = torch.tensor([[9, 7, 21, 30, 12, 17]])
    config, weights = model.transformer.config, model.transformer.state_dict()
    heads, size, length = config.num_attention_heads, config.head_dim, ids.shape[1]
    angles = torch.outer(
        torch.arange(length), config.rope_parameters["rope_theta"] ** -(torch.arange(0, size, 2) / size)
    )
    cosine, sine = torch.cat([angles, angles], 1).cos(), torch.cat([angles, angles], 1).sin()

    def norm(vectors, name):
        scale = (vectors.square().mean(-1, keepdim=True) + config.rms_norm_eps).rsqrt()
        return vectors * scale * weights[f"{name}.weight"]

    def turned(vectors):
        first, second = vectors.chunk(2, -1)
        return vectors * cosine + torch.cat([-second, first], -1) * sine

    hidden = weights["embed_tokens.weight"][ids[0]]
    for number in range(config.num_hidden_layers):
        linear = {name.split(".")[3]: value.T for name, value in weights.items() if name.startswith(f"layers.{number}.")
                  and name.count(".") == 4}  # fmt: skip
        vectors = norm(hidden, f"layers.{number}.input_layernorm")
        query, key, value = (
            (vectors @ linear[f"{name}_proj"]).view(length, heads, size).transpose(0, 1) for name in "qkv"
        )
        seen = (turned(query) @ turned(key).transpose(1, 2) / size**0.5).softmax(-1)
        hidden = hidden + (seen @ value).transpose(0, 1).reshape(length, -1) @ linear["o_proj"]
        vectors = norm(hidden, f"layers.{number}.post_attention_layernorm")
        gate = torch.nn.functional.silu(vectors @ linear["gate_proj"])
        hidden = hidden + (gate * (vectors @ linear["up_proj"])) @ linear["down_proj"]
    torch.testing.assert_close(states(model, ids).hidden_states[0], norm(hidden, "norm"), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("method", METHODS)
def test_attention_both_ways_is_trained_saved_and_read_back(families, family_splits, tmp_path, method):
    split = family_splits["qwen", "tagging"]
    backbone = load_backbone(families["qwen"], attention=BIDIRECTIONAL)
    adapters.inject(backbone, METHODS[method], 1)
    model = Model(backbone, {"task": make_head(task_of("tagging"), backbone, 1, None)})
    assert step(model, "tagging", split) != step(fresh(families, "qwen", "tagging", method), "tagging", split)
    save_model(model, tmp_path, Group())
    below = [families["qwen"]] if method != "full" else []
    both = dataclasses.replace(numerics(), attention=BIDIRECTIONAL)
    again = load_model([tmp_path, *below], [task_of("tagging")], both, None)
    assert torch.equal(outputs(model, "tagging", split), outputs(again, "tagging", split))


@pytest.mark.parametrize("name", ["xlm-r", "mt5", "mt5-encoder", "bloom", "llama4", "qwen3_5"])
def test_attention_both_ways_is_for_decoders_with_a_mask(folders, families, name):
    part = numerics(name).submodel
    with pytest.raises(UserError, match="attention: bidirectional is for decoders .* type"):
        load_backbone({**families, **folders}[name], part, attention=BIDIRECTIONAL)


# encoder-decoders of speech, images and numbers, and one that is made of two models
OTHERS = (
    "whisper", "speecht5", "seamless_m4t", "detr", "vision-encoder-decoder", "autoformer", "time_series_transformer",
    "encoder-decoder",
)  # fmt: skip


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({}, "no model_type"),
        ({"model_type": "t6", "transformers_version": "99.1.0"}, "'t6' is not known .* written by 99.1.0: install"),
        ({"model_type": "t6", "transformers_version": "4.1.0"}, "'t6' is not known .* which version has it is not"),
        ({"model_type": "t5gemma2"}, "its encoder has a part for images"),
        ({"model_type": "vit"}, "neither a masked nor a causal language model"),
        ({"model_type": "llama", "quantization_config": {"quant_method": "fp8"}}, "weights are quantised"),
        ({"model_type": "llama", "quantization_config": 5}, "not a configuration of 'llama'"),
        ({"model_type": "llama", "hidden_size": "wide"}, "not a configuration of 'llama'"),
        ({"model_type": "llama", "dtype": "zzz"}, "not a configuration of 'llama'"),
        ({"model_type": "llama", "num_attention_heads": 0}, "not a configuration of 'llama'"),
        ({"model_type": ["x"]}, r"model_type \['x'\] is no name"),
        (["x"], "damaged .*; save the model anew"),
        # a library is missing, or it has no language model
        ({"model_type": "gemma3n_vision"}, "'gemma3n_vision'"),
        ({"model_type": "xmod"}, "nothing tells it the language of a text"),
        *(({"model_type": kind}, f"{kind!r}: no encoder-decoder that reads and writes text alone") for kind in OTHERS),
    ],
)  # fmt: skip
def test_architectures_that_cannot_be_used(tmp_path, config, message):
    (tmp_path / "config.json").write_text(json.dumps(config))
    with pytest.raises(UserError, match=message) as refused:
        architecture.check(tmp_path)
    assert "\n" not in str(refused.value) and str(tmp_path / "config.json") in str(refused.value)


def test_index_of_a_model_that_cannot_be_used_is_not_written(folders, tmp_path, caplog, monkeypatch):
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "model"
    folder.mkdir()
    for path in folders["mistral"].iterdir():
        (folder / path.name).write_bytes(path.read_bytes())
    content = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**content, "model_type": "mistral99"}))
    assert main(["index-model", str(folder)]) == 2
    assert "'mistral99' is not known to transformers" in caplog.text
    assert not (folder / "model.yaml").exists()


@pytest.mark.parametrize("again", [True, False])
@pytest.mark.parametrize("kind", ["activation", "gradient"])
def test_layers_are_computed_again_or_not_by_whichever_name_transformers_has(kind, again):
    name, called = f"{kind}_checkpointing_{'enable' if again else 'disable'}", []
    for now in (again, not again):
        layer = SimpleNamespace(gradient_checkpointing=now)
        model = SimpleNamespace(modules=lambda layer=layer: [layer], **{name: lambda: called.append(name)})
        architecture.recompute_layers(model, again)
        # nothing is asked of a model that is so already
        assert called == [name] * (now != again)
