"""Estimates: shapes against the models of transformers and peft, and what is counted from them, by hand."""

import json
import math
from dataclasses import replace

import pytest
import torch
import transformers
from conftest import ROOT, plan_of
from families import FAMILIES
from xstilts import commands, forms
from xstilts.data.sources import Place, tiny
from xstilts.forms import FORMS
from xstilts.planning import estimate, model_size, registry
from xstilts.planning.estimate import GPU_TYPES, Estimate
from xstilts.planning.settings import from_config
from xstilts.planning.study import read_study
from xstilts.planning.unindexed import plan_unindexed

MODELS = registry.load().models
KNOWN = {name: entry for name, entry in MODELS.items() if entry["shape"]}
LORA = {"name": "lora", "rank": 16, "alpha": 32, "dropout": 0.0, "modules": "all-linear"}


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
    tiny.fetch_model(MODELS["tiny"]["generated"], tmp_path, Place(None, True))
    made = json.loads((tmp_path / "config.json").read_text())
    assert KNOWN["tiny"]["shape"].items() <= made.items()


@pytest.mark.parametrize("name", ["xlm-roberta-large", "multilingual-bert", "xlm-roberta-xxl", "qwen3-14b-base"])
def test_language_head_is_that_of_the_model(name):
    config = transformers.AutoConfig.for_model(**KNOWN[name]["shape"])
    shape = model_size.read(KNOWN[name]["shape"])
    kind = "AutoModelForCausalLM" if shape.predicts == model_size.CAUSAL else "AutoModelForMaskedLM"
    assert shape.parameters + shape.language_head == count(empty(config, kind))


@pytest.mark.parametrize("form", [form for form, facts in FORMS.items() if facts.trained and not facts.pretrained_head])
def test_heads_are_those_of_the_forms(form):
    shape = model_size.read(KNOWN["tiny"]["shape"])
    labels = ["a", "b", "c"]
    made = forms.get(form).head(shape.width, labels, 0.0)
    assert estimate.head_size(form, labels, shape) == sum(one.numel() for one in made.parameters())


def test_registered_models_can_be_had():
    """A download is pinned to a commit; the encoder alone is that of an encoder-decoder; all have a size."""
    for name, entry in MODELS.items():
        assert entry["revision"] is None or len(entry["revision"]) == 40, name
        assert (entry["hub"] is None) == (entry["revision"] is None), name
        own = MODELS[entry["weights_of"] or name]
        assert own["shape"] or own["pretrained"], name
        assert entry["submodel"] is None or model_size.read(own["shape"]).predicts == model_size.BOTH, name


@pytest.mark.parametrize("family", sorted(set(FAMILIES) - {"modernbert"}))
def test_shape_of_a_config_and_its_adapters(family, tmp_path):
    """From the config.json that a model of the family writes; parameters of peft's adapters beside it."""
    import peft

    make_config = FAMILIES[family][0]
    config = make_config(200)
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


def test_unknown_shapes():
    with pytest.raises(model_size.UserError, match="model type 'modernbert': its size is not known; there are"):
        model_size.read({"model_type": "modernbert"})
    with pytest.raises(model_size.UserError, match="needs the key 'hidden_size' of config.json"):
        model_size.read({"model_type": "xlm-roberta"})


@pytest.fixture(scope="module")
def scale(tmp_path_factory):
    """The plan of studies/scale.yaml on a machine that has neither models nor data."""
    folder = tmp_path_factory.mktemp("scale")
    known = registry.load()
    study = read_study(ROOT / "studies/scale.yaml", known)
    return plan_unindexed(study, known, from_config({"results": str(folder / "results")})), known, folder / "results"


def of(scale, stage, name, **hardware):
    plan, known, results = scale
    # of two searches with a name, that of the intermediate phase has no early stopping
    nodes = [node for node in plan.stage(stage).values() if node.name == name]
    (node,) = [node for node in nodes if len(nodes) == 1 or not node.spec["early_stopping"]]
    return estimate.of_node(node, plan, known, results, estimate.Hardware(**hardware)), node


def test_full_training_by_hand(scale):
    """XLM-R Large: 12,000 steps of 32 x 256 positions; 12 bytes a weight beside the weights and their copies."""
    found, node = of(scale, "intermediate", "xlm-roberta-large.full.mnli.s1")
    body, head = 559_890_432 - 1024 * 1024 - 1024, 1024 * 1024 + 1024 + 3 * 1025
    assert found.parameters == found.trained == body + head
    assert found.gradients == 4 * found.trained and found.optimiser == 8 * found.trained
    assert found.disk == 4 * found.parameters
    matrices = 24 * 12 * 1024 * 1024
    assert found.weights == 4 * found.parameters + 2 * matrices
    assert found.tokens == 12_000 * 32 * 256
    # both products of attention at 256 positions
    attention = 24 * 2 * 2 * 256 * 1024
    assert found.operations == pytest.approx(found.tokens * 3 * (2 * matrices + attention))
    # Korthikanti et al. with norms in float32: 38 bytes a hidden number and layer
    assert found.activations == pytest.approx(32 * 256 * 24 * 1024 * 38)
    assert found.hours(GPU_TYPES["a100-80"], "bfloat16") == pytest.approx(found.operations / (312e12 * 0.4) / 3600)
    assert found.known == "bounded"
    less, _ = of(scale, "intermediate", "xlm-roberta-large.full.mnli.s1", max_tokens_per_device=4096)
    assert less.activations == found.activations / 2
    one, _ = of(scale, "intermediate", "xlm-roberta-large.full.mnli.s1", max_tokens_per_device=8)
    assert one.activations == found.activations / 32
    again, _ = of(scale, "intermediate", "xlm-roberta-large.full.mnli.s1", gradient_checkpointing=True)
    assert again.operations == pytest.approx(found.operations * 4 / 3) and again.activations < found.activations / 5


