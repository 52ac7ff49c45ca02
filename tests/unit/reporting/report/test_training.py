"""The cost of a study by hand, and the table of its training runs: what collapsed in them."""

import pandas as pd
from xstilts.reporting.report import training
from xstilts.reporting.report.page import Inputs

from tests.builders.compared import right, study
from tests.builders.papers import leave_provenance
from tests.builders.plans import plan_of_study


def test_a_short_study_costs_seconds(tmp_path):
    plan = plan_of_study("miniature").study_plan
    leave_provenance(plan, tmp_path, "targets", gpu=None, gpus=0, wall_seconds=0.1)
    section = training.cost(Inputs(plan, tmp_path, tmp_path, pd.DataFrame(), pd.DataFrame()))
    assert section is not None
    (grid,) = section.values["tables"]
    titles, row = [column.title for column in grid.columns], grid.rows[0].cells
    number = int(row[titles.index("recorded")])
    assert row[titles.index("seconds")] == f"{0.1 * number:.1f}" and "CPU-seconds" in titles


def test_a_collapsed_training_names_its_tasks(tmp_path):
    made = study(tmp_path, {("s", "none"): [60]})
    made.add(("s", "mnli"), 1, "xnli", right(en=20, de=20), collapsed=True)
    section = training.training(Inputs(made.plan(), tmp_path, tmp_path, pd.DataFrame(), pd.DataFrame()))
    (grid,) = section.values["tables"]
    assert [column.title for column in grid.columns][-1] == "collapsed on"
    assert [row.cells[-1] for row in grid.rows] == ["–", "–", "xnli"]
