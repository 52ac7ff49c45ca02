"""Nodes brought into another results folder: whole, without weights, and never over what is there."""

import pytest
from xstilts.errors import DamagedError, UserError
from xstilts.store import manifest, opening, transfer

from tests.builders.nodes import Made, predictions_of


@pytest.fixture
def made(tmp_path):
    """Return a results folder with predictions and all that they are made from, and their ids."""
    made = Made(tmp_path / "there")
    predictions = made.add(predictions_of(made), {"predictions.parquet": "predictions"})
    return made, [*made.digests], predictions


def files(folder):
    return {
        path.relative_to(folder).as_posix()
        for path in folder.rglob("*")
        if path.is_file() and ".locks" not in path.parts
    }


def test_what_is_brought_is_whole_and_without_weights(made, tmp_path):
    there, nodes, predictions = made
    assert transfer.bring([*nodes, "retrieval/not-made"], there.results, tmp_path / "here") == []
    assert opening.checked(tmp_path / "here", predictions) == manifest.of_node(there.results / predictions)
    (rows, tokens, model, _) = nodes
    found = files(tmp_path / "here")
    assert {f"{rows}/train.parquet", f"{rows}/record.json", f"{model}/config.json", f"{model}/provenance.json"} <= found
    assert not any("safetensors" in name or "ids.npy" in name for name in found)
    assert f"{tokens}/manifest.json" not in found and f"{model}/manifest.json" not in found
    # again, and into itself
    assert transfer.bring(nodes, there.results, tmp_path / "here") == []
    assert transfer.bring(nodes, there.results, there.results) == []
    assert files(tmp_path / "here") == found


def test_what_is_there_with_other_files_stays_and_is_named(made, tmp_path):
    there, nodes, predictions = made
    other = Made(tmp_path / "other", dict(there.digests))
    other.add(predictions_of(other), {"predictions.parquet": "other predictions"})
    assert transfer.bring(nodes, there.results, tmp_path / "other") == [predictions]
    assert (tmp_path / "other" / predictions / "predictions.parquet").read_text() == "other predictions"


def test_a_copy_that_fails_leaves_nothing(made, tmp_path, monkeypatch):
    there, nodes, _ = made

    def fails(source, partial):
        partial.write_text("half")
        raise OSError("full")

    monkeypatch.setattr(transfer.shutil, "copyfile", fails)
    with pytest.raises(OSError, match="full"):
        transfer.bring(nodes[2:3], there.results, tmp_path / "here")
    assert not files(tmp_path / "here")


def test_damaged_nodes_are_not_brought(made, tmp_path):
    there, nodes, predictions = made
    (there.results / predictions / "predictions.parquet").write_text("something else")
    with pytest.raises(DamagedError, match=r"predictions\.parquet has \d+ bytes, and had"):
        transfer.bring(nodes, there.results, tmp_path / "here")
    assert not (tmp_path / "here" / predictions).exists()


@pytest.mark.parametrize("name", ["../out", "predictions/../../out", "predictions", "/etc/passwd", "other/x"])
def test_ids_that_leave_the_folder_are_refused(made, tmp_path, name):
    with pytest.raises(UserError, match="no id of a node"):
        transfer.bring([name], made[0].results, tmp_path / "here")


def test_what_a_withdrawn_node_has_left_is_replaced(made, tmp_path):
    there, nodes, predictions = made
    transfer.bring(nodes, there.results, tmp_path / "here")
    opening.withdraw(tmp_path / "here" / predictions)
    (tmp_path / "here" / predictions / "predictions.parquet").write_text("damaged")
    for name in (manifest.RECORD, manifest.MANIFEST):
        (tmp_path / "here" / predictions / name).unlink(missing_ok=True)
    assert transfer.bring(nodes, there.results, tmp_path / "here") == []
    assert (tmp_path / "here" / predictions / "predictions.parquet").read_text() == "predictions"
