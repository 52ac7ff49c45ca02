"""Estimates: what is counted from shapes and specs, by hand."""

import json
import math
from dataclasses import replace

import numpy as np
import pytest
from xstilts import forms
from xstilts.forms import FORMS
from xstilts.hardware import Hardware
from xstilts.planning import estimate, model_size, registry
from xstilts.planning.estimate import Estimate
from xstilts.planning.gpu_types import GPU_TYPES
from xstilts.store.manifest import PreparedResults, PreparedSplit, TokensResults, TokensSplit

from tests.builders.plans import make_stages, name_of, node_of, plan_study, results_of, write_manifest
from tests.builders.projects import plan_of

MODELS = registry.load().models
SHAPES = {name: entry for name, entry in MODELS.items() if entry["shape"]}


@pytest.mark.parametrize(
    "form", [form for form, stated in FORMS.items() if stated.trained and not stated.pretrained_head]
)
def test_heads_are_those_of_the_forms(form):
    shape = model_size.read(SHAPES["tiny"]["shape"])
    labels = ["a", "b", "c"]
    made = forms.get(form).head(shape.width, labels, 0.0)
    assert estimate.head_size(form, labels, shape) == sum(one.numel() for one in made.parameters())


def of(scale, stage, name, **hardware):
    plan, known, results = scale
    node = node_of(plan, stage, name)
    return estimate.of_node(node, plan, known, results, Hardware(**hardware)), node


def test_full_training_by_hand(scale):
    """XLM-R Large: 12,000 steps of 32 x 256 positions; 12 bytes a weight beside the weights and their copies."""
    found, node = of(scale, "intermediate", "xlm-roberta-large.jiant.mnli.s1")
    body, head = 559_890_432 - 1024 * 1024 - 1024, 1024 * 1024 + 1024 + 3 * 1025
    assert found.parameters == found.trained == body + head
    assert found.gradients == 4 * found.trained and found.optimiser == 8 * found.trained
    assert found.disk == 4 * found.parameters
    matrices = 24 * 12 * 1024 * 1024
    assert found.weights == 4 * found.parameters + 2 * matrices
    assert found.tokens == 12_000 * 32 * 45
    # both products of attention at 45 positions, the mean that the registry has
    attention = 24 * 2 * 2 * 45 * 1024
    assert found.operations == pytest.approx(found.tokens * 3 * (2 * matrices + attention))
    # Korthikanti et al. with norms in float32: 38 bytes a hidden number and layer
    assert found.activations == pytest.approx(32 * 256 * 24 * 1024 * 38)
    # products, then the bytes of AdamW, of copies, and of what the layers keep; or on a fast GPU launches
    traffic = 40 * found.trained + 2 * (2 * 32 * 45 * 24 * 1024 * 38 + 2 * matrices + 3 * 2 * matrices)
    seconds = found.operations / (0.7 * 312e12) + 12_000 * traffic / 2.039e12
    assert found.hours(GPU_TYPES["a100-80"], "bfloat16") == pytest.approx(seconds / 3600)
    assert found.hours(GPU_TYPES["h200"], "bfloat16") == pytest.approx(12_000 * 2880 * 5e-6 / 3600)
    assert found.certainty == "typical"
    less, _ = of(scale, "intermediate", "xlm-roberta-large.jiant.mnli.s1", max_tokens_per_device=4096)
    assert less.activations == found.activations / 2
    one, _ = of(scale, "intermediate", "xlm-roberta-large.jiant.mnli.s1", max_tokens_per_device=8)
    assert one.activations == found.activations / 32
    again, _ = of(scale, "intermediate", "xlm-roberta-large.jiant.mnli.s1", gradient_checkpointing=True)
    assert again.operations == pytest.approx(found.operations * 4 / 3) and again.activations < found.activations / 5


def test_every_gpu_reads_all_weights(scale):
    """A step of XLM-R Large on two GPUs: both read the matrices in each of two passes, in bfloat16."""
    plan, known, results = scale
    node = node_of(plan, "intermediate", "xlm-roberta-large.jiant.mnli.s1")
    sizes = estimate.sizes_of(node, plan, known, results)
    one, two = (estimate.of_sizes(node.spec, sizes, Hardware(), gpus).work[0].traffic for gpus in (1, 2))
    matrices = 24 * 12 * 1024 * 1024
    assert two - one == pytest.approx(12_000 * 2 * 2 * matrices)
    # both cast all of them, update all weights, and average gradients, read and written four times
    whole = estimate.of_sizes(node.spec, sizes, Hardware(shards=1), 2)
    more = 12_000 * (2 * 3 * 2 * matrices + (40 + 2 * 4 * 8) * whole.trained)
    assert whole.work[0].traffic - two == pytest.approx(more)


