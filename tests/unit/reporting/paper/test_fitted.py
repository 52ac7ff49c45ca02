"""Tables that fit a page: what goes into the caption, what is wrapped, and where a table becomes several."""

import re

import pandas as pd
import pytest
from xstilts.reporting.layout import Shown
from xstilts.reporting.paper import fitted


def latex(header, rows, legend=""):
    return fitted.latex(Shown(pd.DataFrame(), (header, rows), "scores.", legend), "main", "Study s")


def tabulars(text):
    """Return header and rows of each table, without what is LaTeX's."""
    found = re.findall(r"\\toprule\n(.*?) \\\\\n\\midrule\n(.*?)\n\\bottomrule", text, re.S)
    return [
        (head.split(" & "), [line.split(r" \\")[0].split(" & ") for line in body.split("\n")]) for head, body in found
    ]


def test_a_small_table_is_one_with_caption_and_label():
    text = latex(["model", "score"], [["a_1", "1.0"], ["b", "-2.0"]], "! a mark.")
    assert r"\caption{Study s: scores. ! a mark.}" in text and r"\label{tab:main}" in text
    assert r"\begin{tabular}{lr}" in text
    assert tabulars(text) == [(["model", "score"], [[r"a\_1", "1.0"], ["b", "$-$2.0"]])]


def test_scores_with_gains_are_aligned_at_their_scores():
    assert r"\begin{tabular}{llr}" in latex(["model", "x", "n"], [["a", "1.0", "1"], ["b", "1.0 (+2.0)", "1"]])


def test_what_all_rows_share_goes_into_the_caption():
    text = latex(["model", "recipe", "empty", "n"], [["a", "r", "", "5"], ["b", "r", "", "5"]])
    assert "scores. In all rows: recipe r." in text
    # values are what is compared, and stay
    assert tabulars(text)[0][0] == ["model", "n"]


def test_a_table_of_one_row_keeps_its_columns():
    assert tabulars(latex(["model", "recipe"], [["a", "r"]]))[0] == (["model", "recipe"], [["a", "r"]])


def test_rows_of_the_table_of_estimates_become_comments():
    text = latex(["row", "family", "n"], [["3", "f", "1"], ["4", "g", "2"]])
    assert r"f & 1 \\ % row 3 of estimates.parquet" in text
    assert tabulars(text)[0][0] == ["family", "n"]


def test_long_texts_are_wrapped():
    text = latex(["claim", "in words"], [["1", "word " * 40], ["2", "short"]])
    (width,) = re.findall(r"p\{([\d.]+)em\}", text)
    assert 20 < float(width) < fitted.LINE / 2
    # and told apart
    assert text.count("\\addlinespace") == 1 and "addlinespace" not in latex(["model", "n"], [["a", "1"], ["b", "2"]])


def test_a_wide_table_is_split_by_columns_and_each_names_its_rows():
    languages = [f"l{number}" for number in range(50)]
    rows = [[model, mixture, *["20.7 (+10.0)"] * 50] for model in "ab" for mixture in "xy"]
    found = tabulars(latex(["model", "mixture", *languages], rows))
    assert [name for head, _ in found for name in head[2:]] == languages
    assert all(head[:2] == ["model", "mixture"] and len(head) <= 12 for head, _ in found)
    assert all([row[:2] for row in body] == [row[:2] for row in rows] for _, body in found)


def test_a_long_table_is_split_at_a_change_of_the_model():
    rows = [[model, str(number)] for model in "abc" for number in range(30)]
    found = tabulars(latex(["model", "n"], rows))
    assert [{row[0] for row in body} for _, body in found] == [{"a"}, {"b"}, {"c"}]
    assert [row for _, body in found for row in body] == rows


def test_a_model_with_more_rows_than_a_page_is_split_anywhere():
    rows = [["a", str(number)] for number in range(3)] + [["b", str(number)] for number in range(100)]
    found = tabulars(latex(["model", "n"], rows))
    assert [row for _, body in found for row in body] == rows
    assert max(len(body) for _, body in found) <= fitted.PAGE and len(found) == 3


def test_labels_of_the_parts_differ():
    text = latex(["model", "n"], [["a", str(number)] for number in range(600)])
    labels = re.findall(r"\\label\{(.*?)\}", text)
    assert labels[:2] == ["tab:main", "tab:main-2"] and len(set(labels)) == len(labels) == 13
    # LaTeX has no more than so many floats at a time
    assert text.count(r"\clearpage") == 1


@pytest.mark.parametrize(
    ("cell", "shown"), [("a & b", r"a \& b"), ("50 %", r"50~\%"), ("#", r"\#"), ("{", r"\{"), ("x_y", r"x\_y")]
)
def test_cells_are_escaped(cell, shown):
    assert rf"a & {shown} \\" in latex(["model", "name"], [["a", cell], ["b", "c"]])
