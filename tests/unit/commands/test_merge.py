"""A merged arm from raw data to predictions, and what is known of it afterwards."""

import torch
from safetensors.torch import load_file
from xstilts.evaluation import related_mixtures, trainings
from xstilts.store import lineage, node, retention
from xstilts.store.manifest import EvaluationResults, results_of
from xstilts.store.specs.models import MergedSpec

from tests.builders.plans import make, node_of, plan_study
from tests.builders.training import STUDY

TASKS = {"one": {"tasks": ["mnli"], "steps": 2}, "two": {"tasks": ["commonsenseqa"], "steps": 3}}
MERGED = {"merge": {"of": ["one", "two"], "method": "task_arithmetic", "scale": 0.5, "factors": {"two": 2}}}


def test_a_merged_arm(tmp_path):
    """Its weights are those of the formula, and its predictions know of the trainings of both models."""
    study = {**STUDY, "mixtures": {**TASKS, "merged": MERGED}, "recipes": {"full": STUDY["recipes"]["full"]},
             "targets": {"xnli": None}, "languages": ["en"]}  # fmt: skip
    plan, results = plan_study(tmp_path, study), tmp_path / "results"
    predictions = node_of(plan, "predictions", "tiny.full.merged.s1.xnli")
    make(plan, predictions.id, results)

    merged = node_of(plan, "merged", "tiny.full.merged.s1")
    one, two = (load_file(results / member / "model.safetensors") for member in merged.spec.members)
    base = load_file(results / merged.spec.parents["model"] / "model.safetensors")
    found = load_file(results / merged.id / "model.safetensors")
    assert found.keys() == one.keys()
    for name, weights in found.items():
        (pretrained,) = (value for key, value in base.items() if key == name or key.endswith(f".{name}"))
        expected = pretrained + 0.5 * (one[name] - pretrained) + 0.5 * 2 * (two[name] - pretrained)
        torch.testing.assert_close(weights, expected)
    assert any(not torch.equal(found[name], one[name]) for name in found)
    assert not node.work_directory(results / merged.id / "manifest.json").exists()

    target = predictions.spec.parents["model"]
    behind = results_of(results, predictions.id, EvaluationResults).training
    assert set(behind) == {*merged.spec.members, target}
    assert [behind[member].steps_done for member in merged.spec.members] == [2, 3]
    assert set(lineage.runs(results, merged.id)) == set(merged.spec.members)
    cell = next(cell for cell in plan.cells if cell.mixture == "merged")
    of_plan = trainings.models_behind(plan.study_plan, cell.node)
    assert list(of_plan) == [target, merged.id, *merged.spec.members, merged.spec.parents["model"]]
    # no training on both, whose parts the single tasks would be, and no control of one
    members = related_mixtures.members(plan.study_plan)
    assert {task.task for task in members["merged"]} == {"mnli", "commonsenseqa"}
    assert related_mixtures.nested(members) == {} and related_mixtures.controls(members) == []
    assert isinstance(plan.study_plan.nodes[merged.id].spec, MergedSpec)


def test_models_stay_until_they_are_merged(tmp_path):
    """As long as a merged one is missing, and what reads it; then they go, and so does what they were merged to."""
    study = {**STUDY, "mixtures": {**TASKS, "merged": MERGED}, "recipes": {"full": STUDY["recipes"]["full"]},
             "targets": {"xnli": None}}  # fmt: skip
    plan, results = plan_study(tmp_path, study), tmp_path / "results"
    merged = node_of(plan, "merged", "tiny.full.merged.s1")
    ((target, _),) = ((name, each) for name, each in plan.nodes.items() if merged.id in each.parents)
    for name in plan.nodes:
        if name not in (merged.id, target) and target not in plan.nodes[name].parents:
            (results / name).mkdir(parents=True)
            (results / name / "manifest.json").write_text("{}")
    members = merged.spec.members
    assert retention.delete_unneeded(results, plan.study_plan, members, "none") == []
    for name in (merged.id, target):
        (results / name).mkdir(parents=True)
        (results / name / "manifest.json").write_text("{}")
    assert set(retention.delete_unneeded(results, plan.study_plan, members, "none")) == set(members)
    assert retention.delete_unneeded(results, plan.study_plan, [merged.id], "none") == [merged.id]
