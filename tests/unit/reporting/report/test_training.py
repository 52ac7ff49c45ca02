"""The cost of a study, by hand."""

import pandas as pd
from xstilts.reporting.report import training
from xstilts.reporting.report.page import Inputs

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
