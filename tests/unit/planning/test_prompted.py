"""The arm of a pretrained model that answers prompts: its nodes, what it refuses, what it costs."""

import copy
from dataclasses import replace
from pathlib import Path

import pytest
from xstilts.errors import UserError
from xstilts.evaluation import trainings
from xstilts.hardware import Hardware
from xstilts.planning import estimate, feasibility, memory_plan, registry
from xstilts.planning.gpu_types import GPU_TYPES
from xstilts.planning.settings import from_config
from xstilts.planning.sourcing import Indexes
from xstilts.store.specs.base import BASE, EXAMPLES, MODEL, TOKENS
from xstilts.store.study_plan import NONE, PROMPTED

from tests.builders.plans import named, plan_study, study_of

STUDY = {
    "description": "x",
    "source": "tiny",
    "models": {"tiny": {"recipes": ["quick"]}, "tiny_decoder": None},
    "recipes": {
        "quick": {},
        "zero": {"prompting": {"max_length": 256}},
        "two": {"prompting": {"examples": 2, "max_length": 256}},
    },
    "mixtures": {"none": None, "mnli": None},
    "targets": {"xnli": None, "xquad": None, "udpos": None},
    "languages": ["en", "de"],
    "seeds": [1, 2],
}


def plan_with(folder: Path, **changes: object):
    return plan_study(folder, {**copy.deepcopy(STUDY), **changes})


@pytest.fixture(scope="module")
def plan(tmp_path_factory):
    return plan_with(tmp_path_factory.mktemp("prompted"))


def test_it_is_an_arm_of_its_own_without_intermediate_phases(plan):
    cells = [cell for cell in plan.cells if cell.recipe in ("zero", "two")]
    assert {(cell.model, cell.method, cell.mixture) for cell in cells} == {("tiny_decoder", PROMPTED, NONE)}
    assert len(cells) == 2 * 2 * 2 and {cell.target for cell in cells} == {"xnli", "xquad"}
    trained = {(cell.model, cell.mixture) for cell in plan.cells if cell.recipe == "quick"}
    assert trained == {(model, mixture) for model in ("tiny", "tiny_decoder") for mixture in ("none", "mnli")}


def test_what_cannot_be_prompted_is_left_out_and_said_once(plan):
    assert [note for note in plan.notes if "prompt" in note] == [
        "recipes.zero: without udpos, whose tasks have no `prompt`",
        "recipes.two: without udpos, whose tasks have no `prompt`",
    ]


def test_mixtures_that_no_prompted_arm_has_are_noted(plan):
    assert "models.tiny_decoder: by zero and two nothing is trained, so not on mnli either" in plan.notes


def test_the_pretrained_model_is_read_and_seeds_draw_examples_alone(plan):
    nodes = named(plan, "predictions")
    zero = nodes["tiny_decoder.zero.none.xnli"]
    assert zero.spec.parents[MODEL] == zero.spec.parents[BASE] == named(plan, "models")["tiny_decoder"].id
    assert zero.spec.trained_on is None and EXAMPLES not in plan.nodes[zero.spec.parents[TOKENS]].spec.parents
    two = [nodes[f"tiny_decoder.two.none.s{seed}.xnli"] for seed in (1, 2)]
    prompts = [plan.nodes[node.spec.parents[TOKENS]].spec for node in two]
    assert [spec.prompt.seed for spec in prompts] == [1, 2] and [spec.prompt.examples for spec in prompts] == [2, 2]
    assert {spec.parents[EXAMPLES] for spec in prompts} == {named(plan, "prepared")["mnli.training"].id}
    assert prompts[0].prompt.words == ["Yes", "Also", "No"]
    span = nodes["tiny_decoder.zero.none.xquad"].spec
    assert span.prompting.max_answer_tokens == 64 and zero.spec.prompting.max_answer_tokens is None
    assert plan.nodes[span.parents[TOKENS]].spec.prompt.words is None
    assert zero.label.startswith("random-llama-2x32.0examples.on.xnli")


def test_it_varies_where_a_seed_draws_examples(plan):
    found = {cell.recipe: trainings.varies(plan.study_plan, cell.node) for cell in plan.cells}
    assert found == {"quick": True, "zero": False, "two": True}


def test_other_templates_and_settings_make_other_nodes_and_move_no_other(tmp_path, plan):
    def digests(of, recipe):
        return {cell.node for cell in of.cells if (cell.recipe == recipe)}

    other = plan_with(tmp_path, recipes={**STUDY["recipes"], "zero": {"prompting": {"length_normalised": True}}})
    assert digests(other, "quick") == digests(plan, "quick") and digests(other, "two") == digests(plan, "two")
    assert not digests(other, "zero") & digests(plan, "zero")


@pytest.mark.parametrize(
    ("changes", "said"),
    [({"models": {"tiny_decoder": {"recipes": ["zero", "quick"], "mixtures": ["mnli"]}}},
      "models.tiny_decoder: the recipe zero trains nothing, so it needs `none` among the mixtures; add it"),
     ({"models": {"tiny_decoder": {"recipes": ["zero", "two"], "mixtures": ["none", "mnli"]}}},
      "models.tiny_decoder.mixtures: found 'mnli', but zero and two answer prompts and train nothing; leave the key"
      " out, or name a recipe that trains beside"),
     ({"recipes": {"quick": {}, "zero": {"prompting": {}, "target": {"epochs": 5}}}, "models": ["tiny_decoder"]},
      "recipes.zero.target: a recipe with `prompting` trains nothing; leave the section out"),
     ({"recipes": {"quick": {}, "zero": {"prompting": {"example": 1}}}, "models": ["tiny_decoder"]},
      "recipes.zero.prompting.example: unknown key")],
)  # fmt: skip
def test_what_no_prompted_arm_has_is_refused(tmp_path, changes, said):
    with pytest.raises(UserError) as error:
        study_of(tmp_path, {**copy.deepcopy(STUDY), **changes})
    assert said in str(error.value)


