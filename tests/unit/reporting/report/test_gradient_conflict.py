"""The table of gradient conflict: means over all runs of a mixture, by pair of tasks."""

import json
from dataclasses import replace

import pandas as pd
from xstilts.reporting.report import gradient_conflict, training
from xstilts.reporting.report.page import Inputs
from xstilts.store.specs import to_json

from tests.builders.compared import study


def inputs_of(folder, plan):
    return Inputs(plan, folder, folder, pd.DataFrame(), pd.DataFrame())


def test_mean_cosines_by_pair_of_tasks(tmp_path):
    made = study(tmp_path, {("s", "none"): [60, 61], ("s", "nine"): [70, 71], ("s", "mnli"): [65, 65]})
    plan = made.plan()
    assert gradient_conflict.grid(inputs_of(tmp_path, plan)) is None
    nodes = dict(plan.nodes)
    for seed, values in ((1, [0.5, -0.25]), (2, [-0.55])):
        name = f"intermediate/s.r.nine.s{seed}"
        sampling = replace(nodes[name].spec.sampling, tasks_per_step=2, gradient_conflict_every=1)
        nodes[name] = replace(nodes[name], content=to_json(replace(nodes[name].spec, sampling=sampling)))
        noted = [{"step": 1, "tasks": ["mnli", "qqp"], "cosine": value} for value in values]
        (tmp_path / name).mkdir(parents=True)
        history = {"evaluations": [], "losses": [], "gradient_conflict": noted}
        (tmp_path / name / "history.json").write_text(json.dumps(history))
    inputs = inputs_of(tmp_path, replace(plan, nodes=nodes))
    grid = gradient_conflict.grid(inputs)
    (row,) = grid.rows
    assert row.cells == ["nine", "mnli and qqp", "3", "-0.100", "67", "s", "r"]
    assert training.training(inputs).values["tables"][1] == grid
