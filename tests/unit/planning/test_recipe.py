"""Settings of recipes as specs have them."""

import dataclasses

import pytest
from xstilts.evaluation.predictions import FILE
from xstilts.evaluation.predictions import read as predictions_of
from xstilts.forms import FORMS, span

from tests.builders.plans import make, named, node_of
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


def test_jobs_take_what_specs_leave_out_at_its_neutral_value(tmp_path, monkeypatch):
    """Tokens and predictions of the tiny study's questions, whose specs state neither ``stride`` nor ``n_best``."""
    plan = plan_of(STUDY)
    tokens = next(node.spec for node in named(plan, "tokens").values() if node.spec.form == "span")
    predictions = node_of(plan, "predictions", "tiny.quick.none.s1.xquad").spec
    neutral = {"stride": tokens.lengths["stride"], "n_best": predictions.decoding["n_best"]}
    form = dataclasses.replace(FORMS["span"], neutral=neutral)
    monkeypatch.setitem(FORMS, "span", form)
    monkeypatch.setattr(span, "FORM", form)
    node = node_of(plan_of(STUDY), "predictions", "tiny.quick.none.s1.xquad")
    assert "n_best" not in node.spec.decoding
    make(plan_of(STUDY), node.id, tmp_path)
    again = make(plan, node_of(plan, "predictions", "tiny.quick.none.s1.xquad").id, tmp_path)
    assert node.id not in str(again)
    frames = [predictions_of(folder / FILE) for folder in (tmp_path / node.id, again)]
    assert frames[0].equals(frames[1])
