"""Recipes with weights in 4 bits: what specs say, what is refused, and what memory they take."""

import copy
from dataclasses import replace

import pytest
import yaml
from xstilts.errors import UserError
from xstilts.planning import estimate, memory_plan, registry, weight_bytes
from xstilts.planning.gpu_types import GPU_TYPES
from xstilts.planning.settings import from_config
from xstilts.store.specs.evaluation import EmbeddingsSpec, PredictionsSpec
from xstilts.store.specs.models import TrainingSpec

from tests.builders.plans import node_of, plan_shipped, plan_study

LORA = {"name": "lora", "rank": 16, "earlier_adapter": "unmerged"}
PHASE = {"method": LORA, "precision": "bfloat16", "quantised": "nf4"}
STUDY = {
    "description": "Weights in 4 bits.",
    "source": "tiny",
    "models": ["tiny"],
    "recipes": {"qlora": {"intermediate": PHASE, "target": PHASE}},
    "mixtures": {"none": None, "mnli": None},
    "targets": {"xnli": None, "tatoeba": None},
    "languages": ["en", "de"],
    "seeds": [1],
}


def with_phase(phase, mixtures=None, **keys):
    """Return the study with other keys in a phase; those with the value None are left out."""
    content = copy.deepcopy(STUDY)
    changed = content["recipes"]["qlora"][phase] | keys
    content["recipes"]["qlora"][phase] = {key: value for key, value in changed.items() if value is not None}
    return content | ({"mixtures": mixtures} if mixtures else {})


def test_whatever_computes_with_the_model_knows_of_it(tmp_path):
    plan = plan_study(tmp_path, STUDY)
    kinds = TrainingSpec | PredictionsSpec | EmbeddingsSpec
    found = [node.spec for node in plan.nodes.values() if isinstance(node.spec, kinds)]
    assert {spec.stage for spec in found} == {"intermediate", "targets", "predictions", "embeddings"}
    assert {spec.numerics.quantised for spec in found} == {"nf4"}
    assert {spec.numerics.dtype for spec in found} == {"bfloat16"}


def test_the_default_written_out_moves_nothing(tmp_path):
    without = with_phase("intermediate", quantised=None)
    del without["recipes"]["qlora"]["target"]["quantised"]
    written = copy.deepcopy(without)
    for phase in written["recipes"]["qlora"].values():
        phase["quantised"] = None
    plan = plan_study(tmp_path, without)
    assert plan_study(tmp_path, written).nodes.keys() == plan.nodes.keys()
    assert not any("quantised" in str(node.content) for node in plan.nodes.values())


MERGED = {"soup": {"merge": {"of": ["mnli", "squad_v1"], "method": "linear"}}}


REFUSED = {
    r"recipes\.qlora\.intermediate\.quantised: nf4 holds .* `method` is full;": with_phase("intermediate", method=None),
    r"target\.quantised: nf4 holds .* `method` is prompt; set": with_phase("target", method={"name": "prompt"}),
    r"target\.quantised: .* `precision` is float32; set `prec": with_phase("target", precision=None),
    r"target\.method\.earlier_adapter: found 'merged', but": with_phase("target", method={"name": "lora"}),
    r"target\.quantised: found null, but .* it is nf4; give": with_phase("target", quantised=None),
    r"target\.quantised: found nf4, but .* it is null; give": with_phase("intermediate", quantised=None),
    r"mixtures\.soup: merges weights, .* qlora are in nf4;": with_phase("target", mixtures=MERGED),
}


@pytest.mark.parametrize("line", REFUSED)
def test_what_cannot_be_is_refused_in_one_line(tmp_path, line):
    with pytest.raises(UserError, match=line) as refused:
        plan_study(tmp_path, REFUSED[line])
    assert "\n" not in str(refused.value)


def test_all_weights_first_and_then_adapters_over_them_in_4_bits(tmp_path):
    """A whole model of the intermediate phase is quantised as a pretrained one is."""
    content = with_phase("intermediate", method=None, quantised=None, precision=None)
    (target,) = [node for node in plan_study(tmp_path, content).stage("targets").values() if "full" in node.id]
    assert target.spec.numerics.quantised == "nf4" and not target.spec.numerics.unmerged


@pytest.fixture(scope="module")
def large(full_mirror, tmp_path_factory):
    """The plan of a study of a 14B decoder and an 11B encoder, in 4 bits and in bfloat16."""
    folder = tmp_path_factory.mktemp("large")
    plain = {phase: {**PHASE, "quantised": None} for phase in ("intermediate", "target")}
    merged = copy.deepcopy(plain)
    del merged["target"]["method"]["earlier_adapter"]
    content = STUDY | {
        "models": ["qwen3-14b-base", "xlm-roberta-xxl"],
        "recipes": {"qlora": STUDY["recipes"]["qlora"], "lora": plain, "merged": merged},
        "targets": {"xnli": None, "tatoeba": None},
        "source": "download",
    }
    (folder / "study.yaml").write_text(yaml.safe_dump(content))
    return plan_shipped(folder / "study.yaml", full_mirror), folder / "results"