@pytest.mark.parametrize(
    ("changes", "said"),
    [({"models": {"tiny": {"recipes": ["zero"]}}},
      "models.tiny: the recipe zero asks a language model to continue a text, and tiny is an encoder, of type"
      " xlm-roberta"),
     ({"models": {"tiny_decoder": {"recipes": ["zero"]}}, "targets": {"udpos": None}},
      "needs a target whose task has a `prompt`; none of udpos has one"),
     ({"models": {"tiny_decoder": {"recipes": ["zero"]}}, "recipes": {"zero": {"prompting": {"max_length": 513}}}},
      "max_length 513 for xnli.evaluation: tiny_decoder reads 512 tokens"),
     ({"models": {"tiny_decoder": {"recipes": ["zero"]}}, "recipes": {"zero": {"prompting": {"max_length": 64}}}},
      "recipes.zero.prompting.max_answer_tokens: 64 tokens of an answer for xquad leave no room for a prompt within"
      " max_length, 64; lower the one or raise the other"),
     ({"models": {"tiny_decoder": {"recipes": ["two"]}}, "source": "download",
       "targets": {"belebele": {"trained_on": ["siqa"]}}},
      "targets.belebele.trained_on: the examples of the recipe two are rows of 'siqa', which has 3 labels and not 4"),
     ({"models": {"tiny_decoder": {"recipes": ["two"]}}, "source": "download",
       "targets": {"global_mmlu": None}},
      "targets.global_mmlu.trained_on: the examples of the recipe two are rows of 'race', whose context the `prompt` of"
      " global_mmlu leaves out")],
)  # fmt: skip
def test_what_no_job_can_do_is_refused_before_any(tmp_path, changes, said):
    plan = plan_with(tmp_path, **changes)
    with pytest.raises(UserError) as error:
        feasibility.check(plan, registry.load(), Indexes(), "s.yaml")
    assert said in str(error.value)


def test_all_other_tasks_of_the_registry_can_have_examples(tmp_path):
    able = {name: None for name, task in registry.load().tasks.items() if task.prompt and name != "global_mmlu"}
    study = study_of(tmp_path, {**STUDY, "models": {"tiny_decoder": {"recipes": ["zero", "two"]}}, "targets": able})
    feasibility.check_prompts(study, registry.load(), "s.yaml")


def test_it_costs_a_prompt_for_each_answer_or_the_tokens_that_are_written(tmp_path, plan):
    entries, nodes = registry.load(), named(plan, "predictions")

    def cost(name):
        return estimate.of_node(nodes[name], plan, entries, tmp_path, Hardware())

    chosen, written = cost("tiny_decoder.zero.none.xnli"), cost("tiny_decoder.zero.none.xquad")
    rows = 2 * 24
    assert chosen.tokens == rows * 3 * 256 and written.tokens == rows * (256 + 64)
    assert chosen.trained == written.trained == 0
    shape = entries.models["tiny_decoder"]["shape"]
    head = shape["vocab_size"] * shape["hidden_size"]
    assert chosen.parameters == written.parameters > 2 * head
    without_tokens = replace(nodes["tiny_decoder.zero.none.xquad"].spec.prompting, max_answer_tokens=1)
    shorter = replace(
        nodes["tiny_decoder.zero.none.xquad"],
        spec=replace(nodes["tiny_decoder.zero.none.xquad"].spec, prompting=without_tokens),
    )
    assert estimate.of_node(shorter, plan, entries, tmp_path, Hardware()).memory < written.memory


def test_an_answer_behind_its_context_is_a_part_of_a_prompt_and_a_pretrained_head_is_of_the_weights_type(tmp_path):
    """14B in bfloat16 on XCOPA fit 48 GB.

    In XNLI a text stands behind the answer, so all of a prompt may be scored: fewer tokens fit at once.
    """
    recipes = {"zero": {"prompting": {"max_length": 512}, "target": {}}}
    targets = {"xcopa": None, "xnli": None}
    study = {"models": {"qwen3-14b-base": {"recipes": ["zero"]}}, "targets": targets, "languages": ["tr"]}
    plan, entries = plan_with(tmp_path, recipes=recipes, source="download", **study), registry.load()
    nodes, settings = named(plan, "predictions"), from_config({"results": str(tmp_path)})
    found = {
        name: memory_plan.of_node(nodes[f"qwen3-14b-base.zero.none.{name}"], plan, entries, settings, GPU_TYPES["l40s"])
        for name in targets
    }
    assert found["xcopa"].fits and found["xcopa"].hardware == Hardware()
    assert found["xnli"].fits and found["xnli"].hardware == Hardware(max_tokens_per_device=4096)
    assert found["xcopa"].cost.loaded == 2 * found["xcopa"].cost.parameters


def test_every_prompt_of_the_registry_names_its_source():
    prompts = {name: task.prompt for name, task in registry.load().tasks.items() if task.prompt is not None}
    assert {"xnli", "pawsx", "xcopa", "belebele", "xstorycloze", "xquad"} <= set(prompts)
    assert all("lm-evaluation-harness" in prompt.source or "ours" in prompt.source for prompt in prompts.values())
