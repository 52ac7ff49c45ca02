"""The plan is pure: equal questions give equal addresses, and a change moves what depends on it."""

import subprocess
import sys
from dataclasses import replace

import pytest
import yaml
from xstilts.errors import UserError
from xstilts.planning import registry
from xstilts.planning.plan import make_plan
from xstilts.planning.sourcing import Indexes
from xstilts.planning.study import read_study
from xstilts.store.stages import STAGES

from tests.builders.plans import named, node_of, plan_study, study_with
from tests.builders.projects import ROOT, STUDY, plan_of

# the tiny model reads 254 tokens, the default is 256
SHORT = {"max_length": 64}
UNION = """
version: 1
form: classification
title: Two in one
metric: accuracy
labels: [entailment, neutral, contradiction]
sources: [{kind: hub, union: [mnli], training_languages: [en, de]}]
"""


@pytest.fixture
def own(tmp_path):
    (tmp_path / "own/tasks").mkdir(parents=True)
    (tmp_path / "own/tasks/both.yaml").write_text(UNION)
    return registry.load((tmp_path / "own",))


def test_members_of_a_union_are_in_its_language(tmp_path, own):
    study = study_with(
        tmp_path,
        entries=own,
        mixtures={"one": ["both"], "other": ["both@de"]},
        targets={"xnli": None},
        source="download",
    )
    prepared = named(make_plan(study, own, Indexes()), "prepared")
    for name in ("both", "both@de"):
        (member,) = prepared[f"{name}.training"].parents
        assert member == prepared[f"{name.replace('both', 'mnli')}.training"].id


@pytest.fixture
def study(tmp_path):
    content = yaml.safe_load(STUDY.read_text())

    def plan(**changes):
        path = tmp_path / "study.yaml"
        path.write_text(yaml.safe_dump({**content, **changes}))
        return plan_of(path)

    return plan


def ids(plan, *stages):
    return {node.id for node in plan.nodes.values() if not stages or node.stage in stages}


def test_same_plan_twice(study):
    assert study().study_plan == study().study_plan


