"""The section of a document on what was measured of GPUs."""

import pytest
from xstilts.errors import UserError
from xstilts.reporting import gpu_checks
from xstilts.training.gpu_checks import report

from tests.builders.gpu_checks import FOUND, NAME
from tests.builders.projects import ROOT

PAGE = ROOT / "docs/performance.md"


@pytest.fixture
def page(tmp_path):
    """A copy of docs/performance.md."""
    path = tmp_path / "performance.md"
    path.write_text(PAGE.read_text(encoding="utf-8"), encoding="utf-8")
    return path


def test_the_section_has_every_row_and_the_rest_of_the_page_stays(page, tmp_path):
    report.write(FOUND, NAME, tmp_path)
    gpu_checks.write_section(page, tmp_path)
    text, before = (path.read_text(encoding="utf-8") for path in (page, PAGE))
    inside = text.partition(gpu_checks.BEGIN)[2].partition(gpu_checks.END)[0]
    assert NAME in inside and inside.count("\n| ") == 1 + sum(map(len, FOUND.values())) + 1
    for part, rows in FOUND.items():
        for row in rows:
            cells = [cell.strip() for line in inside.splitlines() for cell in line.split("|")]
            assert {part, row.what, row.measured, row.verdict} <= {*cells}
    assert text.partition(gpu_checks.BEGIN)[0] == before.partition(gpu_checks.BEGIN)[0]
    assert text.partition(gpu_checks.END)[2] == before.partition(gpu_checks.END)[2]


def test_the_page_says_that_nothing_was_measured_where_nothing_was(page, tmp_path):
    report.write(FOUND, NAME, tmp_path / "other")
    gpu_checks.write_section(page, tmp_path / "other")
    gpu_checks.write_section(page, tmp_path)
    inside = page.read_text(encoding="utf-8").partition(gpu_checks.BEGIN)[2].partition(gpu_checks.END)[0]
    assert inside.strip() == "Nothing has been measured on a GPU: `xstilts check-gpu` measures."


def test_a_document_without_a_place_for_it_is_named(tmp_path):
    path = tmp_path / "page.md"
    with pytest.raises(UserError, match=r"page\.md: missing; name a document"):
        gpu_checks.write_section(path, tmp_path)
    path.write_text("# Page\n")
    with pytest.raises(UserError, match=r"page\.md: has no lines <!-- measured on GPUs --> and"):
        gpu_checks.write_section(path, tmp_path)
    assert path.read_text() == "# Page\n"


def test_the_two_lines_may_have_nothing_between_them(tmp_path):
    path = tmp_path / "page.md"
    path.write_text(f"before\n{gpu_checks.BEGIN}\n{gpu_checks.END}\nafter\n")
    gpu_checks.write_section(path, tmp_path)
    nothing = gpu_checks.section(tmp_path)
    assert path.read_text() == f"before\n{gpu_checks.BEGIN}\n{nothing}\n{gpu_checks.END}\nafter\n"
