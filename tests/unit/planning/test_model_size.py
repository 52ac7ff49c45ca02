"""Shapes against the models of transformers and peft."""

import json

import pytest
import torch
import transformers
from xstilts.data.sources import Place, tiny
from xstilts.planning import model_size, registry

from tests.builders.architectures import config_of
from tests.builders.families import FAMILIES
from tests.builders.plans import node_of, plan_study

MODELS = registry.load().models
TINY = "{description: x, source: tiny, models: [tiny], targets: {xnli: }, languages: [de], mixtures: {none: }}"
SHAPES = {name: entry for name, entry in MODELS.items() if entry["shape"]}


def count(model):
    return sum(parameter.numel() for name, parameter in model.named_parameters() if "pooler" not in name)


def empty(config, kind="AutoModel"):
    with torch.device("meta"):
        return getattr(transformers, kind).from_config(config)


@pytest.mark.parametrize("name", [name for name, entry in MODELS.items() if entry["parameters"]])
def test_parameters_are_those_of_the_model(name):
    """The body's exactly; and, with a pooler or a matrix of scores beside it, what the registry states."""
    entry = MODELS[MODELS[name]["weights_of"] or name]
    config, submodel = transformers.AutoConfig.for_model(**entry["shape"]), MODELS[name]["submodel"]
    shape = model_size.read(entry["shape"], submodel)
    model = empty(config, "AutoModelForTextEncoding" if submodel else "AutoModel")
    assert shape.parameters == count(model)
    pooler = sum(one.numel() for key, one in model.named_parameters() if key.startswith("pooler."))
    # transformers ties mT5's scores to its embeddings until it sees weights that differ, as the published ones do
    scores = 0 if submodel or shape.predicts == model_size.MASKED else shape.language_head
    assert shape.parameters + pooler + scores == MODELS[name]["parameters"]


def test_shape_of_the_tiny_model(tmp_path):
    tiny.fetch_model(node_of(plan_study(tmp_path, TINY), "models", "tiny").spec.source, tmp_path, Place(None, True))
    made = json.loads((tmp_path / "config.json").read_text())
    assert SHAPES["tiny"]["shape"].items() <= made.items()


@pytest.mark.parametrize(
    "name",
    [
        "xlm-roberta-base",
        "xlm-roberta-large",
        "multilingual-bert",
        "xlm-roberta-xl",
        "xlm-roberta-xxl",
        "qwen3-14b-base",
        "eurobert-210m",
        "mmbert-small",
    ],
)
def test_language_head_is_that_of_the_model(name):
    config = transformers.AutoConfig.for_model(**SHAPES[name]["shape"])
    shape = model_size.read(SHAPES[name]["shape"])
    kind = "AutoModelForCausalLM" if shape.predicts == model_size.CAUSAL else "AutoModelForMaskedLM"
    assert shape.parameters + shape.language_head == count(empty(config, kind))


def test_registered_models_can_be_had():
    """A download is pinned to a commit; the encoder alone is that of an encoder-decoder; all have a size."""
    for name, entry in MODELS.items():
        assert entry["revision"] is None or len(entry["revision"]) == 40, name
        assert (entry["hub"] is None) == (entry["revision"] is None), name
        own = MODELS[entry["weights_of"] or name]
        assert own["shape"] or own["pretrained"], name
        assert entry["submodel"] is None or model_size.read(own["shape"]).predicts == model_size.BOTH, name


