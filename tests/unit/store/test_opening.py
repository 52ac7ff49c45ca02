"""What is read is as its maker left it, or is named in one line and made again."""

import json
import logging
import os
from dataclasses import replace

import pytest
from xstilts.errors import DamagedError, UserError
from xstilts.store import files, lock, manifest, node, opening
from xstilts.store.specs import to_json
from xstilts.store.study_plan import Cell

from tests.builders.nodes import Made, predictions_of
from tests.builders.study_plans import planned, study_plan


@pytest.fixture
def made(tmp_path):
    return Made(tmp_path / "results")


@pytest.fixture
def spec(made):
    return predictions_of(made)


def read(made, spec):
    with opening.parents(spec, made.results):
        pass


def folder(made, stage):
    (path,) = (made.results / stage).glob("x-*")
    return path


def change(path, content):
    """Write another content, as a tool or a defect does that leaves no trace in the file's time."""
    times = path.stat().st_atime_ns, path.stat().st_mtime_ns
    path.write_bytes(content)
    os.utime(path, ns=times)


FAULTS = {
    "other weights of the same size": ("intermediate", "model.safetensors", b"WEIGHTS", "has SHA-256"),
    "another language's rows": ("prepared", "train.parquet", b"rows in German.", "has SHA-256"),
    "half of a file": ("prepared", "train.parquet", b"rows in", "has 7 bytes, and had 15"),
    "a file of 0 bytes": ("tokens", "train/ids.npy", b"", "has 0 bytes, and had 9"),
    "no file": ("tokens", "train/ids.npy", None, "is missing"),
    "a record of 0 bytes": ("tokens", "record.json", b"", "cannot be read"),
    "half of a record": ("tokens", "record.json", b'{"spec": {', "cannot be read"),
    "a record that is none": ("tokens", "record.json", b"[]", "cannot be read"),
    "a record without parents": (
        "tokens",
        "record.json",
        b'{"spec": {"stage": "data"}, "files": {}}',
        "cannot be read",
    ),
    "a record of no spec": ("tokens", "record.json", b'{"spec": null, "files": {}}', "cannot be read"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_damage_is_named_and_made_again(made, spec, fault):
    read(made, spec)
    stage, name, content, found = FAULTS[fault]
    path = folder(made, stage) / name
    before = {file.name: file.read_bytes() for file in path.parent.iterdir() if file.is_file()}
    if content is None:
        path.unlink()
    else:
        change(path, content)
    with pytest.raises(DamagedError, match=found) as error:
        read(made, spec)
    assert str(folder(made, stage)) in str(error.value) and "\n" not in str(error.value)
    # all is released, so that it can be withdrawn; the files stay until it is made again
    line = opening.remedy(error.value)
    assert line.endswith("the next run makes it again (xstilts verify looks for others)")
    assert not opening.is_there(folder(made, stage)) and (folder(made, stage) / opening.WITHDRAWN).exists()
    with pytest.raises(UserError, match="missing; the stage that makes it has not run"):
        read(made, spec)
    predictions_of(made)
    read(made, spec)
    again = {file.name: file.read_bytes() for file in path.parent.iterdir() if file.is_file()}
    assert {**again, "provenance.json": b""} == {**before, "provenance.json": b""}


def test_a_record_of_another_spec_is_not_that_of_its_path(made, spec):
    """Of another stage, or of other settings: the path says the digest of the spec, and so of all before it."""
    tokens, model = folder(made, "tokens"), folder(made, "intermediate")
    own = json.loads((tokens / "record.json").read_text())
    other = {**own, "spec": {**own["spec"], "lengths": {"max_length": 9}}}
    for text in ((folder(made, "prepared") / "record.json").read_text(), json.dumps(other)):
        for name in ("record.json", "manifest.json"):
            (tokens / name).write_text(text)
        with pytest.raises(DamagedError, match="record.json is that of another node"):
            read(made, spec)
        # no reason to doubt what was made from it
        opening.checked(made.results, f"intermediate/{model.name}")


@pytest.mark.parametrize("content", [b"", b'{"spec": {}, "files": {}}', None])
def test_the_manifest_is_a_receipt_that_nobody_reads(made, spec, content):
    """Cut off by a power cut, of another node, or deleted by the Snakemake of another checkout."""
    receipt = folder(made, "tokens") / "manifest.json"
    if content is None:
        receipt.unlink()
    else:
        receipt.write_bytes(content)
    read(made, spec)


def test_weights_are_hashed_for_jobs_that_compute(made, spec):
    """A tokenizer beside 2 GB of weights is read by every job of tokens."""
    model = folder(made, "intermediate")
    change(model / "model.safetensors", b"WEIGHTS")
    tokens = manifest.of_node(folder(made, "tokens")).spec
    read(made, replace(tokens, parents={**tokens.parents, "model": f"intermediate/{model.name}"}))
    with pytest.raises(DamagedError):
        read(made, spec)


def test_what_is_read_is_held(made, spec):
    """Its rows, too, which are no parent."""
    with opening.parents(spec, made.results):
        for stage in ("prepared", "tokens", "intermediate"):
            assert not node.remove(folder(made, stage))
    assert node.remove(folder(made, "prepared"))


def test_what_is_in_use_is_not_withdrawn(made, spec):
    model = folder(made, "intermediate")
    change(model / "model.safetensors", b"WEIGHTS")
    with lock.held(model, shared=True):
        with pytest.raises(DamagedError) as error:
            read(made, spec)
        assert "it is in use: run again once that has ended" in opening.remedy(error.value)
        assert opening.is_there(model)


def test_what_another_process_has_made_again_meanwhile_stays(made, spec):
    model = folder(made, "intermediate")
    change(model / "model.safetensors", b"WEIGHTS")
    with pytest.raises(DamagedError) as error:
        read(made, spec)
    change(model / "model.safetensors", b"weights")
    opening.remedy(error.value)
    assert node.is_whole(model, manifest.of_node(model).spec)


def test_predictions_are_those_of_the_plan(made, spec):
    node_id = made.add(spec, {"predictions.parquet": "predictions"})
    cell = Cell("m", "r", "full", "none", 1, "xnli", node_id)
    plan = study_plan({node_id: planned(**to_json(spec))}, cells=(cell,))
    # the model is deleted by now, so that the path alone does not tell
    node.remove(folder(made, "intermediate"))
    opening.check_study(plan, made.results)
    other = study_plan({node_id: planned(**to_json(replace(spec, scoring="other")))}, cells=(cell,))
    with pytest.raises(DamagedError, match="is that of another node"):
        opening.check_study(other, made.results)
    (made.results / node_id / "predictions.parquet").write_text("Predictions")
    with pytest.raises(DamagedError, match="predictions.parquet has SHA-256"):
        opening.check_study(plan, made.results)


def test_a_file_is_hashed_once_unless_it_has_changed(tmp_path, monkeypatch):
    path = tmp_path / "weights"
    path.write_text("one")
    monkeypatch.setattr(files, "_SETTLED", -1.0)
    hashed = []
    monkeypatch.setattr(files, "file_sha256", lambda path: hashed.append(path) or path.read_text())
    assert [files.file_sha256_once(path) for _ in range(3)] == ["one"] * 3 and len(hashed) == 1
    path.write_text("two")
    assert files.file_sha256_once(path) == "two" and len(hashed) == 2
    # one that was written just now may change again within the resolution of file times
    monkeypatch.setattr(files, "_SETTLED", 2.0)
    path.write_text("three")
    assert [files.file_sha256_once(path) for _ in range(2)] == ["three"] * 2 and len(hashed) == 4


def test_nothing_is_logged_where_nothing_is_wrong(made, spec, caplog):
    caplog.set_level(logging.INFO)
    read(made, spec)
    assert not caplog.records
