"""Figures on scores made by hand."""

import pandas as pd
import pytest
from matplotlib.figure import Figure
from xstilts.errors import UserError
from xstilts.reporting import figures
from xstilts.store.study_plan import FigureOptions

from tests.builders.reports import study_plan

PLAN = study_plan()


def scores(gain):
    return pd.DataFrame(
        {
            "model": "m", "recipe": "r", "method": "full", "mixture": ["none", "mnli"], "seed": 1, "target": "xnli",
            "language": "de", "metric": "accuracy", "headline": True, "score": [50.0, 50.0 + gain], "n": 10,
            "split": "test", "official": True, "sample": False, "collapsed": False,
        }
    )  # fmt: skip


@pytest.mark.parametrize(("gain", "largest"), [(0.0, 1.0), (-3.0, 3.0)])
def test_no_gain_has_the_colour_in_the_middle(tmp_path, monkeypatch, gain, largest):
    drawn = []
    monkeypatch.setattr(Figure, "savefig", lambda figure, *_, **__: drawn.append(figure))
    figures.write(scores(gain), PLAN, tmp_path)
    limits = [mesh.get_clim() for figure in drawn for axes in figure.axes for mesh in axes.collections]
    assert (-largest, largest) in limits


def test_unknown_palette(tmp_path):
    with pytest.raises(UserError, match=r"figures\.palette: 'vlga' is no colour map"):
        figures.write(scores(1.0), study_plan(figures=FigureOptions("vlga", 7)), tmp_path)
