"""Every number on the page is that of its row, and nothing is empty or leads nowhere, whatever the study's size."""

import math
import re

import pandas as pd
import pytest
from xstilts.evaluation.scores import headline, with_gain
from xstilts.evaluation.table import records
from xstilts.evaluation.unasked import GAIN, is_of_analysis
from xstilts.reporting import analyses, wording
from xstilts.reporting.figures import empty
from xstilts.reporting.outputs import ANALYSES
from xstilts.reporting.report.page import NOTHING

from tests.builders.reported import MIXTURES, reported

SIZES = {
    "two models": {},
    "one seed": {"seeds": 1},
    "ten seeds": {"seeds": 10, "languages": 3, "rows": 2},
    "twelve models": {"models": 12, "languages": 3, "seeds": 1, "rows": 2},
    "205 languages": {"languages": 205, "rows": 2, "seeds": 1},
}
COMPARED = ("answer", "contrasts", "gains", "claims-compared")


@pytest.fixture(scope="module", params=SIZES)
def study(request, tmp_path_factory):
    return reported(tmp_path_factory.mktemp("study"), **SIZES[request.param])


def test_a_figure_without_data_is_left_out(tmp_path):
    svg = '<svg><g id="{}"><text>a</text></g></svg>'
    figures = {"spread": svg.format("figure_1"), "layer_sweep": svg.format(empty.ID)}
    html = reported(tmp_path, languages=3, seeds=1, rows=2, figures=figures).html
    assert html.count("<svg") == 1 and "figures/spread.pdf" in html and "layer_sweep.pdf" not in html


def numbers_of(row):
    """Return the cells of a row of the table of estimates, as tables have them."""
    unit = "" if row["scale"] == "points" else f" {row['scale']}"
    low, high = (wording.number(row[name], row["scale"]) for name in ("low", "high"))
    interval = f"[{low}, {high}]" if row["interval"] == "examples only" else f"{low} to {high}"
    return {"difference": wording.number(row["estimate"], row["scale"]) + unit, "95 % interval": interval}


def test_every_row_of_estimates_is_there_once_with_its_numbers(study):
    """But for those that are there for the analyses alone, which have tables of their own."""
    asked = study.estimates[~is_of_analysis(study.estimates)]
    tables, found = study.page.tables, {row["row"]: row for row in records(asked)}
    shown = []
    for name in COMPARED:
        for row, cells in zip(tables[name].body, tables[name].cells(), strict=True):
            estimate = found[int(cells["row"])]
            assert row.id == f"estimate-{estimate['row']}"
            expected = numbers_of(estimate)
            assert {title: cells[title] for title in expected} == expected
            assert cells["verdict"].startswith(estimate["verdict"]) if estimate["verdict"] else True
            assert int(cells["n"]) == estimate["n"]
            assert cells["runs"].startswith(f"{estimate['runs_a']} / {estimate['runs_b']}")
            shown.append(estimate["row"])
    assert sorted(shown) == list(found)


def test_every_analysis_is_there_with_its_numbers(study):
    shown = 0
    for name in ANALYSES:
        frame, table = analyses.read(study.folder, name), study.page.tables.get(f"analysis-{name}")
        if table is None:
            continue
        assert len(table.body) == len(frame)
        for cells, row in zip(table.cells(), records(frame), strict=True):
            for title in set(cells) & {"row", "n", "runs a", "clusters"}:
                number = row[title.replace(" ", "_")]
                assert cells[title] == ("–" if pd.isna(number) else f"{number:.0f}"), (name, title)
            if row.get("scale") == "points":
                assert [cells[name] for name in ("estimate", "low", "high")] == [
                    NOTHING if pd.isna(row[name]) else wording.number(row[name], "points")
                    for name in ("estimate", "low", "high")
                ]
        shown += 1
    assert shown >= 3


def test_what_the_columns_of_an_analysis_are_is_folded_away(study):
    section = study.html[study.html.index('id="analyses"') : study.html.index('id="examples"')]
    assert section.count("<summary>What the columns are</summary>") == section.count('id="analysis-')
    assert "<dt>outcome</dt><dd>what is compared: <code>zero-shot</code>" in section and "`" not in section


def test_every_score_is_the_mean_of_its_rows(study):
    table = study.page.tables["scores-by-language"]
    means = with_gain(headline(study.scores)).groupby(["model", "mixture", "target", "language"])
    means = means[["score", "gain"]].mean().to_dict("index")
    seen = 0
    for row in table.body:
        axes = [row.attributes[f"data-{axis}"] for axis in ("model", "mixture", "target")]
        for title, text in zip(table.header, row.texts, strict=True):
            if (*axes, title) in means:
                mean = means[(*axes, title)]
                gain = "" if axes[1] == "none" else f" ({wording.number(mean['gain'], 'points')})"
                assert re.sub("[†‡!]", "", text) == f"{mean['score']:.1f}{gain}"
                seen += 1
    assert seen == len(means)


