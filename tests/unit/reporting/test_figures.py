"""All figures: what they say is readable at any size of a study, and equal input gives equal files."""

import importlib
from collections.abc import Iterator
from dataclasses import replace
from functools import cache

import matplotlib
import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.text import Text
from xstilts.errors import UserError
from xstilts.evaluation.analyses import measured
from xstilts.reporting import analyses
from xstilts.reporting.figures import drawing, style
from xstilts.reporting.figures.empty import svg_with_data
from xstilts.reporting.figures.options import WIDTHS
from xstilts.reporting.outputs import FIGURE_FORMATS
from xstilts.store.figures import FIGURES
from xstilts.store.study_plan import FigureLabels

from tests.builders.figure_inputs import LANGUAGES, inputs_of, plan_of
from tests.builders.readers import BEFORE, read_by_another

MANY_MODELS = [f"multilingual-model-{number}" for number in range(12)]
MANY_MIXTURES = ["none", *(f"mixture_{number}" for number in range(10)), "nine"]
# models, mixtures, seeds and languages
STUDIES = {
    "models and mixtures": (MANY_MODELS, MANY_MIXTURES, [1, 2], ("en", "de", "hi", "sw", "zh")),
    "languages": (["small", "large"], ["none", "mnli", "nine"], [1, 2], LANGUAGES),
    "one seed": (["small", "large"], ["none", "mnli", "squad_v1", "nine"], [1], ("en", "de")),
    "ten seeds": (["small"], ["none", "mnli", "nine"], list(range(10)), ("en", "de")),
    "one language": (["small"], ["none", "mnli"], [1, 2], ("en",)),
}


LONG = FigureLabels(
    models={
        "small": "a multilingual model whose label is rather long",
        "large": "another multilingual-model of that kind",
    },
    mixtures={"mnli": "natural language inference, in English", "squad_v1": "question_answering_in_several_styles"},
    targets={"xnli": "inference in fifteen languages of the world"},
)


@pytest.fixture(autouse=True)
def look():
    with matplotlib.rc_context(style.SETTINGS):
        yield


def module(name):
    return importlib.import_module(f"xstilts.reporting.figures.{FIGURES[name]}")


def analysis_of_nothing(name):
    return measured.table_of([], analyses.module_of(name).COLUMNS)


@pytest.fixture(scope="module")
def inputs_at():
    """Return the inputs of a study of ``STUDIES`` at a width; those of a study are made once."""

    @cache
    def of_study(study):
        *sizes, languages = STUDIES[study]
        return inputs_of(plan_of(*sizes), languages)

    def at(study, width):
        found = of_study(study)
        return replace(found, options=replace(found.options, width=WIDTHS[width]))

    return at


@pytest.fixture(scope="module")
def drawn_at(inputs_at):
    """Return a figure of a study of ``STUDIES`` at a width, drawn once."""
    return cache(lambda name, study, width: drawn(name, inputs_at(study, width)))


def drawn(name, inputs) -> Figure:
    figure = drawing.draw(module(name), inputs)
    figure.draw_without_rendering()
    return figure


def texts(figure: Figure) -> list[Text]:
    """Return the texts that are seen."""
    found = [*figure.texts, *(text for legend in figure.legends for text in legend.get_texts())]
    for axes in figure.axes:
        found += axes.texts
        if axes.axison:
            found += [axes.title, axes._left_title, axes.xaxis.label, axes.yaxis.label, *tick_labels(axes)]
    return [text for text in found if text.get_visible() and text.get_text()]


def tick_labels(axes: Axes) -> Iterator[Text]:
    for axis in (axes.xaxis, axes.yaxis):
        low, high = sorted(axis.get_view_interval())
        for tick in axis.get_major_ticks():
            if low <= tick.get_loc() <= high:
                yield from (tick.label1, tick.label2)


def boxes(figure: Figure) -> np.ndarray:
    """Return the boxes of texts in pixels: left, bottom, right, top; of shape (texts, 4)."""
    return np.array([text.get_window_extent().extents for text in texts(figure)])


def overlapping(figure: Figure, found: np.ndarray) -> list[tuple[str, str]]:
    """Return the texts of a figure that overlap, by their boxes."""
    # a hair's breadth of the empty border of letters is no overlap
    low, high = found[:, :2] + 1, found[:, 2:] - 1
    common = np.minimum(high[:, None], high[None]) - np.maximum(low[:, None], low[None])
    first, second = np.nonzero(np.triu((common > 0).all(axis=2), 1))
    words = [text.get_text() for text in texts(figure)]
    return [(words[a], words[b]) for a, b in zip(first, second, strict=True)]


# the largest study where room is scarcest
CASES = [(study, width) for study in STUDIES for width in WIDTHS if (study, width) != ("models and mixtures", "page")]
# the figures that have a line for each language
BY_LANGUAGE = ("gains_by_language",)


