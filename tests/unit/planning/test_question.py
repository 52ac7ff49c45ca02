"""The question of a study: what `answer` and `contrasts` may ask, and what is refused."""

import re

import pytest
import yaml
from xstilts.errors import UserError
from xstilts.evaluation.comparisons import comparisons
from xstilts.planning import registry
from xstilts.planning.study import read_study
from xstilts.store.answer import Budget, Family

from tests.builders.plans import plan_study
from tests.builders.projects import STUDY

MIXTURES = {"none": None, "mnli": None, "squad_v1": None, "pair": ["mnli", "squad_v1"]}
BUDGETS = {"equal epochs": {"multi": "pair"}}
SMALL_ALONE = {"tiny": {"small": "tiny"}}


def study_of(tmp_path, answer=None, contrasts=None, **changes):
    content = yaml.safe_load(STUDY.read_text(encoding="utf-8")) | {"mixtures": MIXTURES, "models": ["tiny"]} | changes
    content["contrasts"] = contrasts or {}
    if answer is not None:
        content["answer"] = {"budgets": BUDGETS, "families": SMALL_ALONE} | answer
    path = tmp_path / "study.yaml"
    path.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
    return read_study(path, registry.load())


def refused(tmp_path, words, answer=None, contrasts=None, **changes):
    with pytest.raises(UserError, match=re.escape(words)):
        study_of(tmp_path, answer, contrasts, **changes)


def test_what_an_answer_does_not_say_has_the_defaults(tmp_path):
    study = study_of(tmp_path, {})
    assert study.answer.budgets == {
        "equal epochs": Budget(multi="pair", single="best", singles=("mnli", "squad_v1")),
    }
    assert study.answer.families == {"tiny": Family(small="tiny", large=None)}
    assert study.answer.recipes == tuple(study.recipes)
    assert (study.answer.outcome, study.answer.smallest, study.answer.controls) == ("zero_shot", 1.0, ())


def test_a_study_without_answer_asks_nothing(tmp_path):
    assert study_of(tmp_path).answer is None


def test_a_named_single_task_is_the_one_candidate(tmp_path):
    study = study_of(tmp_path, {"budgets": {"equal epochs": {"multi": "pair", "single": "mnli"}}})
    assert study.answer.budgets["equal epochs"].singles == ("mnli",)


def test_mixtures_with_settings_of_their_own_are_candidates_by_their_tasks_name(tmp_path):
    mixtures = MIXTURES | {
        "mnli": {"tasks": ["mnli"], "learning_rate": 0.5},
        "mnli_long": {"tasks": ["mnli"], "steps": 9},
    }
    assert study_of(tmp_path, {}, mixtures=mixtures).answer.budgets["equal epochs"].singles == ("mnli", "squad_v1")


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ({"budgets": {"equal epochs": {"multi": "pairs"}}}, "budgets.equal epochs.multi: unknown mixture 'pairs'"),
        (
            {"budgets": {"equal epochs": {"multi": "pair", "single": "qqp"}}},
            "single: unknown mixture 'qqp'; known: best, mean, ",
        ),
        ({"budgets": {"equal epochs": {"multi": "pair", "single": "pair"}}}, "'pair' is `multi` already"),
        (
            {"budgets": {"equal epochs": {"multi": "pair", "single": "mnli", "singles": ["mnli", "squad_v1"]}}},
            "singles: goes with `single: best` or `single: mean`",
        ),
        ({"budgets": {"equal epochs": {"multi": "pair", "single": "none"}}}, "one task, 'none' has 0"),
        ({"budgets": {"equal epochs": {"multi": "pair", "single": "three"}}}, "single: needs a mixture of one task"),
        ({"budgets": {"equal epochs": {"multi": "pair", "singles": ["mnli", "three"]}}}, "one task, 'three' has 3"),
        ({"budgets": {"equal epochs": {"multi": "pair", "single": "mean", "singles": ["mnli", "none"]}}}, "has 0"),
        ({"budgets": {"equal epochs": {"multi": "none"}}}, "multi: needs a mixture of two tasks or more, 'none' has 0"),
        ({"budgets": {"equal epochs": {"multi": "mnli", "single": "squad_v1"}}}, "two tasks or more, 'mnli' has 1"),
        ({"budgets": {"equal epochs": {"multi": "spoken", "single": "mnli"}}}, "two tasks or more, 'spoken' has 1"),
        ({"families": {"tiny": {"small": "tiny", "large": "tiny"}}}, "families.tiny.large: 'tiny' is `small` already"),
        ({"budgets": {"equal rows": {"multi": "pair"}}}, "equal rows"),
        ({"families": {"tiny": {"small": "tinny"}}}, "families.tiny.small: unknown model 'tinny'; did you mean 'tiny'"),
        ({"families": {"tiny": {}}}, "families.tiny"),
        ({"outcome": "benchmark"}, "outcome: the study names no `benchmark`"),
        ({"controls": ["xx"]}, "answer.controls: no target of the study is evaluated in 'xx'; known: de"),
        # of no target here, though the registry has it
        ({"controls": ["de", "fr"]}, "answer.controls: no target of the study is evaluated in 'fr'; known: de"),
        ({"controls": ["en"]}, "answer.controls: 'en' is the source language of tatoeba; leave it out"),
        ({"recipes": ["jian"]}, "recipes: unknown recipe 'jian'"),
        ({"smallest": 0}, "smallest"),
    ],
)
def test_an_answer_that_cannot_be_given_is_refused(tmp_path, answer, words):
    mixtures = MIXTURES | {"three": ["mnli", "squad_v1", "qqp"], "spoken": ["mnli", "mnli@de"]}
    refused(tmp_path, words, answer, mixtures=mixtures)