def test_adapter_by_hand(scale):
    """XLM-R XXL with LoRA of rank 16: weights in bfloat16; adapter and heads alone are trained, and stay on disk."""
    found, _ = of(scale, "intermediate", "xlm-roberta-xxl.lora.squad_v1.s1")
    adapter, head = 48 * 16 * (4 * (4096 + 4096) + 2 * (4096 + 16384)), 2 * 4097
    body, matrices = 10_712_735_744 - 4096 * 4096 - 4096, 48 * 12 * 4096 * 4096
    assert found.trained == adapter + head and found.parameters == body + adapter + head
    assert found.weights == 2 * body + 4 * (adapter + head)
    assert found.disk == 4 * found.trained and found.optimiser == 8 * found.trained
    # no gradients of the matrices, but both sides of attention
    attention = 48 * 2 * 2 * 384 * 4096
    assert found.operations == pytest.approx(found.tokens * (2 * 2 * matrices + 3 * attention))
    assert found.gpus(GPU_TYPES["h100"]) == 2 and found.gpus(GPU_TYPES["h200"]) == 1
    search, _ = of(scale, "learning_rates", "xlm-roberta-xxl.lora.squad_v1")
    assert search.operations == pytest.approx(3 * found.operations) and search.disk == 0


def test_mixture_by_hand(scale):
    """Tasks are drawn as in training; an example of several choices is as many sequences, and so is a batch."""
    found, node = of(scale, "intermediate", "xlm-roberta-large.full.nine.s1")
    rows = {"anli_plus": 400_000, "mnli": 392_702, "qqp": 363_846, "squad_v1": 87_599, "squad_v2": 130_319,
            "hellaswag": 39_905, "ccg": 50_000, "cosmosqa": 25_262, "commonsenseqa": 9_741}  # fmt: skip
    tokens = {"squad_v1": 384, "squad_v2": 384, "hellaswag": 4 * 256, "cosmosqa": 4 * 256, "commonsenseqa": 5 * 256}
    mean = sum(number * tokens.get(task, 256) for task, number in rows.items()) / sum(rows.values())
    assert found.tokens == pytest.approx(12_000 * 32 * mean)
    assert found.activations == pytest.approx(32 * 5 * 256 * 24 * 1024 * 38)
    # nobody states how many rows CCG has
    assert found.known == "assumed"


def spec_of(**differences):
    task = {"task": "text", "form": "mlm", "labels": None, "weight": 1.0, "epochs": 1, "batch_size": 4}
    spec = {
        "tasks": [task], "sampling": {"kind": "proportional", "cap": None, "temperature": 1, "steps": None},
        "method": {"name": "full"}, "frozen_embeddings": False, "precision": "float32", "dtype": "float32",
    }  # fmt: skip
    return {**spec, **differences}


def trained(shape, **differences):
    spec = spec_of(**differences)
    mask_rate = 0.15 if spec["tasks"][0]["form"] == "mlm" else 0.0
    data = [estimate._Data(10, 20.0, 1, 32, "measured", mask_rate)]
    return estimate._training(spec, shape, data, estimate.Hardware())


def test_language_model_by_hand():
    """The head's matrix is computed at the positions to be mask_rate: 15 % in an encoder, all in a decoder."""
    shape = model_size.read(KNOWN["tiny"]["shape"])
    found = trained(shape)
    assert found.parameters == found.trained == shape.parameters + shape.language_head
    assert found.tokens == 3 * 4 * 20
    assert found.operations == pytest.approx(
        240 * 3 * (2 * (shape.matrices + 0.15 * 186 * 32) + shape.attention(20))
    )  # fmt: skip
    decoder = replace(shape, predicts=model_size.CAUSAL)
    more = 240 * 3 * 2 * 0.85 * 186 * 32
    assert trained(decoder).operations == pytest.approx(found.operations + more)
    frozen = trained(shape, frozen_embeddings=True)
    assert frozen.trained == found.trained - 186 * 32 and frozen.disk == found.disk
    # beside an adapter the pretrained head stays
    assert trained(shape, method=LORA).trained == shape.lora(16, "all-linear")
    prompt = trained(shape, method={"name": "prompt", "prompt_length": 5})
    assert prompt.trained == 5 * 32 and prompt.tokens == 3 * 4 * 25


