"""``xstilts combine``: what the page of the documents shows, and that two halves are the whole."""

import re
import shlex

import pandas as pd
import pytest
import xstilts
from xstilts import commands
from xstilts.evaluation import resampling
from xstilts.store.answer import Contrast
from xstilts.store.study_plan import FigureOptions

from tests.builders.compared import MIXTURES, XNLI
from tests.builders.exported import outputs
from tests.builders.predicted import Predicted, correct
from tests.builders.projects import ROOT

PAGE = (ROOT / "docs/combine.md").read_text(encoding="utf-8")
(COMMAND,) = re.findall(r"^xstilts (combine .*)$", PAGE, re.M)
FOLDER = "results-both/studies/first+second/latest"


def study(folder, name, scores, figures=()):
    """Write the outputs of a study of two arms: by seed how many of 40 are right with MNLI, beyond 10; its figures."""
    made = Predicted(folder, {"xnli": XNLI}, MIXTURES)
    for seed, right in scores.items():
        for mixture, more in (("none", 0), ("mnli", right)):
            made.add(("s", mixture), seed, "xnli", {"en": correct(40, 30), "de": correct(40, 10 + more)})
    gain = {"gain": Contrast("mixture", ("mnli", "none"))}
    tables = ("main", "by_language", "contrasts")
    there = outputs(made, name, figures=FigureOptions(only=figures), contrasts=gain, tables=tables)
    (there.parent / "latest").symlink_to(there.name)
    return there


@pytest.fixture
def here(tmp_path, monkeypatch):
    """Return the working directory; nothing is drawn often."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(resampling, "DRAWS", 20)
    (tmp_path / "config.yaml").write_text("{}")
    return tmp_path


def test_two_halves_are_the_whole(here, capsys):
    study(here / "results-a", "first", {1: 10, 2: 14}, figures=("gain_matrix",))
    study(here / "results-b", "second", {3: 12})
    assert commands.main(shlex.split(COMMAND)) == 0
    said = capsys.readouterr().out
    assert said.startswith("results-both/studies/first+second/") and "xstilts paper --plan results-both/" in said
    both = xstilts.load(here / FOLDER)
    assert set(both.scores["seed"]) == {1, 2, 3}
    assert both.estimates.query("name == 'gain' and target == 'xnli'")["estimate"].tolist() == [pytest.approx(30)]
    made = {path.name for path in (here / FOLDER).iterdir()}
    assert {"report.html", "report.txt", "tables", "index.tsv", "study.yaml"} <= made
    assert {path.stem for path in (here / FOLDER / "figures").iterdir()} == {"gain_matrix"}
    whole = study(here / "results-whole", "whole", {1: 10, 2: 14, 3: 12})
    for command in ("estimates", "tables"):
        (whole / "tables").mkdir(exist_ok=True)
        assert commands.main([command, "--plan", str(whole / "plan.json")]) == 0
    pd.testing.assert_frame_equal(xstilts.load(whole).estimates, both.estimates)
    tables = [(folder / "tables/main.csv").read_text() for folder in (whole, here / FOLDER)]
    assert tables[0] == tables[1]


def test_the_same_run_made_differently_counts_once_and_is_named(here, caplog):
    study(here / "results-a", "first", {1: 10, 2: 14})
    study(here / "results-b", "second", {2: 16, 3: 12})
    assert commands.main(shlex.split(COMMAND)) == 0
    both = xstilts.load(here / FOLDER)
    assert len(both.cells) == 6
    (note,) = both.plan.notes
    assert note == (
        "made differently on another machine, though the specs are equal: 1 nodes, the first"
        " predictions/s.r.mnli.s2.xnli; what the results folder had first is used; scores of A and B differ by at most"
        " 5"
    )
    assert note in caplog.text and note in (here / FOLDER / "report.html").read_text()
    scored = both.scores.query("mixture == 'mnli' and seed == 2 and language == 'de' and metric == 'accuracy'")
    assert scored["score"].tolist() == [60]
    # another spelling of the folder, and what no output reads, is no other combination
    first = here / "results-a/studies/first/01234567/plan.json"
    first.write_text(first.read_text().replace('"unlabelled": {}', '"unlabelled": {"predictions/x": "predictions/y"}'))
    assert commands.main([*shlex.split(COMMAND)[:-1], str(here / "results-both")]) == 0
    assert len([path for path in (here / FOLDER).parent.iterdir() if not path.is_symlink()]) == 1


def test_what_is_not_finished_or_of_another_version_is_refused(here, caplog):
    first, second = study(here / "results-a", "first", {1: 10}), study(here / "results-b", "second", {2: 10})
    frame = pd.read_parquet(second / "scores.parquet")
    frame.drop(columns="headline").to_parquet(second / "scores.parquet")
    assert commands.main(shlex.split(COMMAND)) == 2
    assert (
        "results-b/studies/second/01234567/scores.parquet: not a table of scores: no column 'headline'" in caplog.text
    )
    (first / "scores.parquet").unlink()
    assert commands.main(shlex.split(COMMAND)) == 2
    assert "results-a/studies/first/01234567/scores.parquet: missing" in caplog.text
    assert not (here / "results-both").exists()