def test_no_heavy_imports():
    code = (
        "import sys; from xstilts.planning import settings;"
        "settings.plan_of(settings.from_config({'study': 'tests/studies/matrix.yaml'}));"
        "print([name for name in ('torch', 'transformers', 'datasets', 'pandas') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_stages_and_parents(study):
    plan = study()
    assert {node.stage for node in plan.nodes.values()} == set(STAGES) - {
        "learning_rates",
        "merged",
        "tokenizers",
        "pretrained",
    }
    order = list(plan.nodes)
    for node in plan.nodes.values():
        for parent in node.parents:
            assert order.index(parent) < order.index(node.id)


def test_target_training_is_shared_by_its_evaluations(study):
    targets = {"xquad": None, "xnli": None}
    assert len(study(targets=targets, mixtures={"none": None}).stage("targets")) == 2


def test_baseline_of_retrieval_has_one_node_for_all_seeds(study):
    plan = study(seeds=[1, 2, 3])
    nodes = [cell.node for cell in plan.cells if cell.target == "tatoeba"]
    assert len(nodes) == 6
    assert len(set(nodes)) == 1 + 3


def test_language_moves_no_training(study):
    before, after = study(), study(languages=["en", "de", "tr"])
    stages = ("models", "intermediate", "targets")
    assert ids(before, *stages) == ids(after, *stages)
    assert not ids(before, "predictions") & ids(after, "predictions")


def test_span_target_moves_the_training_data_that_could_hold_its_contexts(study):
    targets = {"xnli": None, "udpos": None}
    without, with_xquad = study(targets=targets), study(targets={**targets, "xquad": None})
    moved = ids(without, "prepared") - ids(with_xquad, "prepared")
    assert [name.split("/")[1].rpartition("-")[0] for name in moved] == ["squad_v1.training"]
    assert not ids(without, "intermediate") & ids(with_xquad, "intermediate")


def test_contexts_are_removed_whether_or_not_english_is_evaluated(study):
    """The questions of XQuAD in German are about translations of its English contexts."""
    nodes = named(study(languages=["de", "tr"]), "prepared")
    assert nodes["xquad.contexts.en"].id in nodes["squad_v1.training"].parents
    assert ids(study(languages=["de"]), "intermediate") == ids(study(languages=["de", "en"]), "intermediate")


def test_notes_are_part_of_the_outputs_address(study):
    one = study(targets={"xquad": None}, languages=["en", "de"])
    other = study(targets={"xquad": None}, languages=["en", "de", "sw"])
    assert one.predictions() == other.predictions()
    assert one.folder != other.folder


def test_options_of_figures_are_part_of_no_address(study):
    labels = {"models": {"tiny": "Tiny"}, "mixtures": {"three": "Three"}}
    other = study(figures={"palette": "coolwarm", "width": 3, "only": ["spread"], "labels": labels})
    assert other.folder == study().folder
    assert other.study_plan.figures.only == ("spread",)
    assert other.study_plan.figures.labels.models == {"tiny": "Tiny"}


def test_equal_numbers_are_equal(study):
    def plan(**target):
        phases = {"intermediate": SHORT, "target": {**SHORT, **target}, "bitext": SHORT}
        return study(recipes={"quick": phases}, seeds=[1])

    assert ids(plan(weight_decay=0)) == ids(plan(weight_decay=0.0))
    assert ids(plan(epochs=2)) == ids(plan(epochs=2.0))
    assert ids(study(seeds=[1])) == ids(study(seeds=[1.0]))


def test_what_was_left_out_is_said(study):
    assert study().notes == ["tatoeba: no data in en; evaluated in de"]


def test_limits_of_one_task(study):
    moved = ids(study()) ^ ids(study(tasks={"udpos": {"train_rows": 50}}))
    assert {name.split("/")[0] for name in moved} == {"prepared", "tokens", "targets", "predictions"}
    assert all("udpos" in name for name in moved)


def test_limits_of_a_task_keep_the_studys_others(study):
    plan = study(limits={"dev_rows": 16, "test_rows": 5}, tasks={"udpos": {"train_rows": 50}})
    node = node_of(plan, "prepared", "udpos.training")
    assert (node.spec.train_rows, node.spec.dev_rows) == (50, 16)


def test_step_version_moves_its_stage_and_all_below(study, monkeypatch):
    before = study()
    monkeypatch.setitem(STAGES, "tokens", replace(STAGES["tokens"], version=99))
    after = study()
    for stage, same in {
        "prepared": True,
        "models": True,
        "tokens": False,
        "targets": False,
        "predictions": False,
    }.items():
        assert (ids(before, stage) == ids(after, stage)) is same


def test_model_folder_is_known_by_its_weights(tmp_path, study):
    from xstilts.planning import registry
    from xstilts.planning.plan import Indexes, make_plan

    path = tmp_path / "study.yaml"
    path.write_text(STUDY.read_text())

    def model(sha256):
        index = {"tiny": {"model.safetensors": {"sha256": sha256, "bytes": 1}}}
        plan = make_plan(read_study(path, registry.load()), registry.load(), Indexes(None, index))
        return next(iter(plan.stage("models")))

    assert model("a") != model("b")
    assert model("a") == model("a")


@pytest.mark.parametrize("keep", ["best", "last"])
def test_which_step_of_pretraining_is_kept_is_no_choice(tmp_path, keep):
    entries = registry.load()
    content = yaml.safe_load((ROOT / "studies/miniature_seeds.yaml").read_text())
    assert plan_study(tmp_path, content).stage("pretrained")
    entry = entries.models["mini-small"]
    pretrained = entry["pretrained"] | {"phase": entry["pretrained"]["phase"] | {"keep": keep}}
    models = entries.models | {"mini-small": entry | {"pretrained": pretrained}}
    with pytest.raises(UserError, match=f"mini-small: pretrained.phase.keep: found '{keep}'"):
        plan_study(tmp_path, content, entries=replace(entries, models=models))
