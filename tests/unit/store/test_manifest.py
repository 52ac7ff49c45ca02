"""Manifests: the same for the same work, written at the end or not at all."""

import json

import pytest
from xstilts.errors import UserError
from xstilts.store import files, manifest, node
from xstilts.store.manifest import LearningRatesResults, TokensResults, Trial
from xstilts.store.specs.data import TokensSpec


def spec(max_length=64):
    return TokensSpec(version=1, parents={}, form="span", lengths={"max_length": max_length})


def test_a_failed_node_leaves_nothing_and_keeps_what_was_there(tmp_path):
    output = tmp_path / "tokens/x/manifest.json"
    with node.making(output, spec()) as made:
        (made.scratch / "file").write_text("one")
        made.results = TokensResults(pad=1, segment_end=None, splits={})
    before = output.read_text()
    with pytest.raises(UserError), node.making(output, spec()) as made:
        (made.scratch / "file").write_text("two")
        raise UserError("no")
    assert output.read_text() == before
    assert (output.parent / "file").read_text() == "one"
    assert [path.name for path in output.parent.parent.iterdir()] == ["x"]
    assert node.is_whole(output.parent, spec())
    assert not node.is_whole(output.parent, spec(32))


def test_manifest_is_the_same_for_the_same_work(tmp_path):
    texts = []
    for name in ("x", "y"):
        output = tmp_path / name / "node/manifest.json"
        with node.making(output, spec()) as made:
            (made.scratch / "file").write_text("content")
        texts.append(output.read_text())
        stated = json.loads((output.parent / "provenance.json").read_text())
        assert stated["host"] and stated["processor"] and stated["gpu"] is None
    assert texts[0] == texts[1]


def test_manifest_is_read_as_it_was_written(tmp_path):
    path = tmp_path / "manifest.json"
    stated = TokensResults(pad=1, segment_end=None, splits={})
    path.write_text(manifest.text(spec(), {}, stated))
    assert manifest.read(path).results == stated and manifest.read(path).spec == spec()
    # what has its neutral value is not written, and read again
    assert "segment" in path.read_text()
    trials = LearningRatesResults(trials=(Trial(learning_rate=1e-3, score=None),), best=1e-3)
    with pytest.raises(UserError, match="not a manifest"):
        path.write_text(manifest.text(spec(), {}, trials))
        manifest.read(path)


def test_broken_manifest(tmp_path):
    path = tmp_path / "manifest.json"
    path.write_text('{"spec": ')
    with pytest.raises(UserError, match="not a readable manifest"):
        manifest.read(path)


def test_canonical():
    assert files.canonical({"b": 1, "a": "ü"}) == '{"a":"ü","b":1}'
    assert files.digest({"a": 1, "b": 2}) == files.digest({"b": 2, "a": 1})