@pytest.mark.parametrize("single", ["mnli", "best", "mean"])
@pytest.mark.parametrize(
    ("multi", "mnli", "words"),
    [
        (12, 12, None),
        # what epochs come to is not known yet
        (12, None, None),
        (None, 12, None),
        (12, 13, "budgets.equal steps: 'pair' has 12 steps, 'mnli' 13"),
        (None, None, "budgets.equal steps: neither 'pair' nor 'mnli' has `steps`"),
    ],
)
def test_steps_are_equal_where_the_study_states_them(tmp_path, single, multi, mnli, words):
    steps = {"pair": (["mnli", "squad_v1"], multi), "mnli": (["mnli"], mnli), "squad_v1": (["squad_v1"], 12)}
    mixtures = {name: {"tasks": tasks, "steps": number} for name, (tasks, number) in steps.items()}
    answer = {"budgets": {"equal steps": {"multi": "pair", "single": single}}}
    if words:
        refused(tmp_path, words, answer, mixtures=mixtures)
    else:
        study_of(tmp_path, answer, mixtures=mixtures)
    # epochs are not steps
    study_of(tmp_path, {"budgets": {"equal epochs": answer["budgets"]["equal steps"]}}, mixtures=mixtures)


def test_a_contrast_cannot_be_taken_for_the_answer(tmp_path):
    contrasts = {"answer": {"mixture": ["pair", "none"]}}
    refused(tmp_path, "contrasts.answer: what `answer` compares has this name", contrasts=contrasts)


def test_a_single_task_has_to_be_chosen_among_several(tmp_path):
    mixtures = {"none": None, "mnli": None, "pair": ["mnli", "squad_v1"]}
    refused(tmp_path, "singles: `best` needs two mixtures of a single task", {}, mixtures=mixtures)


def test_a_model_has_to_be_trained_on_both_arms(tmp_path):
    models = {"tiny": {"mixtures": ["none", "mnli", "squad_v1"]}}
    refused(tmp_path, "families.tiny.small: tiny is not trained on 'pair' (equal epochs)", {}, models=models)


STEPS = {
    "pair_long": {"tasks": ["pair"], "steps": 9},
    "mnli_long": {"tasks": ["mnli"], "steps": 9},
    "squad_long": {"tasks": ["squad_v1"], "steps": 9},
}
LONG = {"equal steps": {"multi": "pair_long", "single": "best", "singles": ["mnli_long", "squad_long"]}}


def in_two_sizes(large, budgets):
    """Return a study in which the large model is trained on some mixtures, and the answer at some budgets."""
    changes = {"source": "miniature", "mixtures": MIXTURES | STEPS, "languages": [], "targets": {"tydiqa": None}}
    families = {"mini": {"small": "mini-small", "large": "mini-micro"}}
    models = {"mini-small": None, "mini-micro": {"mixtures": large}}
    return {"answer": {"budgets": budgets, "families": families}, "models": models} | changes


def asked_of(tmp_path, large, budgets):
    """Return what is compared, by size and budget, and whether it is primary."""
    plan = plan_study(tmp_path, yaml.safe_load(STUDY.read_text()) | {"contrasts": {}} | in_two_sizes(large, budgets))
    rows = {"tydiqa": {language: 10 for language in ("en", "qab", "qag")}}
    asked = [one for one in comparisons(plan.study_plan, rows) if one.name == "answer" and one.b == "best single"]
    return {(one.size or one.kind, one.budget, one.primary) for one in asked if one.scale == "points"}


