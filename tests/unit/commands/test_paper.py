"""The command that writes a paper: what it reads, and what of the registry reaches the texts."""

import logging

import pytest
from xstilts.commands import main
from xstilts.commands.paper import works
from xstilts.planning import registry

from tests.builders.papers import leave_study
from tests.builders.plans import plan_of_study
from tests.builders.projects import ROOT
from tests.builders.study_plans import study_plan

OWN = """
version: 1
form: classification
title: Sentiment
metric: accuracy
labels: [negative, positive]
languages: [en]
licence: CC BY 4.0
bibtex: [KEY]
sources:
  - {kind: files, reader: tsv, columns: {text_a: a, label: b}, evaluation: [{split: test, files: [a.tsv]}]}
"""


@pytest.fixture(scope="module")
def plan_file(tmp_path_factory):
    plan = plan_of_study("miniature").study_plan
    return leave_study(tmp_path_factory.mktemp("project"), ROOT / "docs/miniature/default", plan)


def test_a_paper_is_written_as_a_whole(plan_file):
    paper = plan_file.with_name("paper")
    paper.mkdir()
    (paper / "old.tex").write_text("of an earlier plan")
    assert main(["paper", "--plan", str(plan_file)]) == 0
    assert (paper / "paper.tex").exists() and not (paper / "old.tex").exists()
    first = {path: path.read_bytes() for path in paper.rglob("*") if path.is_file()}
    assert main(["paper", "--plan", str(plan_file)]) == 0
    assert {path: path.read_bytes() for path in paper.rglob("*") if path.is_file()} == first


def own_tasks(folder, key):
    (folder / "sentiment.yaml").write_text(OWN.replace("KEY", key))
    (folder / "bibliography.bib").write_text("@misc{mine2026,\n  title = {Mine}\n}\n")
    return folder


def test_own_tasks_have_works_of_their_own(tmp_path):
    found = works(registry.load(own_tasks(tmp_path, "mine2026")), study_plan())
    assert found.tasks["sentiment"].bibtex == ("mine2026",) and "{Mine}" in found.bibliography(["mine2026"])
    assert found.language("de") == "German (de)" and found.language("qab") == "qab"


def test_an_own_task_with_a_wrong_key(plan_file, tmp_path, caplog):
    with caplog.at_level(logging.ERROR):
        assert main(["paper", "--plan", str(plan_file), "--own-tasks", str(own_tasks(tmp_path, "mine2025"))]) == 2
    assert "task sentiment: bibtex: bibliography.bib has no entry 'mine2025'; did you mean 'mine2026'" in caplog.text