@pytest.mark.parametrize(
    ("name", "study", "width"),
    [(name, *case) for name in FIGURES for case in CASES if name in BY_LANGUAGE or case[0] != "languages"],
)
def test_labels_overlap_in_no_study(drawn_at, name, study, width):
    figure = drawn_at(name, study, width)
    assert figure.get_figwidth() == WIDTHS[width]
    found = boxes(figure)
    assert overlapping(figure, found) == []
    assert (found[:, :2] > -1).all() and (found[:, 2:] < np.array(figure.bbox.size) + 1).all()


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", FIGURES)
def test_long_labels_are_wrapped_and_overlap_nowhere(name, width):
    plan = plan_of(["small", "large"], ["none", "mnli", "squad_v1", "nine"], [1, 2])
    figure = drawn(name, inputs_of(plan, width=WIDTHS[width], labels=LONG))
    found = boxes(figure)
    assert overlapping(figure, found) == []
    assert (found[:, :2] > -1).all() and (found[:, 2:] < np.array(figure.bbox.size) + 1).all()


def test_an_overlap_is_seen():
    figure, axes = style.panels(inputs_of(plan_of(["m"], ["none"], [1])).options, 1)
    axes[0, 0].text(0.5, 0.5, "one")
    axes[0, 0].text(0.51, 0.5, "two")
    figure.draw_without_rendering()
    assert overlapping(figure, boxes(figure)) == [("one", "two")]


@pytest.mark.parametrize("study", ["one seed", "one language"])
@pytest.mark.parametrize("name", FIGURES)
def test_no_missing_value_is_drawn(drawn_at, name, study):
    figure = drawn_at(name, study, "page")
    assert not any("nan" in text.get_text() for text in texts(figure))
    for axes in figure.axes:
        assert all(np.isfinite(line.get_xydata()).all() for line in axes.lines)
        assert all(np.isfinite(path.vertices).all() for one in axes.collections for path in one.get_paths())


@pytest.mark.parametrize("name", FIGURES)
def test_a_figure_of_nothing_says_so(name):
    inputs = replace(inputs_of(plan_of(["m"], ["none"], [1])), analyses=analysis_of_nothing)
    assert module(name).frame(inputs).empty
    (text,) = texts(drawn(name, inputs))
    assert text.get_text().replace("\n", " ") == module(name).NOTHING


@pytest.mark.parametrize(
    ("study", "without_data"), [(plan_of(["m"], ["none"], [1]), True), (plan_of(["m"], ["none"], [1, 2]), False)]
)
def test_the_file_of_a_figure_says_whether_it_has_data(tmp_path, study, without_data):
    before = [read_by_another(tmp_path / f"spread.{kind}") for kind in FIGURE_FORMATS]
    drawing.write("spread", inputs_of(study), tmp_path)
    assert [read() for read in before] == [BEFORE] * len(FIGURE_FORMATS)
    assert (svg_with_data(tmp_path / "spread.svg") is None) == without_data


@pytest.mark.parametrize("name", FIGURES)
def test_equal_input_gives_equal_files(tmp_path, inputs_at, name):
    inputs = inputs_at("ten seeds", "column")
    for folder in ("first", "second"):
        (tmp_path / folder).mkdir()
        drawing.write(name, inputs, tmp_path / folder)
    for kind in FIGURE_FORMATS:
        first, second = ((tmp_path / folder / f"{name}.{kind}").read_bytes() for folder in ("first", "second"))
        assert first == second
    assert "<text" in (tmp_path / f"first/{name}.svg").read_text(encoding="utf-8")
    assert b"/Subtype /Type42" in (tmp_path / f"first/{name}.pdf").read_bytes().replace(b"CIDFontType2", b"Type42")


@pytest.mark.parametrize("name", FIGURES)
def test_labels_stand_in_place_of_names(name):
    names = {"models": {"small": "Small One"}, "mixtures": {"nine": "All $9$"}, "targets": {"xnli": "NLI"}}
    plan = plan_of(["small", "large"], ["none", "mnli", "nine"], [1, 2])
    found = texts(drawn(name, inputs_of(plan, labels=FigureLabels(**names))))
    words = {line for text in found for line in text.get_text().splitlines()}
    shown = " ".join(words)
    assert not words & {"small", "nine", "xnli"}
    assert "Small One" in words and "All $9$" in shown
    of_no_target = {"headline", "cost_against_gain", "planted_against_found"}
    assert ("NLI" in shown) == (name not in of_no_target)


def test_an_unknown_figure(tmp_path):
    inputs = inputs_of(plan_of(["m"], ["none", "mnli"], [1, 2]))
    with pytest.raises(UserError, match=r"figure 'spraed': there is none of that name; did you mean 'spread'\?"):
        drawing.write("spraed", inputs, tmp_path)
