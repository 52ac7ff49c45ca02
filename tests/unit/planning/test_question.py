"""The question of a study: what `answer` and `contrasts` may ask, and what is refused."""

import re

import pytest
import yaml
from xstilts.errors import UserError
from xstilts.planning import question, registry
from xstilts.planning.study import read_study
from xstilts.store.answer import Budget, Family

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
    study = study_of(tmp_path, {"budgets": {"equal steps": {"multi": "pair", "single": "mnli"}}})
    assert study.answer.budgets["equal steps"].singles == ("mnli",)


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
        ({"budgets": {"equal epochs": {"multi": "pair", "single": "qqp"}}}, "single: unknown mixture 'qqp'"),
        ({"budgets": {"equal epochs": {"multi": "pair", "single": "pair"}}}, "'pair' is `multi` already"),
        (
            {"budgets": {"equal epochs": {"multi": "pair", "single": "mnli", "singles": ["mnli", "squad_v1"]}}},
            "singles: goes with `single: best` or `single: mean`",
        ),
        ({"budgets": {"equal rows": {"multi": "pair"}}}, "equal rows"),
        ({"families": {"tiny": {"small": "tinny"}}}, "families.tiny.small: unknown model 'tinny'; did you mean 'tiny'"),
        ({"families": {"tiny": {}}}, "families.tiny"),
        ({"outcome": "benchmark"}, "outcome: the study names no `benchmark`"),
        ({"controls": ["xx"]}, "controls: unknown language 'xx'"),
        ({"recipes": ["jian"]}, "recipes: unknown recipe 'jian'"),
        ({"smallest": 0}, "smallest"),
    ],
)
def test_an_answer_that_cannot_be_given_is_refused(tmp_path, answer, words):
    refused(tmp_path, words, answer)


@pytest.mark.parametrize(
    ("budget", "words"),
    [
        ({"multi": "pair", "single": "none"}, "single: 'none' has no task"),
        ({"multi": "pair", "singles": ["mnli", "none"]}, "singles: 'none' has no task"),
        ({"multi": "mnli", "single": "squad_v1"}, "multi: 'mnli' has not several tasks"),
        ({"multi": "languages", "single": "squad_v1"}, "multi: 'languages' has not several tasks"),
        ({"multi": "none", "single": "squad_v1"}, "multi: 'none' has not several tasks"),
        ({"multi": "pair", "singles": ["mnli", "other"]}, "singles: 'other' has several tasks"),
        ({"multi": "pair", "single": "mean", "singles": ["mnli", "other"]}, "singles: 'other' has several tasks"),
    ],
)
def test_arms_of_other_numbers_of_tasks_are_refused(tmp_path, budget, words):
    mixtures = MIXTURES | {"other": ["mnli", "qqp"], "languages": ["mnli", "mnli@de"]}
    refused(tmp_path, words, {"budgets": {"equal epochs": budget}}, mixtures=mixtures)


def test_a_model_is_not_both_sizes(tmp_path):
    refused(
        tmp_path,
        "families.tiny: 'tiny' is both small and large",
        {"families": {"tiny": dict.fromkeys(("small", "large"), "tiny")}},
    )


def test_equal_steps_are_equal(tmp_path):
    def mixtures(pair, mnli):
        return MIXTURES | {
            "pair": {"tasks": ["mnli", "squad_v1"], "steps": pair},
            "mnli": {"tasks": ["mnli"], "steps": mnli},
        }

    def answer(budget):
        return {"budgets": {budget: {"multi": "pair", "single": "mnli"}}}

    refused(
        tmp_path,
        "equal steps: the mixtures' `steps` are not equal (pair 9, mnli 8)",
        answer("equal steps"),
        mixtures=mixtures(9, 8),
    )
    study_of(tmp_path, answer("equal epochs"), mixtures=mixtures(9, 8))
    for steps, said in (((9, 9), []), ((9, None), ["mnli"]), ((None, None), ["pair, mnli"])):
        study = study_of(tmp_path, answer("equal steps"), mixtures=mixtures(*steps))
        found = question.notes(study.answer, study.mixtures)
        assert [note.partition(": ")[2].partition(" without `steps`")[0] for note in found] == said


def test_a_single_task_has_to_be_chosen_among_several(tmp_path):
    mixtures = {"none": None, "mnli": None, "pair": ["mnli", "squad_v1"]}
    refused(tmp_path, "singles: `best` needs two mixtures of a single task", {}, mixtures=mixtures)


def test_a_model_has_to_be_trained_on_both_arms(tmp_path):
    models = {"tiny": {"mixtures": ["none", "mnli", "squad_v1"]}}
    refused(tmp_path, "families.tiny.small: tiny is not trained on 'pair'", {}, models=models)


def test_models_of_a_contrast_restrict_two_mixtures(tmp_path):
    contrast = {"mixture": ["pair", "none"], "models": ["tiny"], "primary": True}
    found = study_of(tmp_path, contrasts={"gain": contrast}).contrasts["gain"]
    assert (found.models, found.primary) == (("tiny",), True)
    refused(tmp_path, "models: unknown model 'tinny'", contrasts={"gain": contrast | {"models": ["tinny"]}})


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
