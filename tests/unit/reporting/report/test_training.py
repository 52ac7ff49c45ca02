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
    collapsed = [column.title for column in grid.columns].index("collapsed on")
    assert [row.cells[collapsed] for row in grid.rows] == ["–", "–", "xnli"]


def test_speed_and_energy_are_those_that_a_training_has_left(tmp_path):
    made = study(tmp_path, {("s", "none"): [60]})
    plan = made.plan()
    used = {"processes": 1, "max_tokens_per_device": None, "gradient_checkpointing": False}
    leave_provenance(plan, tmp_path, "targets", training={**used, "tokens_per_second": 12345.6, "joules": 1.8e6})
    inputs = Inputs(plan, tmp_path, tmp_path, pd.DataFrame(), pd.DataFrame())
    (runs,), (costs,) = (section.values["tables"] for section in (training.training(inputs), training.cost(inputs)))
    assert [row.cells[-1] for row in runs.rows] == ["12,346"]
    assert "GPUs used 0.50 kWh in the steps of 1 training," in costs.about
