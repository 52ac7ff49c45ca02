"""Manifests: the same for the same work, written at the end or not at all."""

import json

import pytest
from xstilts.errors import UserError
from xstilts.store import manifest


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
