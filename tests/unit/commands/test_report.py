"""xstilts report: the report of a study file or of a folder of outputs, found and opened."""

import webbrowser

import pytest
from xstilts import commands

from tests.builders.projects import STUDY, plan_of


@pytest.fixture
def opened(monkeypatch):
    """The addresses that a browser was asked for."""
    found = []
    monkeypatch.setattr(webbrowser, "open", lambda address: found.append(address) is None)
    return found


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The outputs of the configured study, as far as the command looks at them."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "study.yaml").write_bytes(STUDY.read_bytes())
    (tmp_path / "config.yaml").write_text("study: study.yaml\n")
    folder = tmp_path / "results" / plan_of(tmp_path / "study.yaml").folder
    folder.mkdir(parents=True)
    for name in ("plan.json", "report.html"):
        (folder / name).write_text("")
    return folder


@pytest.mark.parametrize("of", ["configured", "file", "folder"])
def test_the_report_of_a_study_is_opened(folder, opened, capsys, of):
    named = {"configured": [], "file": ["study.yaml"], "folder": [str(folder)]}[of]
    assert commands.main(["report", *named, "--open"]) == 0
    assert opened == [(folder / "report.html").as_uri()]
    assert capsys.readouterr().out.strip().endswith("report.html")


def test_without_open_it_says_where_the_report_is(folder, opened, capsys):
    assert commands.main(["report", str(folder)]) == 0
    assert opened == [] and capsys.readouterr().out == f"{folder / 'report.html'}\n"


@pytest.mark.parametrize(
    "named, remedy",
    [
        (["study.yaml"], "run: make study STUDY=study.yaml"),
        ([], "run: make study STUDY=study.yaml"),
        (["folder"], "run its study: make study STUDY=<study file>"),
    ],
)
def test_without_a_report_it_says_what_to_run(folder, opened, caplog, named, remedy):
    (folder / "report.html").unlink()
    named = [str(folder)] if named == ["folder"] else named
    assert commands.main(["report", *named, "--open"]) == 2
    assert opened == [] and f"its report is not made yet; {remedy}" in caplog.text


def test_a_study_that_is_not_there(folder, caplog):
    assert commands.main(["report", "nope.yaml"]) == 2
    assert "nope.yaml: no such file or folder; give a study file, or the folder of a study's outputs" in caplog.text


def test_a_machine_without_a_browser_is_given_the_address(folder, monkeypatch, caplog):
    monkeypatch.setattr(webbrowser, "open", lambda address: False)
    assert commands.main(["report", "--open"]) == 0
    assert f"open {(folder / 'report.html').as_uri()}" in caplog.text


def test_a_study_and_a_plan_exclude_each_other(folder, capsys):
    with pytest.raises(SystemExit):
        commands.main(["report", "study.yaml", "--plan", str(folder / "plan.json")])
    assert "not allowed with" in capsys.readouterr().err
