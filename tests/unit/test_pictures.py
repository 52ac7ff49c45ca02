"""What the pictures of the documents are made from: the report of the default study, from what is committed."""

import re

import pytest
from xstilts.commands import main
from xstilts.reporting import analyses
from xstilts.reporting.outputs import ANALYSES, PARAGRAPH, REPORT
from xstilts.store import study_plan

from benchmarks import pictures
from tests.builders.pages import Page
from tests.builders.projects import ROOT


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    plan = pictures.leave(tmp_path_factory.mktemp("pictures"))
    for command in ("tables", "report"):
        assert main([command, "--plan", str(plan)]) == 0
    return plan.parent


def test_the_report_has_the_paragraph_of_the_readme(folder):
    said = re.search("<!-- first paragraph -->(.*?)<!--", (ROOT / "README.md").read_text(encoding="utf-8"), re.S)[1]
    assert (folder / PARAGRAPH).read_text(encoding="utf-8").split() == said.replace("\n> ", "\n").split()


def test_links_of_the_report_lead_to_what_is_made(folder):
    page = Page((folder / REPORT).read_text(encoding="utf-8"))
    links = [link for link in page.links if not link.startswith("#")]
    assert links and all((folder / link).exists() for link in links)


def test_all_analyses_can_be_read(folder):
    rows = {name: len(analyses.read(folder, name)) for name in ANALYSES}
    plan = study_plan.read(folder / study_plan.FILE)
    arms = {(cell.model, cell.mixture) for cell in plan.cells if cell.mixture != "none"}
    assert rows["language_gains"] == 7 * len(plan.targets) * len(arms)
    assert rows["task_transfer"] and rows["transfer_gap"]
