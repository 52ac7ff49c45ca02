"""The question of a study: what `answer` and `contrasts` may ask, and what is refused."""

import re

import pytest
import yaml
from xstilts.errors import UserError
from xstilts.planning import registry
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