def cost_of(large, stage, name, gpus=1):
    plan, results = large
    node, known = node_of(plan, stage, name), registry.load()
    settings = from_config({"results": str(results)})
    sizes = estimate.sizes_of(node, plan, known, results)
    return estimate.of_sizes(node.spec, sizes, settings.hardware, gpus), sizes.shape, node.spec


def test_a_weight_takes_half_a_byte_and_its_share_of_scales(large):
    """4.127 bits of each number of a matrix; all else as without, and one matrix of 17,408 by 5,120 in bfloat16."""
    name = "qwen3-14b-base.{}.mnli.s1"
    held, shape, spec = cost_of(large, "intermediate", name.format("qlora"))
    plain, _, _ = cost_of(large, "intermediate", name.format("lora"))
    matrices = 40 * (2 * 5120 * 5120 + 2 * 5120 * 1024 + 3 * 5120 * 17408)
    assert shape.matrices == matrices
    saved = (2 - 4.127 / 8) * matrices - 2 * 5120 * 17408
    assert plain.weights - held.weights == pytest.approx(saved, rel=1e-4)
    assert (held.trained, held.parameters, held.loaded) == (plain.trained, plain.parameters, plain.loaded)
    # a matrix in 4 bits is written and read in bfloat16 for each of its products, and read in 4 bits
    traffic = [sum(work.traffic for work in cost.work) for cost in (held, plain)]
    assert traffic[0] - traffic[1] == pytest.approx(36_816 * 2 * (2 + 4.127 / 8) * matrices, rel=1e-3)
    # each of several GPUs has all matrices
    rest = 2 * (shape.parameters - matrices)
    one, two = (weight_bytes.held(shape, spec.numerics, gpus) - rest for gpus in (1, 2))
    assert two == pytest.approx(2 * one)


def test_an_earlier_adapter_counts(large):
    """As many weights as the fresh one has, and its kernels."""
    first, shape, _ = cost_of(large, "targets", "qwen3-14b-base.lora.none.s1.mnli")
    second, _, _ = cost_of(large, "targets", "qwen3-14b-base.lora.mnli.s1.mnli")
    lora = shape.lora(16, "all-linear")
    assert second.parameters - first.parameters == lora and second.trained == first.trained
    assert second.weights - first.weights == 4 * lora
    launches = [sum(work.launches for work in cost.work) for cost in (second, first)]
    # 16 kernels a layer, 2 and 6 a linear layer, and 6 more
    assert launches[0] / launches[1] == pytest.approx((16 + 7 * (2 + 12)) / (16 + 7 * (2 + 6)))


def test_a_prediction_holds_the_adapters_beside_the_weights(large):
    """The uppermost one always; an earlier one where it is unmerged; none where nothing is trained."""
    found = {}
    for name in ("mnli.s1.xnli", "none.s1.xnli", "none.tatoeba"):
        stage = "embeddings" if "tatoeba" in name else "predictions"
        cost, shape, spec = cost_of(large, stage, f"qwen3-14b-base.qlora.{name}")
        head = estimate.head_size(spec.form, spec.labels, shape) if stage == "predictions" else 0
        lora = shape.lora(16, "all-linear")
        found[name] = (cost.parameters - shape.parameters - head) / lora
        assert cost.weights == weight_bytes.held(shape, spec.numerics) + 4 * (head + found[name] * lora)
    assert list(found.values()) == [2, 1, 0]
    merged, shape, spec = cost_of(large, "predictions", "qwen3-14b-base.merged.mnli.s1.xnli")
    head = estimate.head_size(spec.form, spec.labels, shape)
    assert merged.parameters == shape.parameters + head + shape.lora(16, "all-linear")


@pytest.mark.parametrize("model", ["qwen3-14b-base", "xlm-roberta-xxl"])
def test_models_above_10b_fit_a_card_of_24_gb(large, model):
    """In training and prediction, where a training over weights in bfloat16 does not."""
    plan, results = large
    settings, known = from_config({"results": str(results)}), registry.load()
    card = replace(GPU_TYPES["l40s"], memory=24)

    def planned(recipe, stage, name, gpu_type):
        node = node_of(plan, stage, f"{model}.{recipe}.{name}")
        return memory_plan.of_node(node, plan, known, settings, gpu_type, 1)

    nodes = [("intermediate", "mnli.s1"), ("targets", "mnli.s1.mnli"), ("predictions", "mnli.s1.xnli")]
    for each in nodes:
        assert planned("qlora", *each, card).fits and planned("qlora", *each, GPU_TYPES["l40s"]).fits
        assert each[0] == "predictions" or not planned("lora", *each, card).fits
