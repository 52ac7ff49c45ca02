"""Indexes of raw files and of models: what they say, and what is refused."""

import pytest
from xstilts.data import readers
from xstilts.data.sources import Place, tiny
from xstilts.errors import UserError
from xstilts.planning import index, registry

from tests.builders.plans import tiny_model

UNREADABLE = {
    "missing column": ("xnli/test-de.tsv", lambda text: "a\tb\n" + text, r"test-de\.tsv:2: 3 columns where 2"),
    "truncated": ("mnli/train.json", lambda text: text[: len(text) // 2], r"train\.json: not JSON .*truncated"),
    "other format": ("xquad/xquad.de.json", lambda text: "[]", r"xquad\.de\.json: not in SQuAD's format"),
    "no tag": ("udpos/test-de.tsv", lambda text: "word\n" + text, r"test-de\.tsv:2: 2 columns where 1 \(words\)"),
    "unequal lines": (
        "tatoeba/tatoeba.deu-eng.deu", lambda text: text + "more\n", r"deu: 25 lines, but .*eng has 24",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", UNREADABLE)
def test_unreadable_files(filled, name):
    file, change, message = UNREADABLE[name]
    filled.edit(file, change)
    with pytest.raises(UserError, match=message):
        index.index_mirror(filled.folder, registry.load(), readers.read)


def test_wrong_encoding(filled):
    (filled.folder / "xnli/test-de.tsv").write_bytes("grün\tx\tneutral\n".encode("latin-1"))
    with pytest.raises(UserError, match=r"test-de\.tsv: not UTF-8 at byte 2"):
        index.index_mirror(filled.folder, registry.load(), readers.read)


def test_wrong_encoding_in_the_second_of_two_files(filled):
    path = filled.folder / "tatoeba/tatoeba.deu-eng.eng"
    path.write_bytes(b"x" * 30_000 + b"\xff")
    with pytest.raises(UserError, match=r"deu-eng\.eng: not UTF-8 at byte 30000"):
        index.index_mirror(filled.folder, registry.load(), readers.read)


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
    files = index.index_mirror(filled.folder, registry.load(), readers.read)
    filled.folder.chmod(0o555)
    path = index.write(filled.folder, "mirror.yaml", results, files)
    filled.folder.chmod(0o755)
    assert path.parent == results / "indexes"
    assert index.read(filled.folder, "mirror.yaml", results, "mirror") == files
    assert files["mnli/train.json"]["tasks"]["mnli"]["sample"] is True
    assert files["xquad/xquad.de.json"]["tasks"]["xquad"]["rows"] == tiny.TEST_ROWS


def test_index_knows_rows_and_samples(real_text):
    _, files = real_text
    expected = {
        ("mnli", "mnli/train.json"): (8999, True),
        ("commonsenseqa", "commonsenseqa/train_rand_split.jsonl"): (9741, False),
        ("squad_v2", "squad_v2/dev-v2.0.json"): (6078, True),
        ("xnli", "xnli/dev-sw.tsv"): (2490, False),
        ("xnli", "xnli/test-sw.tsv"): (5010, False),
        ("udpos", "udpos/train-en.tsv"): (21787, False),
        ("tatoeba", "tatoeba/tatoeba.swh-eng.swh"): (390, False),
        **{("xquad", f"xquad/xquad.{language}.json"): (1190, False) for language in ("ar", "en", "hi", "th", "zh")},
    }
    found = {(task, name): files[name]["tasks"][task] for task, name in expected}
    assert {key: (file["rows"], file["sample"]) for key, file in found.items()} == expected


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
