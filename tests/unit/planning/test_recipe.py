"""Settings of recipes as specs have them."""

import dataclasses

import pytest
import yaml
from xstilts.evaluation.predictions import FILE
from xstilts.evaluation.predictions import read as predictions_of
from xstilts.forms import FORMS, span
from xstilts.store.specs.evaluation import Pooling
from xstilts.store.specs.models import EarlyStopping

from tests.builders.plans import make, named, node_of, plan_shipped, plan_study
from tests.builders.projects import ROOT, STUDY, plan_of


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


def plan_with(folder, **sections):
    """Plan the study of the rebuild matrix with these keys in the sections of its recipe."""
    content = yaml.safe_load(STUDY.read_text())
    for section, keys in sections.items():
        content["recipes"]["quick"].setdefault(section, {}).update(keys)
    return plan_study(folder, content)


def stopping(plan, stage):
    """Return when the trainings of a stage are evaluated, by what they train on."""
    return {node.spec.tasks[0].task: node.spec.early_stopping for node in plan.stage(stage).values()}


def test_the_best_step_of_a_target_is_kept_and_the_last_of_a_mixture(tmp_path):
    plan = plan_with(tmp_path)
    assert set(stopping(plan, "intermediate").values()) == {None}
    assert set(stopping(plan, "targets").values()) == {EarlyStopping(evaluate_every=4, patience=10)}
    spelt_out = plan_with(tmp_path, intermediate={"keep": "last"}, target={"keep": "best"})
    assert list(spelt_out.nodes) == list(plan.nodes)


def test_the_last_step_is_kept_of_what_the_recipe_says(tmp_path):
    overrides = {"span": {"max_length": 64, "keep": "last"}, "udpos": {"keep": "last"}}
    found = stopping(plan_with(tmp_path, target={"overrides": overrides}), "targets")
    assert {task: stopping is None for task, stopping in found.items()} == {
        "mnli": False, "squad_v1": True, "udpos": True,
    }  # fmt: skip
    one = {"span": {"max_length": 64}, "udpos": {"keep": "best"}}
    found = stopping(plan_with(tmp_path, target={"keep": "last", "overrides": one}), "targets")
    assert {task for task, stopping in found.items() if stopping} == {"udpos"}


def test_the_best_step_of_a_mixture_is_looked_for_to_the_end(tmp_path):
    before, plan = plan_with(tmp_path), plan_with(tmp_path, intermediate={"keep": "best"})
    assert set(stopping(plan, "intermediate").values()) == {EarlyStopping(evaluate_every=4, patience=None)}
    for stage in ("targets", "predictions"):
        assert stopping(plan, "targets") == stopping(before, "targets")
        moved = {name for name, node in named(plan, stage).items() if node.id != named(before, stage)[name].id}
        assert moved and not any(".none." in name for name in moved)


@pytest.fixture(scope="module")
def phang2020(full_mirror):
    return plan_shipped(ROOT / "studies/phang2020.yaml", full_mirror)


def test_xtreme_keeps_the_last_step_of_question_answering_xcopa_and_mewslix(full_mirror, phang2020):
    plans = [phang2020, plan_shipped(ROOT / "studies/xtreme_r.yaml", full_mirror)]
    last = {
        recipe: {
            node.spec.tasks[0].task
            for plan in plans
            for name, node in named(plan, "targets").items()
            if f".{recipe}." in name and node.spec.early_stopping is None
        }
        for recipe in ("jiant", "xtreme")
    }
    assert last == {"jiant": set(), "xtreme": {"squad_v1", "tydiqa", "siqa", "copa", "mewslix"}}


def test_xtreme_mines_bucc_by_the_first_position_of_layer_7_of_the_last_12(phang2020):
    pooled = {
        tuple(name.split(".")[1::2]): node.spec.pooling
        for name, node in named(phang2020, "embeddings").items()
        if ".none." in name
    }
    mean = Pooling(layer_fraction=14 / 24)
    assert pooled == {
        ("jiant", "bucc"): mean, ("jiant", "tatoeba"): mean, ("xtreme", "tatoeba"): mean,
        ("xtreme", "bucc"): Pooling(layer=-5, pooler="cls"),
    }  # fmt: skip


def test_a_task_has_its_own_vectors_and_its_win_over_its_forms(tmp_path):
    def pooling(**bitext):
        (spec,) = {node.spec.pooling for node in plan_with(tmp_path, bitext=bitext).stage("embeddings").values()}
        return spec

    plain = pooling()
    assert pooling(pooling="mean", overrides={"mining": {"pooling": "cls"}}) == plain
    assert pooling(overrides={"bitext": {"pooling": "cls", "layer": 1}, "tatoeba": {"layer": -1}}) == Pooling(
        layer=-1, pooler="cls"
    )
