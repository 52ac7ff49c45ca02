"""Options of figures: from a study to the command line of a job."""

import json

import pytest
from xstilts.errors import UserError
from xstilts.reporting.figures import options
from xstilts.store.figures import DIVERGING, FIGURES
from xstilts.store.study_plan import FigureLabels, FigureOptions


def test_options_of_each_figure():
    figures = FigureOptions(width="column", widths={"spread": 5}, labels=FigureLabels(models={"m": "M"}))
    of = {name: options.of_figure(figures, name) for name in FIGURES}
    assert {name: one.width for name, one in of.items()} == {**dict.fromkeys(FIGURES, 3.3), "spread": 5}
    assert {name for name, one in of.items() if one.palette} == set(DIVERGING) <= set(FIGURES)
    assert of["headline"].model("m") == "M" and of["headline"].model("n") == "n"
    assert options.of_figure(FigureOptions(), "headline").width == 6.9


def test_options_as_text():
    figures = FigureOptions(labels=FigureLabels(mixtures={"nine": "Alle", "mnli": "«MNLI»"}))
    for name in FIGURES:
        one = options.of_figure(figures, name)
        assert options.from_text(options.as_text(one)) == one
    text = options.as_text(options.of_figure(figures, "headline"))
    assert json.loads(text) == {"labels": {"mixtures": {"mnli": "«MNLI»", "nine": "Alle"}}, "width": 6.9}
    reordered = FigureOptions(labels=FigureLabels(mixtures={"mnli": "«MNLI»", "nine": "Alle"}))
    assert text == options.as_text(options.of_figure(reordered, "headline"))
    for wrong in ("", "[]", '{"width": "wide"}'):
        with pytest.raises(UserError, match="--options: not the options of a figure"):
            options.from_text(wrong)


def test_a_study_may_make_some_of_the_figures():
    assert options.names(FigureOptions()) == list(FIGURES)
    assert options.names(FigureOptions(only=("spread", "headline"))) == ["headline", "spread"]
