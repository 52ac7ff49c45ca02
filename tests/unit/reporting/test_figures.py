"""Figures on scores made by hand."""

import pandas as pd
import pytest
from xstilts.errors import UserError
from xstilts.reporting import figures

PLAN = {"study": "test", "figures": {"palette": "vlag", "width": 7}}


def scores(gain):
    return pd.DataFrame(
        {
            "model": "m", "recipe": "r", "method": "full", "mixture": ["none", "mnli"], "seed": 1, "target": "xnli",
            "language": "de", "metric": "accuracy", "headline": True, "score": [50.0, 50.0 + gain], "n": 10,
            "split": "test", "official": True, "sample": False, "collapsed": False,
        }
    )  # fmt: skip


@pytest.mark.parametrize(("gain", "largest"), [(0.0, 1.0), (-3.0, 3.0)])
def test_no_gain_has_the_colour_in_the_middle(gain, largest):
    figure = figures.gains(scores(gain), PLAN)
    assert figure.axes[0].collections[0].get_clim() == (-largest, largest)


def test_unknown_palette(tmp_path):
    with pytest.raises(UserError, match=r"figures\.palette: 'vlga' is no colour map"):
        figures.write(scores(1.0), {**PLAN, "figures": {"palette": "vlga", "width": 7}}, tmp_path)