@pytest.mark.parametrize("name", [*FAMILIES, "eurobert", "gemma3_text", "umt5"])
def test_shape_of_a_config_and_its_adapters(name, tmp_path):
    """From the config.json that such a model writes; parameters of peft's adapters beside it."""
    import peft

    config = FAMILIES[name][0](200) if name in FAMILIES else config_of(name, 200)
    config.save_pretrained(tmp_path)
    content = {**config.to_dict(), **json.loads((tmp_path / "config.json").read_text())}
    shape = model_size.read(content)
    model = transformers.AutoModel.from_config(config)
    assert shape.parameters == count(model)
    if getattr(model, "pooler", None) is not None:
        model.pooler = None
    lora = peft.LoraConfig(r=3, target_modules="all-linear", task_type="FEATURE_EXTRACTION")
    adapted = peft.get_peft_model(model, lora)
    assert shape.lora(3, "all-linear") == sum(one.numel() for one in adapted.parameters() if one.requires_grad)
    assert shape.virtual("prompt", 5) == 5 * 16


SMALL = {
    "xlm-roberta": {"hidden_size": 256, "num_hidden_layers": 4, "num_attention_heads": 4, "intermediate_size": 1024,
                    "max_position_embeddings": 130, "type_vocab_size": 1, "hidden_dropout_prob": 0.0,
                    "attention_probs_dropout_prob": 0.0},
    "modernbert": {"hidden_size": 256, "num_hidden_layers": 4, "num_attention_heads": 4, "intermediate_size": 384,
                   "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2, "cls_token_id": 1, "sep_token_id": 2},
    "mt5": {"d_model": 256, "d_kv": 64, "d_ff": 640, "num_layers": 4, "num_decoder_layers": 4, "num_heads": 4,
            "dropout_rate": 0.0},
    "qwen3": {"hidden_size": 256, "num_hidden_layers": 4, "num_attention_heads": 4, "num_key_value_heads": 1,
              "head_dim": 64, "intermediate_size": 896, "tie_word_embeddings": True},
}  # fmt: skip


@pytest.mark.parametrize("reduced", [False, True])
@pytest.mark.parametrize("kind", SMALL)
def test_activations_are_those_that_torch_keeps(kind, reduced):
    """Within a quarter of the bytes that autograd holds, in float32 and under autocast with copies of the weights."""
    sequences, length = 4, 128
    config = transformers.AutoConfig.for_model(kind, vocab_size=300, **SMALL[kind])
    model = transformers.AutoModel.from_config(config).train()
    if kind == "xlm-roberta":
        model.pooler = None
    ids = torch.randint(5, 300, (sequences, length))
    inputs = {"input_ids": ids, "attention_mask": torch.ones_like(ids)}
    inputs |= {"decoder_input_ids": ids} if kind == "mt5" else {}
    own = {one.untyped_storage().data_ptr() for one in model.parameters()}
    kept = {}

    def keep(tensor):
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            kept[storage.data_ptr()] = (storage.nbytes(), tensor)
        return tensor

    with (
        torch.autocast("cpu", torch.bfloat16, enabled=reduced),
        torch.autograd.graph.saved_tensors_hooks(keep, lambda one: one),
    ):
        states = model(**inputs).last_hidden_state
    assert states.requires_grad
    shape = model_size.read(config.to_dict())
    stated = shape.activations(sequences * length, length, 2 if reduced else 4, None)
    stated += 2 * shape.matrices if reduced else 0
    assert stated == pytest.approx(sum(size for size, _ in kept.values()), rel=0.25)


def test_attention_both_ways_costs_twice_as_much():
    """A position sees all others in place of half of them on average; nothing else differs."""
    config = SHAPES["qwen3-4b-base"]["shape"]
    own, both = model_size.read(config), model_size.read(config, None, "bidirectional")
    assert both.attention(100) == 2 * own.attention(100) == 36 * 4 * 100 * 32 * 128
    assert (both.parameters, both.predicts) == (own.parameters, own.predicts)


def test_unknown_shapes():
    with pytest.raises(model_size.UserError, match="model type 'deberta-v2': its size is not known; there are"):
        model_size.read({"model_type": "deberta-v2"})
    with pytest.raises(model_size.UserError, match="needs the key 'hidden_size' of config.json"):
        model_size.read({"model_type": "xlm-roberta"})
