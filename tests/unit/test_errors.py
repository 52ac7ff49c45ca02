"""Errors of the system and of files, as libraries raise them, become one line with file and remedy; others do not."""

import contextlib
import errno
import json
import os
import resource
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer, models
from xstilts.commands import main
from xstilts.errors import UserError, first_line, line, reading, suggestion
from xstilts.store.files import read_json, write_atomically

BYTES = 4096


@contextlib.contextmanager
def small_files():
    """Let no file grow beyond some bytes, as on a disk that is full."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (BYTES, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def vocabulary() -> Tokenizer:
    return Tokenizer(models.WordLevel({f"word{number}": number for number in range(BYTES)}, unk_token="word0"))


WRITERS = {
    "text": lambda path: path.write_text("x" * 3 * BYTES),
    "JSON": lambda path: write_atomically(path, "x" * 3 * BYTES),
    "npy": lambda path: np.save(path, np.zeros(3 * BYTES)),
    "parquet": lambda path: pd.DataFrame({"a": np.random.default_rng(0).random(BYTES)}).to_parquet(path),
    "safetensors": lambda path: save_file({"a": torch.zeros(3 * BYTES)}, path),
    "tokenizer": lambda path: vocabulary().save(str(path)),
}


@pytest.mark.parametrize("name", WRITERS)
def test_a_disk_that_takes_no_more_is_one_line(tmp_path, name):
    with small_files(), pytest.raises(Exception) as caught:  # noqa: B017, PT011 (whatever a library raises)
        WRITERS[name](tmp_path / "file.npy")
    text = line(caught.value)
    assert text is not None, repr(caught.value)
    assert text.endswith("then run the same command again")
    assert "\n" not in text


@pytest.mark.parametrize(
    ("number", "remedy"),
    [
        (errno.ENOSPC, "free some space"),
        (errno.EDQUOT, "free some space"),
        (errno.EROFS, "let it be written to"),
        (errno.EACCES, "check its owner and mode"),
        (errno.EIO, "check the disk"),
        (errno.EMFILE, "ulimit -n"),
    ],
)
def test_errors_of_the_system_have_a_remedy(number, remedy):
    text = line(OSError(number, os.strerror(number), "results/x.json"))
    assert text.startswith(f"results/x.json: {os.strerror(number)}; ")
    assert remedy in text
    # as libraries in Rust have it
    assert remedy in line(Exception(f"{os.strerror(number)} (os error {number})"))


@pytest.mark.parametrize("error", [ValueError("no"), KeyError("x"), ConnectionRefusedError(111, "no"), OSError("no")])
def test_faults_of_the_program_stay_what_they_are(error):
    assert line(error) is None


def test_an_error_of_the_user_is_its_own_line():
    assert line(UserError("study.yaml: models: none")) == "study.yaml: models: none"


READERS = {
    "JSON": read_json,
    "npy": lambda path: np.load(path, allow_pickle=False),
    "mapped npy": lambda path: np.load(path, allow_pickle=False, mmap_mode="r"),
    "parquet": pd.read_parquet,
    "safetensors": load_file,
    "tokenizer": lambda path: Tokenizer.from_file(str(path)),
}


@pytest.mark.parametrize("content", [None, b"", b"\x93NUMPY", b"PAR1", b"[1]", b"\xff" * 100])
@pytest.mark.parametrize("name", READERS)
def test_whatever_a_reader_raises_names_the_file(tmp_path, name, content):
    path = tmp_path / "file"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(UserError) as caught, reading(path):
        READERS[name](path)
    text = str(caught.value)
    assert text.startswith(f"{path}: {'missing' if content is None else 'damaged ('}")
    assert text.endswith(f"; delete {tmp_path} and run again")
    assert "\n" not in text


@pytest.mark.parametrize(
    ("error", "said"),
    [(EOFError(), "EOFError"), (ValueError(" \nno\nmore"), "no"), (ValueError("\n"), "ValueError")],
)
def test_the_first_line_of_an_error_is_never_empty(tmp_path, error, said):
    assert first_line(error) == said
    with pytest.raises(UserError, match=rf"damaged \({type(error).__name__}(: no)?\);"), reading(tmp_path / "file"):
        raise error


def test_a_file_that_may_not_be_read_is_not_to_be_deleted(tmp_path):
    path = tmp_path / "file"
    with pytest.raises(UserError) as caught, reading(path):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
    assert str(caught.value).startswith(f"{path}: Permission denied; check its owner and mode")
    assert "delete" not in str(caught.value)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_an_unreadable_file(tmp_path):
    path = tmp_path / "file.json"
    path.write_text("{}")
    path.chmod(0)
    with pytest.raises(UserError, match="Permission denied"):
        read_json(path)


def test_the_right_exception_passes(tmp_path):
    with pytest.raises(UserError, match="^mine$"), reading(tmp_path):
        raise UserError("mine")


def test_commands_end_with_the_line(monkeypatch, caplog):
    from xstilts.commands import where

    def full(_):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "results/index.yaml")

    monkeypatch.setattr(where, "run", full)
    assert main(["where"]) == 2
    assert "error: results/index.yaml: No space left on device; free some space" in caplog.text
    monkeypatch.setattr(where, "run", lambda _: {}["ours"])
    with pytest.raises(KeyError):
        main(["where"])


def test_only_objects_are_json_files_of_ours(tmp_path):
    path = tmp_path / "history.json"
    path.write_text(json.dumps({"losses": []}))
    assert read_json(path) == {"losses": []}
    path.write_text("3")
    with pytest.raises(UserError, match=r"history.json: damaged \(ValueError: found int, not an object\); delete it"):
        read_json(path, "delete it")
    with pytest.raises(UserError, match="Is a directory"):
        read_json(Path(tmp_path))


def test_only_a_slip_of_a_name_is_suggested():
    assert suggestion("tvs", ["tsv", "csv"]) == "did you mean 'tsv'?"
    rows = ["test_rows", "train_rows"]
    assert suggestion("evaluation_rows", rows) == "known: test_rows, train_rows"
