"""Two studies side by side, as people read them."""

import dataclasses
import json
import re

import pytest
from xstilts.evaluation.study_differences import OTHER_ORIGIN
from xstilts.reporting import two_studies, two_studies_page
from xstilts.reporting.two_studies import compare, text, to_json
from xstilts.reporting.two_studies_page import html
from xstilts.store.claims import ClaimComparison, Lacking, PlannedClaim

from tests.builders.compared import XNLI
from tests.builders.estimates import CONTRAST, LOWER, ONE_RUN, UNDECIDED
from tests.builders.pages import Page
from tests.builders.two_studies import ARM, outputs, study

GAIN = {**CONTRAST, "name": "multi", "model": "s", "a": "nine", "b": "none"}
TWO_TARGETS = {"target": "xnli", "targets": 1}


def studies(tmp_path, first_rows=(), second_rows=(), **changes):
    """Two studies of one arm that both have and one each alone; on XNLI the second is higher by 20 points."""
    first = study(tmp_path / "a", {"xnli": {1: 60, 2: 62, 3: 64}}, arms=(ARM, ("s", "none")), tag="a")
    second = study(tmp_path / "b", {"xnli": {1: 80, 2: 82, 3: 84}}, arms=(ARM, ("s", "nine")), tag="b")
    return outputs(first, "early", *first_rows, **changes), outputs(second, "late", *second_rows, **changes)


def found(tmp_path, *rows, settings="", **changes):
    return compare(*studies(tmp_path, *rows, **changes), lambda pairs: settings)


def lines(words):
    return [re.sub(r" {2,}", " | ", line) for line in words.splitlines()]


def test_terminal(tmp_path):
    shown = lines(text(found(tmp_path, settings="epochs of targets is 3, was 2")))
    assert shown[0].startswith("A | Study early: ") and shown[1].startswith("B | Study late: ")
    assert "Both have 1 arm and the target xnli. A alone has the arm s.r.none. B alone has the arm s.r.nine." in shown
    (row,) = [line for line in shown if line.startswith("s.r.mnli")]
    assert re.fullmatch(
        r"s\.r\.mnli \| xnli \| 62\.0 \| 82\.0 \| \+20\.0 \| \+\d+\.\d to \+\d+\.\d \| 3 \| 100 \| higher \| \[1\]", row
    )
    assert "[1] epochs of targets is 3, was 2" in shown
    assert "Of 1 difference 1 higher." in " ".join(shown)


def test_lines_of_sentences_are_not_too_long(tmp_path):
    words = text(found(tmp_path, [GAIN], [GAIN]))
    assert all(len(line) <= 120 for line in words.splitlines() if not line.startswith(("A ", "B ")))


def test_settings_that_are_the_same(tmp_path):
    assert "same settings" in text(found(tmp_path))


def test_a_study_beside_itself(tmp_path):
    only, _ = studies(tmp_path, [GAIN])
    words = text(compare(only, only, lambda pairs: ""))
    assert len(re.findall(r"\+0\.0 +– +3 +100 +– +same run$", words, re.M)) == 2
    assert "2 of 2 rows have the same runs or predictions in both." in words


def test_verdicts_of_both_and_opposite_ones(tmp_path):
    shown = lines(text(found(tmp_path, [{**GAIN, **TWO_TARGETS}, GAIN], [{**GAIN, **TWO_TARGETS, **LOWER}])))
    expected = "multi: nine − none | s | xnli | +1.2 (+0.2 to +2.2) | higher | -2.0 (-3.0 to -1.0) | lower"
    assert f"{expected} | opposite" in shown
    assert "Verdicts on 1 comparison: 1 opposite. A alone asks for 1 more." in " ".join(shown)


def test_opposite_verdicts_stand_first_and_alike_ones_last(tmp_path):
    rows = [{**GAIN, "target": target} for target in ("xnli", "xquad", "tydiqa")]
    changes = ({}, UNDECIDED, LOWER)
    pair = found(tmp_path, rows, [{**row, **change} for row, change in zip(rows, changes, strict=True)])
    assert [row[2] for row in two_studies.verdict_cells(pair.verdicts)[1]] == ["tydiqa", "xquad", "xnli"]


def test_one_run_says_no_verdict_of_both(tmp_path):
    words = " ".join(text(found(tmp_path, [GAIN], [{**GAIN, **ONE_RUN}])).split())
    assert "Verdicts on 1 comparison: 1 without a verdict of both, none opposite." in words


def test_claims_of_both(tmp_path):
    asked = ClaimComparison(first="nine", second="none", model="s")
    claim = PlannedClaim(
        text="nine helps", source="us", figure="", holds=None, comparisons=(asked,), lacking={"s": Lacking()}
    )
    row = {**GAIN, "name": "claim 1", "expected": "higher"}
    pair = found(tmp_path, [row], [{**row, **LOWER}], claims={"1": claim})
    (only,) = pair.claims
    assert (only.verdict_in_a, only.verdict_in_b, only.agreement) == ("supported", "contradicted", "opposite")
    assert "1 | s | r | supported | contradicted | opposite" in lines(text(pair))
    assert "Claims" in html(pair)


