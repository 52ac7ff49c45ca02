"""Indexes: where they stand, and models that are refused."""

import pytest
from xstilts.data import usable
from xstilts.data.sources import Place, tiny
from xstilts.errors import UserError
from xstilts.planning import index, mirror_index, registry

from tests.builders.plans import tiny_model


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "model.safetensors"])
def test_model_folder_that_lacks_a_file(tmp_path, name):
    folder = tmp_path / "model"
    folder.mkdir()
    for file in ("config.json", "tokenizer.json", "model.safetensors"):
        (folder / file).write_text("{}")
    (folder / name).unlink()
    with pytest.raises(UserError, match="no weights" if name.startswith("model") else f"no {name}"):
        index.index_model(folder)


def test_index_of_a_read_only_folder(filled, tmp_path):
    results = tmp_path / "results"
    files = mirror_index.index_mirror(filled.folder, registry.load(), usable.check)
    filled.folder.chmod(0o555)
    path = index.write(filled.folder, "mirror.yaml", results, files)
    filled.folder.chmod(0o755)
    assert path.parent == results / "indexes"
    assert index.read(filled.folder, "mirror.yaml", results, "mirror") == files
    assert files["mnli/train.json"]["tasks"]["mnli"]["sample"] is True
    assert files["xquad/xquad.de.json"]["tasks"]["xquad"]["rows"] == tiny.TEST_ROWS


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("model.safetensors", b"\x08\0\0\0\0\0\0\0{}", r"model\.safetensors: not whole"),
        ("model.safetensors", b"", r"model\.safetensors: not whole"),
        ("config.json", b"{", r"config\.json: not JSON"),
    ],
)
def test_broken_model_folders_are_refused_when_they_are_indexed(tmp_path, name, content, message):
    tiny.fetch_model(tiny_model(1, 8), tmp_path, Place(None, True))
    assert set(index.index_model(tmp_path)) >= {"config.json", "model.safetensors", "tokenizer.json"}
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match=message):
        index.index_model(tmp_path)
