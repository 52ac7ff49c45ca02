"""The command that writes a paper."""

import pytest
from xstilts.commands import main

from tests.builders.papers import leave_study
from tests.builders.plans import plan_of_study
from tests.builders.projects import ROOT


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
