"""What is kept, and what is deleted once nobody needs it."""

import json

from xstilts.store import retention


def make(results, *names):
    for name in names:
        (results / name).mkdir(parents=True)
        (results / name / "manifest.json").write_text("{}")


PLAN = {
    "nodes": {
        "intermediate/a": {"spec": {"parents": {}}},
        "targets/x": {"spec": {"parents": {"model": "intermediate/a"}}},
        "targets/y": {"spec": {"parents": {"model": "intermediate/a"}}},
        "predictions/x1": {"spec": {"parents": {"model": "targets/x"}}},
        "predictions/x2": {"spec": {"parents": {"model": "targets/x"}}},
        "predictions/y1": {"spec": {"parents": {"model": "targets/y"}}},
    }
}


def test_weights_stay_until_all_their_users_are_complete(tmp_path):
    make(tmp_path, "intermediate/a", "targets/x", "targets/y", "predictions/x1")
    assert retention.delete_unneeded(tmp_path, PLAN, ["targets/x"], "intermediate") == []
    make(tmp_path, "predictions/x2")
    assert retention.delete_unneeded(tmp_path, PLAN, ["targets/x"], "all") == []
    assert retention.delete_unneeded(tmp_path, PLAN, ["targets/x"], "intermediate") == ["targets/x"]
    assert not (tmp_path / "targets/x").exists()
    assert (tmp_path / "intermediate/a").exists()


def test_the_intermediate_phase_goes_last(tmp_path):
    make(tmp_path, "intermediate/a", "targets/x", "predictions/x1", "predictions/x2")
    assert retention.delete_unneeded(tmp_path, PLAN, ["targets/x"], "none") == ["targets/x"]
    make(tmp_path, "targets/y", "predictions/y1")
    assert retention.delete_unneeded(tmp_path, PLAN, ["targets/y"], "none") == ["targets/y", "intermediate/a"]


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
