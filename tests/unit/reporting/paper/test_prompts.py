"""Sentences on recipes that train nothing."""

from xstilts.reporting.paper import methods, prompts, statistics, works
from xstilts.reporting.paper.prose import in_markdown

from tests.builders.estimates import estimates
from tests.builders.papers import trainings_of
from tests.builders.plans import plan_study

STUDY = {
    "description": "x",
    "source": "tiny",
    "models": {"tiny": {"recipes": ["quick"]}, "tiny_decoder": {"recipes": ["zero", "two"]}},
    "recipes": {
        "quick": {},
        "zero": {"prompting": {}},
        "two": {"prompting": {"examples": 2, "length_normalised": True, "max_answer_tokens": 9}},
    },
    "mixtures": {"none": None},
    "targets": {"xnli": None, "xquad": None},
    "languages": ["en", "de"],
    "seeds": [1, 2],
}


def test_every_recipe_of_prompts_is_said_and_no_other(tmp_path):
    plan = plan_study(tmp_path, STUDY).study_plan
    said = in_markdown(prompts.sentences(plan, works.of_plan(plan)))
    assert said.count("By the recipe") == 2 and "quick" not in said
    zero, two = sorted(said.split("By the recipe ")[1:], reverse=True)
    assert "tokens without examples; it chooses the answer with the highest log-likelihood and writes" in zero
    assert "or 64 tokens [@gao2024language]." in zero
    assert "with weights and products in bfloat16, answers prompts of at most 2048 tokens without examples" in zero
    assert "behind 2 training examples, which each seed draws" in two
    assert "log-likelihood, divided by its number of characters" in two and "or 9 tokens" in two


def test_what_is_said_of_trainings_is_not_said_of_prompts(tmp_path):
    study = {**STUDY, "recipes": {**STUDY["recipes"], "two": {"prompting": {"examples": 1}}}}
    trainings = trainings_of(tmp_path, **study)
    found = works.of_plan(trainings.plan)
    text = in_markdown(methods.sentences(trainings, estimates(), found))
    assert "Each model that is trained is fine-tuned on the training data of each target." in text
    assert "behind 1 training example, which" in text
    assert "the order of examples and those in a prompt." in in_markdown([statistics.runs(trainings.plan)])
