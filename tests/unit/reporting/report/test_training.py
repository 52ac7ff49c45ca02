"""The table of training runs: what collapsed in them."""

import pandas as pd
from xstilts.reporting.report.page import Inputs
from xstilts.reporting.report.training import training

from tests.builders.compared import right, study


def test_a_collapsed_training_names_its_tasks(tmp_path):
    made = study(tmp_path, {("s", "none"): [60]})
    made.add(("s", "mnli"), 1, "xnli", right(en=20, de=20), collapsed=True)
    section = training(Inputs(made.plan(), tmp_path, tmp_path, pd.DataFrame(), pd.DataFrame()))
    (grid,) = section.values["tables"]
    assert [column.title for column in grid.columns][-1] == "collapsed on"
    assert [row.cells[-1] for row in grid.rows] == ["–", "–", "xnli"]
