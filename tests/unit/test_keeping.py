"""What is kept, what is let go, and who gets which GPU."""

import fcntl
import json
import os

import pytest
from xstilts.commands import main
from xstilts.errors import UserError
from xstilts.store import manifest, retention
from xstilts.training import devices


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
    assert retention.release(tmp_path, PLAN, ["targets/x"], "intermediate") == []
    make(tmp_path, "predictions/x2")
    assert retention.release(tmp_path, PLAN, ["targets/x"], "all") == []
    assert retention.release(tmp_path, PLAN, ["targets/x"], "intermediate") == ["targets/x"]
    assert not (tmp_path / "targets/x").exists()
    assert (tmp_path / "intermediate/a").exists()


def test_the_intermediate_phase_goes_last(tmp_path):
    make(tmp_path, "intermediate/a", "targets/x", "predictions/x1", "predictions/x2")
    assert retention.release(tmp_path, PLAN, ["targets/x"], "none") == ["targets/x"]
    make(tmp_path, "targets/y", "predictions/y1")
    assert retention.release(tmp_path, PLAN, ["targets/y"], "none") == ["targets/y", "intermediate/a"]


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


def test_a_failed_node_leaves_nothing_and_keeps_what_was_there(tmp_path):
    output = tmp_path / "targets/x/manifest.json"
    with manifest.node(output, {"a": 1}) as (scratch, facts):
        (scratch / "file").write_text("one")
        facts["rows"] = 1
    before = output.read_text()
    with pytest.raises(UserError), manifest.node(output, {"a": 1}) as (scratch, _):
        (scratch / "file").write_text("two")
        raise UserError("no")
    assert output.read_text() == before
    assert (output.parent / "file").read_text() == "one"
    assert [path.name for path in output.parent.parent.iterdir()] == ["x"]
    assert manifest.is_complete(output, {"a": 1})
    assert not manifest.is_complete(output, {"a": 2})


def test_manifest_is_the_same_for_the_same_work(tmp_path):
    texts = []
    for name in ("x", "y"):
        output = tmp_path / name / "node/manifest.json"
        with manifest.node(output, {"b": 1, "a": [1]}) as (scratch, _):
            (scratch / "file").write_text("content")
        texts.append(output.read_text())
        assert json.loads((output.parent / "provenance.json").read_text())["host"]
    assert texts[0] == texts[1]


def test_broken_manifest(tmp_path):
    path = tmp_path / "manifest.json"
    path.write_text('{"spec": ')
    with pytest.raises(UserError, match="not a readable manifest"):
        manifest.read(path)


def test_canonical():
    assert manifest.canonical({"b": 1, "a": "ü"}) == '{"a":"ü","b":1}'
    assert manifest.digest({"a": 1, "b": 2}) == manifest.digest({"b": 2, "a": 1})


def fake_driver(tmp_path, monkeypatch, gpus):
    script = tmp_path / "bin/nvidia-smi"
    script.parent.mkdir()
    lines = "\n".join(f"GPU {number}: made up" for number in range(gpus))
    script.write_text(f"#!/bin/sh\necho '{lines}'\n")
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{script.parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)


def test_each_job_gets_a_gpu_of_its_own(tmp_path, monkeypatch):
    fake_driver(tmp_path, monkeypatch, 2)
    monkeypatch.setattr(devices, "_held", [])
    taken = []
    for job in range(3):
        if job == 2:
            # the first job ends
            devices._held.pop(0).close()
        devices.claim_gpus(tmp_path, 1)
        taken.append(os.environ.pop("CUDA_VISIBLE_DEVICES"))
    assert taken == ["0", "1", "0"]
    with open(tmp_path / "gpu-1.lock") as file, pytest.raises(BlockingIOError):
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    for file in devices._held:
        file.close()


def test_devices_set_by_a_cluster_are_left_alone(tmp_path, monkeypatch):
    fake_driver(tmp_path, monkeypatch, 2)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "5")
    devices.claim_gpus(tmp_path, 1)
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "5"


def test_no_gpu(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert devices.count_gpus() == 0
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    devices.claim_gpus(tmp_path, 1)
    assert "CUDA_VISIBLE_DEVICES" not in os.environ


def test_commands_are_listed(capsys):
    with pytest.raises(SystemExit):
        main(["--help"])
    assert "index-mirror" in capsys.readouterr().out


def test_unknown_command_is_no_traceback(capsys):
    with pytest.raises(SystemExit) as error:
        main(["trian"])
    assert error.value.code == 2
    assert "Traceback" not in capsys.readouterr().err
