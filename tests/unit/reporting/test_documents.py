"""README and docs/miniature.md show what the files in docs/miniature say.

What stands between two markers is written anew by ``pytest --golden tests/unit/reporting/test_documents.py``.
"""

import re
import textwrap

import pandas as pd
import pytest
import yaml
from xstilts.evaluation import estimates, scores
from xstilts.evaluation.table import records
from xstilts.planning import registry
from xstilts.planning.plan import make_plan
from xstilts.planning.sourcing import Indexes
from xstilts.planning.study import read_study
from xstilts.reporting import layout, main_table, paragraph, tables

from benchmarks import false_alarms, learning_rates
from tests.builders.projects import ROOT

STUDY = ROOT / "studies/miniature.yaml"
WORLD = yaml.safe_load(STUDY.read_text(encoding="utf-8"))["world"]
FOLDER = ROOT / f"docs/miniature/world-{WORLD}"
OF_WORLD = ("answer", "contrasts", "distance", "by_language")
BLOCKS = {
    "headline table": ROOT / "README.md",
    "first paragraph": ROOT / "README.md",
    **{f"{name} of world {WORLD}": ROOT / "docs/miniature.md" for name in OF_WORLD},
    **{name: ROOT / "docs/miniature.md" for name in ("learning rates", "false alarms")},
}
WIDTH = 118


@pytest.fixture(scope="module")
def plan():
    entries = registry.load()
    return make_plan(read_study(STUDY, entries), entries, Indexes(None, {})).study_plan


@pytest.fixture(scope="module")
def found():
    """Return the scores and the estimates."""
    return scores.read(FOLDER / scores.FILE), estimates.read(FOLDER / estimates.FILE)


def wrapped(text):
    return textwrap.fill(text, WIDTH, break_long_words=False, break_on_hyphens=False)


@pytest.fixture(scope="module")
def blocks(plan, found):
    """Return what is to stand between the markers of each name, as the commands write it but for the width of lines."""
    of_scores, compared = found
    shown = tables.of_study(of_scores, None, compared, plan)
    made = {
        name: layout.markdown(table.cells, wrapped(f"{plan.title}: {table.caption}"), wrapped(table.legend)).strip()
        for name, table in shown.items()
    }
    said = textwrap.indent(wrapped(paragraph.text(plan, compared)), "> ")
    return {
        "headline table": made["main"],
        "first paragraph": said,
        **{f"{name} of world {WORLD}": made[name] for name in OF_WORLD},
        "learning rates": learning_rates.text(pd.read_csv(learning_rates.MEANS)),
        "false alarms": false_alarms.text(pd.read_parquet(false_alarms.RUNS)),
    }


@pytest.mark.parametrize("name", BLOCKS)
def test_documents_show_what_the_study_found(blocks, request, name):
    page = BLOCKS[name]
    begin, end = f"<!-- {name} -->\n", f"\n<!-- end of {name} -->"
    before, shown, after = re.split(f"(?<={begin})(.*)(?={end})", page.read_text(encoding="utf-8"), flags=re.S)
    if request.config.getoption("--golden"):
        page.write_text(before + blocks[name] + after, encoding="utf-8")
        return
    again = "pytest --golden tests/unit/reporting/test_documents.py"
    assert shown == blocks[name], f"{page.name}: write it anew with {again}"


def test_estimates_are_differences_of_the_scores(plan, found):
    of_scores, compared = found
    assert of_scores["seed"].nunique() > 1
    means = main_table.of_targets(of_scores, plan.controls).set_index(["model", "mixture", "target"])["zero_shot"]
    differences = compared[(compared["family"] == "") & ~estimates.is_of_claim(compared) & (compared["target"] != "")]
    assert len(differences)
    for row in records(differences[differences["runs_used"] == estimates.ALL_RUNS]):
        first, second = (
            means[row["model"] or side, row["mixture"] or side, row["target"]] for side in (row["a"], row["b"])
        )
        assert row["estimate"] == pytest.approx(first - second, abs=1e-9)
