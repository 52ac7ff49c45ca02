"""``xstilts export``: what it writes, all or nothing, and what it refuses."""

import re
import shlex
import shutil

import pytest
from xstilts import commands
from xstilts.evaluation import every_eval_ever

from tests.builders.exported import finished
from tests.builders.projects import ROOT

PAGE = (ROOT / "docs/export.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return finished(tmp_path_factory.mktemp("exported"))


@pytest.fixture
def study(made, tmp_path, monkeypatch):
    """Return the folder of a finished study's outputs; the working directory is another one."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config.yaml").write_text("{}")
    return made


def export(study, *more: str) -> int:
    return commands.main(["export", str(study), "--to", "out", *more])


def test_the_commands_of_the_page(study, tmp_path, capsys):
    (tmp_path / "results/studies/phang2020").mkdir(parents=True)
    (tmp_path / "results/studies/phang2020/latest").symlink_to(study)
    of_records, of_cards = re.findall(r"^xstilts (export .*)$", PAGE, re.M)
    assert commands.main(shlex.split(of_records)) == 0
    assert capsys.readouterr().out == "out: 2 files of study test\n"
    assert len(list((tmp_path / "out").rglob("*.json"))) == 2 and not list((tmp_path / "out").rglob("*.jsonl"))
    assert commands.main(shlex.split(of_cards)) == 0
    assert {path.name for path in (tmp_path / "cards").iterdir()} == {"s.r.none", "s.r.mnli"}


def test_a_second_export_has_the_same_names_and_goes_into_a_new_folder(study, tmp_path, caplog):
    asked = ("--format", "every-eval-ever", "--organization", "A Lab", "--examples")
    assert export(study, *asked) == 0
    names = {path.name for path in (tmp_path / "out").rglob("*.json*")}
    assert len(names) == 4
    assert export(study, *asked) == 2
    assert "out: it exists; name a new folder" in caplog.text
    (tmp_path / "out").rename(tmp_path / "aside")
    assert export(study, *asked) == 0
    assert {path.name for path in (tmp_path / "out").rglob("*.json*")} == names


def test_nothing_is_left_of_an_export_that_fails(study, tmp_path, monkeypatch):
    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(every_eval_ever, "write_atomically", fail)
    before = sorted(tmp_path.iterdir())
    assert export(study, "--format", "every-eval-ever", "--organization", "A Lab", "--examples") == 2
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--format", "every-eval-ever"], "--organization: every-eval-ever asks who provides the results; give a name"),
        (["--format", "model-card", "--examples"], "--organization and --examples are of every-eval-ever alone"),
    ],
)
def test_options(study, caplog, more, said):
    assert export(study, *more) == 2
    assert said in caplog.text


def test_a_study_that_is_not_finished(study, tmp_path, caplog):
    results = tmp_path / "copy/results"
    shutil.copytree(study.parents[2], results)
    (results / "predictions/s.r.mnli.s2.xnli/manifest.json").unlink()
    assert export(results / "studies/test/01234567", "--format", "model-card") == 2
    assert "s.r.mnli.s2.xnli/manifest.json: missing; the stage that makes it has not run" in caplog.text
    (results / "studies/test/01234567/scores.parquet").unlink()
    assert export(results / "studies/test/01234567", "--format", "model-card") == 2
    assert "has no scores.parquet, so the study is not finished; run its study: make study" in caplog.text
