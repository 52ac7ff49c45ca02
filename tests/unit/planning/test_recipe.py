"""Settings of recipes as specs have them."""

import dataclasses

import pytest
from xstilts.forms import FORMS

from tests.builders.plans import named
from tests.builders.projects import STUDY, plan_of


@pytest.mark.parametrize("key", ["stride", "max_question_length", "max_answer_length", "n_best"])
def test_a_setting_of_a_form_moves_nothing_at_its_neutral_value(key, monkeypatch):
    """As if the setting were new: specs leave it out at that value, and state it at any other."""

    def stated(neutral):
        monkeypatch.setitem(FORMS, "span", dataclasses.replace(FORMS["span"], neutral=neutral))
        specs = [node.spec for stage in ("tokens", "predictions") for node in named(plan_of(STUDY), stage).values()]
        return [{**getattr(spec, "lengths", {}), **getattr(spec, "decoding", {})} for spec in specs]

    before = [settings for settings in stated({}) if key in settings]
    value = before[0][key]
    assert not any(key in settings for settings in stated({key: value}))
    assert [settings for settings in stated({key: value + 1}) if key in settings] == before