def test_a_batch_that_cannot_be_divided_is_computed_by_every_gpu(scale):
    """Retrieval's, whose loss compares all examples of a batch; one that can be divided takes the same operations."""
    plan, known, results = scale
    node = node_of(plan, "intermediate", "xlm-roberta-large.jiant.mnli.s1")
    sizes = estimate.sizes_of(node, plan, known, results)
    whole = replace(node.spec, tasks=[replace(node.spec.tasks[0], form="retrieval")])
    for hardware in (Hardware(), Hardware(shards=1)):
        costs = {
            (spec.tasks[0].form, gpus): estimate.of_sizes(spec, sizes, hardware, gpus)
            for spec in (node.spec, whole)
            for gpus in (1, 4)
        }
        operations = {form: cost.operations for form, cost in costs.items()}
        assert operations["retrieval", 4] == pytest.approx(4 * operations["retrieval", 1])
        assert operations["classification", 4] == operations["classification", 1]
        assert costs["retrieval", 4].tokens == costs["retrieval", 1].tokens


def test_adapter_by_hand(scale):
    """XLM-R XXL with LoRA of rank 16: weights in bfloat16; adapter and heads alone are trained, and stay on disk."""
    found, _ = of(scale, "intermediate", "xlm-roberta-xxl.lora.squad_v1.s1")
    adapter, head = 48 * 16 * (4 * (4096 + 4096) + 2 * (4096 + 16384)), 2 * 4097
    body, matrices = 10_712_735_744 - 4096 * 4096 - 4096, 48 * 12 * 4096 * 4096
    assert found.trained == adapter + head and found.parameters == body + adapter + head
    assert found.weights == 2 * body + 4 * (adapter + head)
    assert found.disk == 4 * found.trained and found.optimiser == 8 * found.trained
    # no gradients of the matrices, but both sides of attention
    attention = 48 * 2 * 2 * 215 * 4096
    assert found.operations == pytest.approx(found.tokens * (2 * 2 * matrices + 3 * attention))
    search, _ = of(scale, "learning_rates", "xlm-roberta-xxl.lora.squad_v1.intermediate")
    # the study's `grid_budget`, in place of three whole trainings
    assert search.operations == pytest.approx(0.3 * found.operations) and search.disk == 0


def test_mixture_by_hand(scale):
    """Tasks are drawn as in training; an example of several choices is as many sequences, and so is a batch."""
    found, node = of(scale, "intermediate", "xlm-roberta-large.jiant.nine.s1")
    rows = {"anli_plus": 400_000, "mnli": 392_702, "qqp": 363_846, "squad_v1": 87_599, "squad_v2": 130_319,
            "hellaswag": 39_905, "ccg": 50_000, "cosmosqa": 25_262, "commonsenseqa": 9_741}  # fmt: skip
    tokens = {"squad_v1": 215, "squad_v2": 213, "hellaswag": 377, "cosmosqa": 466, "commonsenseqa": 113, "mnli": 45,
              "qqp": 34}  # fmt: skip
    mean = sum(number * tokens.get(task, 256) for task, number in rows.items()) / sum(rows.values())
    assert found.tokens == pytest.approx(12_000 * 32 * mean)
    assert found.activations == pytest.approx(32 * 5 * 256 * 24 * 1024 * 38)
    # nobody states how many rows CCG has
    assert found.certainty == "assumed"


def test_a_step_of_several_tasks_has_the_examples_of_one(scale):
    """They are computed in several batches, each with launches of its own; recorded gradients are kept of every one."""
    plan, known, results = scale
    one, node = of(scale, "intermediate", "xlm-roberta-large.jiant.nine.s1")

    def mixed(**sampling):
        spec = replace(node.spec, sampling=replace(node.spec.sampling, tasks_per_step=4, **sampling))
        return estimate.of_node(replace(node, spec=spec), plan, known, results, Hardware())

    found, recorded = mixed(), mixed(gradient_conflict_every=100)
    assert (found.tokens, found.operations) == (one.tokens, one.operations)
    assert found.activations == pytest.approx(one.activations / 4)
    launches = [sum(work.launches for work in cost.work) for cost in (one, found)]
    assert launches[1] == pytest.approx(4 * launches[0])
    assert recorded.activations - found.activations == 4 * 4 * (559_890_432 - 1024 * 1024 - 1024)


ENCODER = {**SHAPES["tiny"]["shape"], "max_position_embeddings": 66}
DECODER = {
    "model_type": "qwen3", "vocab_size": 200, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2,
    "num_key_value_heads": 1, "head_dim": 16, "intermediate_size": 64, "tie_word_embeddings": True,
}  # fmt: skip


