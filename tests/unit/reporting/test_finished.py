"""Whether a report is there and shows what is there now."""

import os

import pytest
from xstilts.errors import UserError
from xstilts.reporting.finished import report_of

REMEDY = "run it"


@pytest.fixture
def folder(tmp_path):
    """The outputs of a study, of which the report was made last."""
    for time, name in enumerate(
        ("plan.json", "scores.parquet", "tables/main.md", "figures/gains.svg", "report.html"), 1
    ):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("")
        os.utime(path, (time, time))
    return tmp_path


def test_a_report_that_is_up_to_date(folder):
    assert report_of(folder, REMEDY) == folder / "report.html"


@pytest.mark.parametrize("name", ["scores.parquet", "tables/main.md", "figures/gains.svg"])
def test_a_report_that_is_older_than_what_it_shows(folder, name):
    os.utime(folder / name, (9, 9))
    with pytest.raises(UserError, match=rf"report.html: older than {name}, which it shows; {REMEDY}"):
        report_of(folder, REMEDY)


def test_what_the_report_does_not_show_may_be_newer(folder):
    os.utime(folder / "plan.json", (9, 9))
    assert report_of(folder, REMEDY)


@pytest.mark.parametrize("name, message", [("report.html", "is not made yet"), ("plan.json", "no outputs of a study")])
def test_without_a_report(folder, name, message):
    (folder / name).unlink()
    with pytest.raises(UserError, match=f"{message}.*; {REMEDY}"):
        report_of(folder, REMEDY)
