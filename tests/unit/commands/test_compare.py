"""The command that puts two studies side by side."""

import json
import logging
import tempfile
import webbrowser

import pytest
from xstilts import commands

from tests.builders.plans import study_file
from tests.builders.two_studies import outputs, study


@pytest.fixture
def folders(tmp_path, monkeypatch):
    """Return the folders of the outputs of two studies; the working directory has a config.yaml."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config.yaml").write_text("{}")
    made = (study(tmp_path / tag, {"xnli": {1: right, 2: right + 2}}, tag=tag) for tag, right in (("a", 60), ("b", 80)))
    return [str(outputs(one, one.tag).folder) for one in made]


def test_text_and_json(folders, capsys):
    assert commands.main(["compare", *folders]) == 0
    assert "s.r.mnli" in capsys.readouterr().out
    assert commands.main(["compare", *folders, "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["differences"][0]["difference"] == 20


def test_page(folders, tmp_path, monkeypatch):
    opened = []
    monkeypatch.setattr(webbrowser, "open", opened.append)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    page = tmp_path / "pages" / "both.html"
    commands.main(["compare", *folders, "--html", str(page)])
    assert "Two studies side by side" in page.read_text() and not opened
    commands.main(["compare", *folders, "--open"])
    assert opened[0].startswith("file://") and opened[0].endswith("compare.html")


def test_what_is_no_study(folders, tmp_path, caplog):
    assert commands.main(["compare", folders[0], str(tmp_path / "nothing")]) == 2
    assert "nothing: no such file or folder" in caplog.text


def test_a_study_file_that_has_not_run(folders, tmp_path, caplog):
    path = study_file(tmp_path, {
        "description": "x", "source": "miniature", "models": ["mini-small"], "mixtures": ["none"],
        "recipes": {"mini": {"target": {"max_length": 96}}}, "targets": {"tydiqa": None},
    })  # fmt: skip
    with caplog.at_level(logging.ERROR):
        assert commands.main(["compare", str(path), folders[1]]) == 2
    assert "as it is now it has not run" in caplog.text and "run: make study STUDY=" in caplog.text