def language_model(folder, config=ENCODER, hardware=None, **phase):
    """Return the estimate of training on ten texts of twenty tokens, and the shape of the model."""
    phase = {"epochs": 1, "batch_size": 4, "max_length": 32, "precision": "float32", **phase}
    study = {
        "description": "x", "source": "tiny", "models": ["tiny"], "mixtures": {"text": ["text"]}, "seeds": [1],
        "targets": {"tatoeba": None}, "languages": ["de"], "recipes": {"r": {"intermediate": phase, "target": phase}},
    }  # fmt: skip
    plan, results = plan_study(folder, study), folder / "results"
    (node,) = plan.stage("intermediate").values()
    tokens = plan.nodes[node.spec.parents["tokens.text"]]
    train = TokensSplit(instances=10, tokens=200, digest="")
    write_manifest(results, tokens, TokensResults(pad=1, segment_end=None, splits={"train": train}))
    rows = {"train": PreparedSplit(rows=10, labels={})}
    write_manifest(results, plan.nodes[tokens.spec.parents["prepared"]], PreparedResults(splits=rows, left_out={}))
    base = results / estimate.base_of(node, plan).id
    base.mkdir(parents=True, exist_ok=True)
    (base / "config.json").write_text(json.dumps(config))
    return estimate.of_node(node, plan, registry.load(), results, hardware or Hardware()), model_size.read(config)


def test_language_model_by_hand(tmp_path):
    """The head's matrix is computed at the positions to be predicted: 15 % in an encoder, all in a decoder."""
    found, shape = language_model(tmp_path)
    assert found.parameters == found.trained == shape.parameters + shape.language_head
    assert found.tokens == 3 * 4 * 20
    products = shape.matrices + 0.15 * shape.vocabulary * 32
    assert found.operations == pytest.approx(240 * 3 * (2 * products + shape.attention(20)))
    decoder, shape_of_decoder = language_model(tmp_path, DECODER)
    products = shape_of_decoder.matrices + 200 * 32
    assert decoder.operations == pytest.approx(240 * 3 * (2 * products + shape_of_decoder.attention(20)))
    frozen, _ = language_model(tmp_path, frozen_embeddings=True)
    assert frozen.trained == found.trained - shape.vocabulary * 32 and frozen.disk == found.disk
    # beside an adapter the pretrained head stays
    lora, _ = language_model(tmp_path, method={"name": "lora", "rank": 16})
    assert lora.trained == shape.lora(16, "all-linear")
    prefix, again = {"name": "prefix", "prompt_length": 5}, Hardware(gradient_checkpointing=True)
    assert language_model(tmp_path, method=prefix) == language_model(tmp_path, hardware=again, method=prefix)
    prompt, _ = language_model(tmp_path, method={"name": "prompt", "prompt_length": 5})
    assert prompt.trained == 5 * 32 and prompt.tokens == 3 * 4 * 25


def test_config_of_a_model_for_images_and_text(tmp_path):
    """Its part for text is what counts, and the registry says what the file leaves out as usual."""
    entries = registry.load()
    study = "{description: x, source: tiny, models: [gemma3-4b], targets: {xnli: }, languages: [de]}"
    plan = plan_study(tmp_path, study)
    node = next(iter(plan.stage("predictions").values()))
    folder = tmp_path / "results" / estimate.base_of(node, plan).id
    folder.mkdir(parents=True)
    published = {"model_type": "gemma3_text", "hidden_size": 2560, "intermediate_size": 10240, "num_hidden_layers": 34}
    vision = {"model_type": "siglip_vision_model", "hidden_size": 1152}
    content = {"model_type": "gemma3", "text_config": published, "vision_config": vision}
    (folder / "config.json").write_text(json.dumps(content))
    found = estimate.config_of(node, plan, entries, tmp_path / "results")
    assert model_size.read(found).parameters == entries.models["gemma3-4b"]["parameters"]


def test_memory_of_the_host():
    """Libraries of each process; weights, or what a checkpoint holds: what is trained, and its moments."""
    found = Estimate(0, 0, 2e9, 3e9, 1e9, 2e9, 0, 7e9, 0, 0, (), "measured")
    assert found.host_megabytes == 6_000 + 1_000 + 2_000 and found.memory == 13e9
    large = replace(found, gpus=2, shards=2, gathered=1e9)
    assert large.host_megabytes == 2 * 6_000 + 3_000 and large.memory == 3e9 + 1e9 + 7e9
    # whole weights on both, of which one is saved
    assert replace(found, gpus=2).host_megabytes == large.host_megabytes
    assert replace(found, gpus=2).memory == found.memory
    adapter = replace(found, loaded=52e9, gradients=1e7, optimiser=2e7)
    assert adapter.host_megabytes == 6_000 + 52_000


