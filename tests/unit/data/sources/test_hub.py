"""The hub source against a hub on this machine: the pinned revision and no other, every column, one line for errors."""

import pyarrow.parquet
import pytest

from tests.builders import hub as hub_server

OLD, NEW, UNKNOWN = "a" * 40, "b" * 40, "c" * 40
MNLI = {
    revision: {"premise": [f"{word} one", f"{word} two"], "hypothesis": ["x", ""], "label": [2, -1]}
    for revision, word in ((OLD, "old"), (NEW, "new"))
}
SQUAD = {
    "id": ["q1", "q2"],
    "context": ["Ein Satz.\n", "\u2028文"],
    "answers": [{"text": ["Satz"], "answer_start": [4]}, {"text": [], "answer_start": []}],
}
WORDS = {"tokens": [["Ein", "Satz", "."], []], "ner_tags": [[0, 1, 0], []]}
CARD = b"""---
configs:
- config_name: mnli
  data_files: [{split: train, path: mnli/train-*}, {split: validation_matched, path: mnli/validation-*}]
- config_name: squad
  data_files: [{split: train, path: data/squad-train.parquet}]
- config_name: de
  data_files: [{split: test, path: de/test-*}]
---
"""
WEIGHTS = {"config.json": b"{}", "tokenizer.json": b"{}", "model.safetensors": b"weights", "README.md": b"#"}
REPOSITORIES = {
    "datasets": {
        "owner/name": {
            revision: {
                "README.md": CARD,
                "mnli/train-00000-of-00002.parquet": hub_server.parquet({k: v[:1] for k, v in rows.items()}),
                "mnli/train-00001-of-00002.parquet": hub_server.parquet({k: v[1:] for k, v in rows.items()}),
                "mnli/validation-00000-of-00001.parquet": hub_server.parquet({k: v[:1] for k, v in rows.items()}),
                "data/squad-train.parquet": hub_server.parquet(SQUAD),
                "de/test-00000-of-00001.parquet": hub_server.parquet(WORDS),
            }
            for revision, rows in MNLI.items()
        }
        | {"v1": OLD},
        "owner/script": {OLD: {"script.py": b"raise SystemExit('remote code ran')", "README.md": b"#"}},
    },
    "models": {
        "owner/model": {
            OLD: WEIGHTS | {"pytorch_model.bin": b"pickle", "modeling_own.py": b"", "onnx/model.safetensors": b""},
            NEW: WEIGHTS | {"model.safetensors": b"other weights"},
        }
    },
}
JOBS = {
    "old": {"repository": "owner/name", "revision": OLD, "files": ["mnli/train", "mnli/validation_matched"]},
    "new": {"repository": "owner/name", "revision": NEW, "files": ["mnli/train"]},
    "tag": {"repository": "owner/name", "revision": "v1", "files": ["mnli/train"]},
    "nested": {"repository": "owner/name", "revision": OLD, "files": ["squad/train", "de/test"]},
    "no such revision": {"repository": "owner/name", "revision": UNKNOWN, "files": ["mnli/train"]},
    "no such configuration": {"repository": "owner/name", "revision": OLD, "files": ["qqp/train"]},
    "no such split": {"repository": "owner/name", "revision": OLD, "files": ["mnli/test"]},
    "no such repository": {"repository": "owner/nothing", "revision": OLD, "files": ["mnli/train"]},
    "script": {"repository": "owner/script", "revision": OLD, "files": ["default/train"]},
    "model": {"repository": "owner/model", "revision": OLD},
    "other model": {"repository": "owner/model", "revision": NEW},
    "no such revision of a model": {"repository": "owner/model", "revision": UNKNOWN},
    "no such model": {"repository": "owner/nothing", "revision": OLD},
}
AGAIN, NAME, REVISION = "try again, or use a mirror", "check the name", "check the revision"


@pytest.fixture(scope="module")
def fetched(tmp_path_factory):
    """All jobs, fetched once: the folder that has one folder a job, and what each said."""
    folder = tmp_path_factory.mktemp("hub")
    with hub_server.serve(**REPOSITORIES) as address:
        jobs = [{**job, "folder": folder / name} for name, job in JOBS.items()]
        said, _ = hub_server.fetch(jobs, folder / "home", address)
    return folder, dict(zip(JOBS, said, strict=True))


def rows(path) -> dict[str, list]:
    return pyarrow.parquet.read_table(path).to_pydict()


def test_the_pinned_revision(fetched):
    folder, said = fetched
    assert said["old"] is said["new"] is said["tag"] is None
    assert rows(folder / "old/mnli/train") == MNLI[OLD]
    assert rows(folder / "new/mnli/train") == MNLI[NEW]
    assert rows(folder / "tag/mnli/train") == MNLI[OLD]
    assert rows(folder / "old/mnli/validation_matched") == {name: values[:1] for name, values in MNLI[OLD].items()}


def test_columns_arrive_as_they_are(fetched):
    folder, said = fetched
    assert said["nested"] is None
    assert rows(folder / "nested/squad/train") == SQUAD
    assert rows(folder / "nested/de/test") == WORDS


def test_models(fetched):
    folder, said = fetched
    assert said["model"] is said["other model"] is None
    files = {path.name: path.read_bytes() for path in (folder / "model").iterdir()}
    assert files == {name: content for name, content in WEIGHTS.items() if name != "README.md"}
    assert (folder / "other model/model.safetensors").read_bytes() == b"other weights"


@pytest.mark.parametrize(
    ("job", "reason", "mend"),
    [
        ("no such revision", f"owner/name at {UNKNOWN}, configuration mnli, split train: no such revision", REVISION),
        (
            "no such configuration",
            f"owner/name at {OLD}, configuration qqp, split train: BuilderConfig 'qqp' not found",
            AGAIN,
        ),
        ("no such split", 'configuration mnli, split test: Unknown split "test"', AGAIN),
        ("no such repository", "split train: Dataset 'owner/nothing' doesn't exist on the Hub", AGAIN),
        (
            "script",
            f"owner/script at {OLD}, configuration default, split train: Dataset scripts are no longer supported",
            AGAIN,
        ),
        ("no such revision of a model", f"owner/model at {UNKNOWN}: no such revision", REVISION),
        ("no such model", f"owner/nothing at {OLD}: no such repository, or a private one", NAME),
    ],
)
def test_errors_are_one_line(fetched, job, reason, mend):
    folder, said = fetched
    assert said[job].startswith("hub: ")
    assert reason in said[job]
    assert said[job].endswith(f"; {mend}")
    assert len(said[job].splitlines()) == 1
    assert not [path for path in (folder / job).rglob("*") if path.is_file()]