def test_a_model_takes_part_in_the_budgets_of_its_mixtures(tmp_path):
    found = asked_of(tmp_path, ["none", "pair", "mnli", "squad_v1"], BUDGETS | LONG)
    assert {one for one in found if one[1] == "equal epochs"} >= {
        (size, "equal epochs", True) for size in ("small", "large", "interaction")
    }
    assert {one for one in found if one[1] == "equal steps"} == {("small", "equal steps", False)}


def test_a_budget_or_a_model_that_takes_no_part_is_refused(tmp_path):
    words = (
        "mini-micro is not trained on 'pair' and 'squad_v1' (equal epochs); 'pair_long' and 'squad_long' (equal steps)"
    )
    refused(tmp_path, words, **in_two_sizes(["mnli", "mnli_long"], BUDGETS | LONG))
    alone = in_two_sizes(["pair", "mnli", "squad_v1"], LONG | BUDGETS)
    alone["answer"]["families"]["mini"].pop("small")
    refused(tmp_path, "budgets.equal steps: no model of `families` is trained on all its mixtures", **alone)


def test_the_small_model_is_not_the_larger_one(tmp_path):
    sizes = {"models": ["xlm-roberta-large", "xlm-roberta-base", "tiny"], "source": "download"}
    swapped = {"families": {"XLM-R": {"small": "xlm-roberta-large", "large": "xlm-roberta-base"}}}
    words = (
        "answer.families.XLM-R: `small` is xlm-roberta-large with 559,890,432 parameters, `large` xlm-roberta-base with"
        " 278,043,648; give them the other way round"
    )
    refused(tmp_path, words, swapped, **sizes)
    for small, large in (("xlm-roberta-base", "xlm-roberta-large"), ("xlm-roberta-base", "tiny")):
        # a size that the registry does not have is not compared
        study_of(tmp_path, {"families": {"XLM-R": {"small": small, "large": large}}}, **sizes)


def test_primary_comparisons_are_those_of_the_first_budget_that_are_there(tmp_path):
    """With three contrasts the answer has room for two: at equal steps it is the small model alone."""
    gains = {
        f"gain_{name}": {"mixture": [name, "none"], "models": ["mini-small"], "primary": True} for name in MIXTURES
    }
    del gains["gain_none"]
    large = ["none", "pair", "mnli", "squad_v1"]
    refused(tmp_path, "6 primary comparisons", contrasts=gains, **in_two_sizes(large, BUDGETS | LONG))
    study_of(tmp_path, contrasts=gains, **in_two_sizes(large, LONG | BUDGETS))


def test_models_of_a_contrast_restrict_two_mixtures(tmp_path):
    contrast = {"mixture": ["pair", "none"], "models": ["tiny"], "primary": True}
    found = study_of(tmp_path, contrasts={"gain": contrast}).contrasts["gain"]
    assert (found.models, found.primary) == (("tiny",), True)
    refused(tmp_path, "models: unknown model 'tinny'", contrasts={"gain": contrast | {"models": ["tinny"]}})


def test_a_primary_contrast_has_one_outcome(tmp_path):
    """Losses have no mean; beside a target in percent they are not what it is judged by."""
    losses = {"targets": {"lm_loss": None, "lm_loss@de": None, "xnli": None}}
    gain = {"mixture": ["pair", "none"], "targets": ["lm_loss", "lm_loss@de"]}
    refused(tmp_path, "gain.targets: a primary contrast", contrasts={"gain": gain | {"primary": True}}, **losses)
    for accepted in (gain, gain | {"primary": True, "targets": ["lm_loss"]}, gain | {"primary": True, "targets": None}):
        study_of(tmp_path, contrasts={"gain": accepted}, **losses)


def test_two_models_are_not_restricted_by_models(tmp_path):
    contrast = {"model": ["tiny", "mini-micro"], "models": ["tiny"]}
    refused(tmp_path, "compares two models already", contrasts={"size": contrast}, models=["tiny", "mini-micro"])


def test_at_most_five_comparisons_are_primary(tmp_path):
    gains = {
        f"gain_{first}_{second}": {"mixture": [first, second], "primary": True}
        for first, second in (("pair", "none"), ("mnli", "none"), ("squad_v1", "none"), ("pair", "mnli"))
    }
    study_of(tmp_path, {}, gains)
    more = gains | {"one_more": {"mixture": ["pair", "squad_v1"], "primary": True}}
    refused(tmp_path, "6 primary comparisons, at most 5", {}, more)
    study_of(tmp_path, {"primary": []}, more)