def test_page_loads_nothing_and_has_all_rows(tmp_path):
    pair = found(tmp_path, [GAIN], [{**GAIN, **LOWER}], settings="<b> of targets is 3, was 2")
    page = html(pair)
    assert not re.search(r"src=|href=\"[^#]|https?:|@import|url\(", page)
    assert "&lt;b&gt; of targets" in page and "<b>" not in page
    for cells in (two_studies.difference_cells(pair)[0], two_studies.verdict_cells(pair.verdicts)):
        for row in cells[1]:
            assert re.search(rf">{re.escape(row[0])}(</strong>)?</th>", page)
            assert all(re.search(rf">{re.escape(cell)}(</td>|</strong>|<svg)", page) for cell in row[1:])
    assert page.count('class="interval"') == 1 and "<strong>opposite</strong>" in page
    assert 'data-model="s" data-mixture="mnli" data-target="xnli"' in page


def test_what_matters_stands_first_on_the_page(tmp_path):
    tables = Page(html(found(tmp_path, [GAIN], [GAIN]))).tables
    assert tables["differences-table"].header[:4] == ["arm", "B − A", "95 % interval", "verdict"]
    assert tables["verdicts"].header == ["comparison", "agreement", "in", "on", "A", "verdict", "B", "verdict"]


def test_filters_have_whole_names(tmp_path):
    row = {**GAIN, "a": "best single", "target": "bucc minus xnli"}
    page = html(found(tmp_path, [row], [row]))
    choices = {axis: re.findall(r"<option[^>]*>([^<]+)", part) for axis, part in selects(page).items()}
    assert choices == {
        "model": ["all", "s"],
        "mixture": ["all", "mnli", "best\N{NO-BREAK SPACE}single", "none"],
        "target": ["all", "xnli", "bucc"],
    }
    # the script splits at spaces what a row is about
    assert 'data-mixture="best\N{NO-BREAK SPACE}single none" data-target="bucc xnli"' in page


def selects(page):
    return dict(re.findall(r'<select name="(\w+)">(.*?)</select>', page))


def test_models_that_are_compared_on_a_mixture_are_filtered_by_both(tmp_path):
    row = {**GAIN, "model": "", "a": "large", "b": "small", "mixture": "mnli"}
    assert 'data-model="large small" data-mixture="mnli"' in html(found(tmp_path, [row], [row]))


def test_the_notice_names_the_study_whose_data_are_made_up(tmp_path):
    plain = {"xnli": dataclasses.replace(XNLI, source="hub")}
    pair = [dataclasses.replace(one, plan=dataclasses.replace(one.plan, targets=plain)) for one in studies(tmp_path)]

    def notice(*made_up):
        both = [
            dataclasses.replace(one, plan=dataclasses.replace(one.plan, made_up=value))
            for one, value in zip(pair, made_up, strict=True)
        ]
        return re.findall(r'class="notice"><strong>(.*?) The world of this|$', html(compare(*both, lambda pairs: "")))[
            0
        ]

    assert notice(True, False) == "A:" and notice(False, True) == "B:" and notice(True, True) == "A and B:"
    assert notice(False, False) == ""


def test_the_reason_of_no_verdict_stands_below_the_table(tmp_path):
    pair = found(tmp_path)
    pair.differences[["verdict", "settings"]] = ["", OTHER_ORIGIN]
    words = text(pair)
    assert f"[1] {OTHER_ORIGIN}" in words and "Of 1 difference 1 without a verdict." in " ".join(words.split())


def test_pictures_are_on_one_line(tmp_path):
    pair = found(tmp_path)
    (picture,) = two_studies_page.pictures(pair.differences)
    row = pair.differences.iloc[0]
    assert (picture.zero, picture.high, picture.decided) == (0, 100, True)
    assert picture.value == pytest.approx(100 * row["difference"] / row["high"], abs=0.1)
    only, _ = studies(tmp_path / "again")
    assert two_studies_page.pictures(compare(only, only, lambda pairs: "").differences) == [None, None]


def test_json_is_json(tmp_path):
    content = json.loads(json.dumps(to_json(found(tmp_path, [GAIN], [GAIN])), allow_nan=False))
    (row,) = content["differences"]
    assert (row["mixture"], row["difference"], row["world"]) == ("mnli", 20, None)
    assert content["a"]["study"] == "early" and content["estimates"][0]["agreement"] == "alike"
    assert content["common"]["arms"] == [{"model": "s", "recipe": "r", "mixture": "mnli"}]


def test_a_target_in_nats_has_no_picture_and_its_digits(tmp_path):
    from xstilts.store.study_plan import PlannedTarget

    targets = {"wiki": PlannedTarget("wiki", "mlm", "loss", "en", "tiny")}
    pair = []
    for tag, loss in (("a", 2.0), ("b", 2.5)):
        made = study(tmp_path / tag, {}, targets, tag=tag)
        for seed in (1, 2):
            columns = {"loss": [loss + seed / 10] * 4, "positions": [1.0] * 4}
            made.add(ARM, seed, "wiki", {"en": columns, "de": columns}, dev=None)
        pair.append(outputs(made, tag))
    both = compare(*pair, lambda pairs: "")
    assert "+0.500 nats" in text(both) and two_studies_page.pictures(both.differences) == [None]
