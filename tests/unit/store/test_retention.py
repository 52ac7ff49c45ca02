"""What is kept, and what is deleted once nobody needs it."""

import json

import pytest
from xstilts.store import retention

from tests.builders.plans import node_of
from tests.builders.projects import STUDY, plan_of


def make(results, *names):
    for name in names:
        (results / name).mkdir(parents=True)
        (results / name / "manifest.json").write_text("{}")


@pytest.fixture(scope="module")
def plan():
    return plan_of(STUDY)


@pytest.fixture(scope="module")
def three(plan):
    """The ids of the intermediate model of a mixture, of the targets that start from it, and of what is made of each."""
    intermediate = node_of(plan, "intermediate", "tiny.quick.three.s1").id
    targets = {
        name: node_of(plan, "targets", f"tiny.quick.three.s1.{name}").id for name in ("mnli", "udpos", "squad_v1")
    }
    names = {"mnli": "xnli", "udpos": "udpos", "squad_v1": "xquad"}
    made = {name: node_of(plan, "predictions", f"tiny.quick.three.s1.{names[name]}").id for name in targets}
    return intermediate, targets, made


def test_weights_stay_until_all_their_users_are_complete(tmp_path, plan, three):
    intermediate, targets, predictions = three
    make(tmp_path, intermediate, *targets.values())
    chosen = [targets["mnli"]]
    assert retention.delete_unneeded(tmp_path, plan.study_plan, chosen, "intermediate") == []
    make(tmp_path, predictions["mnli"])
    assert retention.delete_unneeded(tmp_path, plan.study_plan, chosen, "all") == []
    assert retention.delete_unneeded(tmp_path, plan.study_plan, chosen, "intermediate") == chosen
    assert not (tmp_path / targets["mnli"]).exists()
    assert (tmp_path / intermediate).exists()


def test_the_intermediate_phase_goes_last(tmp_path, plan, three):
    intermediate, targets, predictions = three
    make(tmp_path, intermediate, targets["mnli"], predictions["mnli"])
    embeddings = node_of(plan, "embeddings", "tiny.quick.three.s1.tatoeba").id
    assert retention.delete_unneeded(tmp_path, plan.study_plan, [targets["mnli"]], "none") == [targets["mnli"]]
    make(tmp_path, embeddings, targets["udpos"], predictions["udpos"], predictions["squad_v1"])
    deleted = retention.delete_unneeded(tmp_path, plan.study_plan, [targets["udpos"]], "none")
    assert deleted == [targets["udpos"], intermediate]


def test_unused(tmp_path):
    make(tmp_path, "targets/x", "targets/old")
    past = tmp_path / "studies/pocket/aaaa"
    past.mkdir(parents=True)
    (past / "plan.json").write_text(json.dumps({"nodes": {"targets/old": {}}}))
    (past.parent / "latest").symlink_to("aaaa")
    (tmp_path / "work/targets/busy").mkdir(parents=True)
    found = retention.unused(tmp_path, ["targets/x"])
    assert [(item.path.relative_to(tmp_path).as_posix(), item.studies) for item in found] == [
        ("targets/old", ("pocket",)),
        ("studies/pocket/aaaa", ("pocket",)),
    ]
    assert found[0].size == 2