def test_every_mean_is_that_of_the_scores_and_its_gain_leads_to_its_row(study):
    table, found = study.page.tables["main"], {row["row"]: row for row in records(study.estimates)}
    counted = headline(study.scores).query("language not in ['en', 'q002']")
    means = counted.groupby(["model", "mixture", "target"])["score"].mean()
    for row in table.body:
        model, mixture = row.attributes["data-model"], row.attributes["data-mixture"]
        cells = dict(zip(table.header, zip(row.texts, row.links, strict=True), strict=True))
        expected = {target: means[model, mixture, target] for target in study.plan.targets}
        for target, mean in {**expected, "mean": sum(expected.values()) / len(expected)}.items():
            text, links = cells[target]
            assert text.startswith(f"{mean:.1f}")
            if mixture != "none":
                estimate = found[int(links[0].removeprefix("#estimate-"))]
                assert estimate["a"] == mixture and estimate["model"] == model
                assert estimate["target"] == ("" if target == "mean" else target)
                assert wording.number(estimate["estimate"], "points") in text
                if estimate["verdict"]:
                    assert f"± {(estimate['high'] - estimate['low']) / 2:.1f}" in text


def test_rows_lead_to_the_manifests_of_what_they_compare(study):
    page = study.page
    arms = {row.id: row for row in page.tables["arms"].body}
    rows = {row.id: row for name in COMPARED for row in page.tables[name].body}
    for estimate in records(study.estimates[study.estimates["name"] == GAIN]):
        linked = [arms[link.removeprefix("#")] for link in rows[f"estimate-{estimate['row']}"].links[-1]]
        behind = {(arm.attributes["data-model"], arm.attributes["data-mixture"]) for arm in linked}
        assert behind == {(estimate["model"], estimate["a"]), (estimate["model"], "none")}
    by_axes = {(arm.attributes["data-model"], arm.attributes["data-mixture"]): arm for arm in arms.values()}
    for cell in study.plan.cells:
        arm = by_axes[cell.model, cell.mixture]
        assert f"../../../{cell.node}/manifest.json" in [link for links in arm.links for link in links]


def test_rows_of_analyses_lead_to_their_arms_and_to_rows_of_estimates(study):
    page, seen = study.page, set()
    # those without rows of estimates whose numbers are gains
    over_none = {"language_gains", "language_groups", "language_regression"}
    arms = {
        f"#{row.id}": (row.attributes["data-model"], row.attributes["data-mixture"]) for row in page.tables["arms"].body
    }
    estimates = {row["row"]: row for row in records(study.estimates)}
    for name in ANALYSES:
        frame, table = analyses.read(study.folder, name), page.tables.get(f"analysis-{name}")
        for cells, row in zip(table.body if table else (), records(frame), strict=bool(table)):
            if "arms" not in table.header:
                continue
            links = {arms[link] for link in cells.links[-1]}
            number, model = row.get("row", math.nan), row["model"]
            if pd.isna(number):
                assert links == {(model, row["mixture"])} | ({(model, "none")} if name in over_none else set())
                assert len(cells.links[-1]) == len(links)
            else:
                mixtures = {estimates[number][side] for side in ("a", "b")} - {""}
                assert links == {(model, mixture) for mixture in mixtures}
                there = [f"#estimate-{number:.0f}"] if f"estimate-{number:.0f}" in page.ids else []
                assert cells.links[table.header.index("row")] == there
            seen.add(name)
    gains = len(analyses.read(study.folder, "language_gains"))
    assert {"task_transfer", "transfer_gap"} | ({"language_gains"} if gains <= 300 else set()) <= seen


def test_links_lead_somewhere(study):
    page = study.page
    assert len(page.ids) == len(set(page.ids))
    for link in page.links:
        if link.startswith("#"):
            assert link.removeprefix("#") in page.ids
        else:
            assert (study.folder / link).exists(), link


def test_no_table_is_empty_and_no_number_missing(study):
    page = study.page
    for name, table in page.tables.items():
        assert table.body, name
        assert all(len(row.texts) == len(table.header) for row in table.body), name
        assert all(text.strip() for row in table.rows for text in row.texts), name
    assert not re.search(r"\b(nan|NaN|None|inf)\b", page.text)


def test_what_the_study_cannot_tell(study):
    text = study.html[study.html.index('<section id="limits"') :]
    assert "xcopa: left out." in text and "fact" not in text
    assert "claim 3: the target xcopa" in text
    has_one_run = study.scores["seed"].nunique() == 1
    assert ("range over examples and no verdict" in text) == has_one_run


def test_first_words_say_that_all_is_made_up(study):
    body = study.html.partition("<body>")[2].strip()
    assert body.startswith('<header class="notice"><strong>The world of this study is synthetic')
    languages = study.page.tables["languages"]
    assert languages.cells()[1]["name"] == "Betan"


def test_the_study_file_is_there_as_it_was(study):
    assert "description: a test # with <a comment>" in study.page.text


def test_choices_are_those_of_the_study(study):
    options = re.findall(r'<select name="mixture">(.*?)</select>', study.html)
    assert re.findall("<option>(.*?)</option>", options[0]) == list(MIXTURES)


def test_page_is_small(study):
    assert len(study.html) < 1_500_000
    assert math.isfinite(pd.to_numeric(study.scores["score"]).mean())
