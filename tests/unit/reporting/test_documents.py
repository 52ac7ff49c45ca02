"""README and docs/miniature.md show what the files in docs/miniature say; docs/results.md has the columns of scores.

What stands between two markers is written anew by ``pytest --golden tests/unit/reporting/test_documents.py``.
"""

import re
import textwrap

import pandas as pd
import pytest
from xstilts.evaluation import estimates, scores, unasked
from xstilts.evaluation.table import records
from xstilts.reporting import layout, main_table, paragraph, tables

from benchmarks import false_alarms, learning_rates
from tests.builders.plans import plan_of_study
from tests.builders.projects import ROOT

# the study files, and the folders in docs/miniature with what they found
DEFAULT, WORLDS = "miniature", "miniature_worlds"
FOLDERS = {DEFAULT: ROOT / "docs/miniature/default", WORLDS: ROOT / "docs/miniature/worlds"}
README, PAGE, RESULTS = ROOT / "README.md", ROOT / "docs/miniature.md", ROOT / "docs/results.md"
OF_WORLDS = ("main", "worlds", "by_language")
BLOCKS = {
    "headline table": README,
    "first paragraph": README,
    "first paragraph of six worlds": PAGE,
    **{f"{name} of six worlds": PAGE for name in OF_WORLDS},
    **dict.fromkeys(("learning rates", "false alarms"), PAGE),
    "columns of scores": RESULTS,
}
WIDTH = 118


@pytest.fixture(scope="module")
def plans():
    return {name: plan_of_study(name).study_plan for name in FOLDERS}


@pytest.fixture(scope="module")
def found():
    """Return the scores and the estimates of each study."""
    return {
        name: (scores.read(folder / scores.FILE), estimates.read(folder / estimates.FILE))
        for name, folder in FOLDERS.items()
    }


def wrapped(text):
    return textwrap.fill(text, WIDTH, break_long_words=False, break_on_hyphens=False)


def shown(plan, of_scores, compared):
    """Return the tables of a study and its first paragraph, as the commands write them but for the width of lines."""
    made = {
        name: layout.markdown(table.cells, wrapped(f"{plan.title}: {table.caption}"), wrapped(table.legend)).strip()
        for name, table in tables.of_study(of_scores, None, compared, plan).items()
    }
    return made | {"first paragraph": textwrap.indent(wrapped(paragraph.text(plan, compared)), "> ")}


@pytest.fixture(scope="module")
def blocks(plans, found, false_alarm_shares):
    """Return what is to stand between the markers of each name."""
    default, worlds = (shown(plans[name], *found[name]) for name in (DEFAULT, WORLDS))
    return {
        "headline table": default["main"],
        "first paragraph": default["first paragraph"],
        **{f"{name} of six worlds": worlds[name] for name in ("first paragraph", *OF_WORLDS)},
        "learning rates": learning_rates.text(pd.read_csv(learning_rates.MEANS)),
        "false alarms": false_alarms.text(pd.read_parquet(false_alarms.RUNS), *false_alarm_shares),
        "columns of scores": columns(scores.COLUMNS),
    }


def columns(declared):
    """Return the table of the columns that a table on disk has."""
    rows = [f"| `{one.name}` | {one.type}{', or missing' * one.optional} | {one.meaning} |" for one in declared]
    return "\n".join(["| column | type | what it says |", "|---|---|---|", *rows])


@pytest.mark.parametrize("name", BLOCKS)
def test_documents_show_what_the_study_found(blocks, request, name):
    page = BLOCKS[name]
    begin, end = f"<!-- {name} -->\n", f"\n<!-- end of {name} -->"
    before, there, after = re.split(f"(?<={begin})(.*)(?={end})", page.read_text(encoding="utf-8"), flags=re.S)
    if request.config.getoption("--golden"):
        page.write_text(before + blocks[name] + after, encoding="utf-8")
        return
    again = "pytest --golden tests/unit/reporting/test_documents.py"
    assert there == blocks[name], f"{page.name}: write it anew with {again}"


def test_scores_have_the_columns_that_are_documented_and_no_others(found):
    documented = {column.name for column in scores.COLUMNS}
    assert [set(of_scores.columns) - documented for of_scores, _ in found.values()] == [set(), {"world"}]
    assert all(documented <= set(of_scores.columns) for of_scores, _ in found.values())


def test_estimates_are_differences_of_the_scores(plans, found):
    plan, (of_scores, compared) = plans[DEFAULT], found[DEFAULT]
    assert of_scores["seed"].nunique() > 1
    means = main_table.of_targets(of_scores, plan.controls).set_index(["model", "mixture", "target"])["zero_shot"]
    others = (compared["family"] != "") | estimates.is_of_claim(compared) | unasked.is_of_analysis(compared)
    differences = compared[~others & (compared["target"] != "")]
    assert len(differences)
    for row in records(differences[differences["runs_used"] == estimates.ALL_RUNS]):
        first, second = (
            means[row["model"] or side, row["mixture"] or side, row["target"]] for side in (row["a"], row["b"])
        )
        assert row["estimate"] == pytest.approx(first - second, abs=1e-9)