def test_predictions_by_hand(scale):
    """XNLI's test sets in fifteen languages, in forward passes; Tatoeba's pairs, and a vector of each sentence."""
    found, _ = of(scale, "predictions", "xlm-roberta-large.jiant.none.s1.xnli")
    matrices, attention = 24 * 12 * 1024 * 1024, 24 * 2 * 2 * 256 * 1024
    assert found.tokens == 15 * 5010 * 256 and found.trained == found.gradients == found.disk == 0
    # matrices in the type of products
    assert found.weights == found.loaded - 2 * matrices
    assert found.operations == pytest.approx(found.tokens * (2 * matrices + attention))
    vectors, node = of(scale, "embeddings", "xlm-roberta-large.jiant.none.s1.tatoeba_after_squad")
    prepared = scale[0].nodes[scale[0].nodes[node.spec.parents["tokens"]].spec.parents["prepared"]].spec
    rows = sum(language.published or 1000 for language in prepared.languages.values())
    assert vectors.tokens == rows * 2 * 512 and vectors.disk == rows * 2 * 1024 * 4


def test_scale_compares_lora_at_both_sizes(scale):
    plan, _, _ = scale
    methods = {(cell.model, cell.method) for cell in plan.cells}
    large = {"xlm-roberta-xxl", "mt5-xxl", "qwen3-14b-base"}
    assert {model for model, method in methods if method == "lora"} == large | {
        "xlm-roberta-base", "xlm-roberta-large", "xlm-roberta-xl", "mt5-base", "qwen3-0_6b-base"
    }  # fmt: skip
    assert {model for model, method in methods if method == "full"} == {"xlm-roberta-large"}
    parents = {role for node in plan.stage("targets").values() for role in node.spec.parents}
    assert {"model", "model.1", "learning_rate"} <= parents


def test_scale_asks_what_the_project_is_for(scale):
    """All nine against the best single task, below 1B and above 10B parameters, on the ten tasks of XTREME-R."""
    study = scale[0].study
    sizes = {name: MODELS[name]["parameters"] for name in study.models}
    for family in study.answer.families.values():
        assert sizes[family.small] < 1e9 and sizes[family.large] > 1e10
    assert len(study.targets) == 10 and set(study.targets) == set(study.benchmark.tasks)
    ladder = [sizes[f"xlm-roberta-{size}"] for size in ("base", "large", "xl", "xxl")]
    assert ladder == sorted(ladder) and set(study.contrasts["ladder"].models) == {
        name for name in study.models if name.startswith("xlm-roberta")
    }
    singles = [study.mixtures[name].tasks[0].task for name in study.answer.budgets["equal steps"].singles]
    assert singles == ["mnli", "squad_v1", "hellaswag"]
    steps = {study.mixtures[name].sampling.steps for name in ("nine", *singles)}
    assert steps == {12_000}
    assert study.mixtures["nine"].sampling.cap is None and study.mixtures["nine_capped"].sampling.cap == 2**14


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
    before = estimate.of_node(node, plan, registry.load(), results, Hardware())
    assert before.certainty == "bounded" and before.tokens == 3 * 4 * 32 * 64
    make_stages(plan, results)
    found = estimate.of_node(node, plan, registry.load(), results, Hardware())
    tokens = node.spec.parents["tokens.mnli"]
    train = results_of(results, tokens).splits["train"]
    assert found.certainty == "measured" and found.parameters == before.parameters
    # rows for early stopping were taken from those for training
    prepared = results_of(results, plan.nodes[tokens].spec.parents["prepared"])
    steps = 3 * math.ceil(prepared.splits["train"].rows / 32)
    assert found.tokens == pytest.approx(steps * 32 * train.tokens / train.instances)
    assert found.tokens < before.tokens
    # what is kept is that of the longest text that there is, where it is stated
    arrays = np.load(results / tokens / "train/starts.npy")
    assert train.longest == np.diff(arrays).max() < 64
    assert found.activations == pytest.approx(before.activations * train.longest / 64)
    restated = json.loads((results / tokens / "record.json").read_text())
    del restated["splits"]["train"]["longest"]
    (results / tokens / "record.json").write_text(json.dumps(restated))
    assert estimate.of_node(node, plan, registry.load(), results, Hardware()).activations == before.activations
    (node,) = (node for node in plan.stage("predictions").values() if ".none." in name_of(plan, node))
    predicted = estimate.of_node(node, plan, registry.load(), results, Hardware())
    tokens = results_of(results, node.spec.parents["tokens"])
    assert predicted.tokens == pytest.approx(sum(split.tokens for split in tokens.splits.values()))