def test_memory_of_the_host():
    found = Estimate(0, 0, 2e9, 1e9, 2e9, 7e9, 0, 0, 0, "measured")
    assert found.host_megabytes(None) == 13_500 and found.host_megabytes(GPU_TYPES["h100"]) == 11_000
    assert found.gpus(GPU_TYPES["a100-40"]) == 1
    large = replace(found, activations=95e9)
    assert large.gpus(GPU_TYPES["h100"]) == 2 and large.host_megabytes(GPU_TYPES["h100"]) == 2 * 8_000 + 3_000


def test_predictions_by_hand(scale):
    """XNLI's test sets in fifteen languages, in forward passes; Tatoeba's pairs, and a vector of each sentence."""
    found, _ = of(scale, "predictions", "xlm-roberta-large.full.none.s1.xnli")
    matrices, attention = 24 * 12 * 1024 * 1024, 24 * 2 * 2 * 256 * 1024
    assert found.tokens == 15 * 5010 * 256 and found.trained == found.gradients == found.disk == 0
    assert found.operations == pytest.approx(found.tokens * (2 * matrices + attention))
    vectors, node = of(scale, "embeddings", "xlm-roberta-large.full.none.tatoeba")
    prepared = scale[0].nodes[scale[0].nodes[node.spec["parents"]["tokens"]].spec["parents"]["prepared"]].spec
    rows = sum(language["published"] or 1000 for language in prepared["languages"].values())
    assert vectors.tokens == rows * 2 * 512 and vectors.disk == rows * 2 * 1024 * 4


def test_scale_compares_lora_at_both_sizes(scale):
    plan, _, _ = scale
    methods = {(cell.model, cell.method) for cell in plan.cells}
    large = {"xlm-roberta-xxl", "mt5-xxl", "qwen3-14b-base"}
    assert {model for model, method in methods if method == "lora"} == large | {
        "xlm-roberta-large", "mt5-base", "qwen3-0_6b-base"
    }  # fmt: skip
    assert {model for model, method in methods if method == "full"} == {"xlm-roberta-large"}
    parents = {role for node in plan.stage("targets").values() for role in node.spec["parents"]}
    assert {"model", "model.1", "learning_rate"} <= parents


def test_command(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config.yaml").write_text("{}")
    assert commands.main(["estimate", str(ROOT / "studies/scale.yaml"), "--gpu", "h200"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].split()[:3] == ["node", "params", "trained"]
    assert {"learning_rates", "intermediate", "targets", "predictions", "embeddings"} <= set(lines)
    (row,) = [line.split() for line in lines if line.startswith("  mt5-xxl.lora.nine.s1 ")]
    assert row[1] == "12.07B" and row[9].startswith("?")
    assert max(map(len, lines)) <= 120
    rows = [line for line in lines if line.startswith(" ")]
    (total,) = [line.split() for line in lines if line.startswith("total of ")]
    hours = sum(float(line.split()[-1]) for line in rows if line.split()[-1].replace(".", "").isdigit())
    assert float(total[-1]) == pytest.approx(hours, rel=0.01)
    assert lines[-1] == "Parameters of 6 models, built on the meta device: as the formula has them."


def test_command_refuses_a_formula_that_is_wrong(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config.yaml").write_text(f"study: {ROOT / 'studies/tiny.yaml'}\n")
    right = model_size._KINDS["xlm-roberta"]
    wrong = {"xlm-roberta": lambda config: replace(right(config), around=0)}
    monkeypatch.setattr(model_size, "_KINDS", wrong)
    assert commands.main(["estimate"]) == 2


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
    before = estimate.of_node(node, plan, registry.load(), results, estimate.Hardware())
    assert before.known == "bounded" and before.tokens == 3 * 4 * 32 * 64
    for stage, command in {"data": "fetch", "models": "fetch", "prepared": "prepare", "tokens": "tokenize"}.items():
        for one in plan.stage(stage).values():
            output = results / one.id / "manifest.json"
            assert commands.main([command, "--spec", json.dumps(one.spec), "--output", str(output)]) == 0
    found = estimate.of_node(node, plan, registry.load(), results, estimate.Hardware())
    tokens = json.loads((results / node.spec["parents"]["tokens.mnli"] / "manifest.json").read_text())
    part = tokens["splits"]["train"]
    assert found.known == "measured" and found.parameters == before.parameters
    # rows for early stopping were taken from those for training
    prepared = json.loads((results / tokens["spec"]["parents"]["prepared"] / "manifest.json").read_text())
    steps = 3 * math.ceil(prepared["splits"]["train"]["rows"] / 32)
    assert (
        found.tokens == pytest.approx(steps * 32 * part["tokens"] / part["instances"]) and found.tokens < before.tokens
    )
    # what is kept is that of the longest text that there may be
    assert found.activations == before.activations
    (node,) = (node for node in plan.stage("predictions").values() if ".none." in node.name)
    predicted = estimate.of_node(node, plan, registry.load(), results, estimate.Hardware())
    tokens = json.loads((results / node.spec["parents"]["tokens"] / "manifest.json").read_text())
    assert predicted.tokens == pytest.approx(sum(part["tokens"] for part in tokens["splits"].values()))
