"""``xstilts.load``: the frames of a study made by hand, its errors, and the notebook page."""

import json
import re
import subprocess
import sys

import pandas as pd
import pytest
import xstilts
from xstilts import forms
from xstilts.errors import UserError
from xstilts.evaluation import estimates, predictions, scores
from xstilts.evaluation.analyses import task_transfer
from xstilts.store import study_plan as study_plans
from xstilts.store.study_plan import Cell

from tests.builders import provenance
from tests.builders.estimates import estimates as made_estimates
from tests.builders.projects import ROOT
from tests.builders.study_plans import planned, study_plan

AXES = {"model": "m", "recipe": "r", "method": "full", "seed": 1, "target": "xnli"}
RUN = {"steps_done": 9, "best_step": 6, "dev": {}, "tasks": {}, "collapsed": False}
RIGHT = {"none": ["0", "1"], "three": ["0", "0"]}


def predicted(answers: list[str]) -> pd.DataFrame:
    """Return predictions for two German examples with gold 0."""
    rows = [
        {"example_id": str(index), "cluster_id": str(index), "language": "de", "split": "test"} for index in range(2)
    ]
    return predictions.frame_of(forms.get("classification"), rows, answers, ["0", "0"], None)


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Write a study of two cells, and return the link to its outputs. The second training was deleted."""
    tokens = "tokens/xnli.evaluation-00000000"
    nodes, cells = {tokens: planned("xnli.evaluation")}, []
    for mixture, answers in RIGHT.items():
        label, name = f"mini.full.{len(cells)}tasks.xnli.s1-000000000000", f"m.r.{mixture}.s1.xnli"
        target, node = (f"{stage}/{label}" for stage in ("targets", "predictions"))
        nodes[target] = planned(name)
        nodes[node] = planned(name, "another", parents={"model": target, "tokens": tokens})
        cells.append(Cell(**AXES, mixture=mixture, node=node))
        (tmp_path / "results" / node).mkdir(parents=True)
        predictions.write(predicted(answers), tmp_path / "results" / node / predictions.FILE)
        files = {predictions.FILE: {"sha256": "", "bytes": 7}}
        content = {
            "spec": {"stage": "predictions", "parents": {}},
            "files": files,
            "fingerprint": {},
            "training": {target: RUN},
            "splits": {},
        }
        (tmp_path / "results" / node / "manifest.json").write_text(json.dumps({**content, "collapsed": False}))
    trained = tmp_path / "results/targets/mini.full.0tasks.xnli.s1-000000000000"
    trained.mkdir(parents=True)
    files = {name: {"sha256": "", "bytes": 21} for name in ("model.safetensors", "heads.safetensors")}
    content = {"spec": {"stage": "targets", "parents": {}}, "files": files, "run": RUN}
    (trained / "manifest.json").write_text(json.dumps(content))
    provenance.leave(trained, wall_seconds=1.5)
    outputs = tmp_path / "results/studies/tiny/01234567"
    outputs.mkdir(parents=True)
    plan = study_plan(nodes, cells=tuple(cells), mixtures={"none": (), "three": ("mnli",)})
    (outputs / "plan.json").write_text(study_plans.text(plan))
    row = {
        **AXES, "language": "de", "metric": "accuracy", "headline": True, "n": 2, "split": "test", "official": True,
        "sample": False, "layer": None, "direction": None, "collapsed": False, "source": "tiny",
    }  # fmt: skip
    frame = pd.DataFrame([{**row, "mixture": "none", "score": 50.0}, {**row, "mixture": "three", "score": 100.0}])
    scores.write(frame, outputs / scores.FILE)
    gain = {"name": "gain over none", "model": "m", "a": "three", "b": "none", "target": "xnli", "estimate": 50.0}
    compared = made_estimates({**gain, "targets": 1})
    estimates.write(compared, outputs / estimates.FILE)
    (outputs / "analyses").mkdir()
    transfer = task_transfer.collect(plan, tmp_path / "results", compared, frame)
    task_transfer.TABLE.write(transfer, outputs / "analyses/task_transfer.parquet")
    (outputs.parent / "latest").symlink_to(outputs.name)
    monkeypatch.chdir(tmp_path)
    return outputs.parent / "latest"


def test_frames(folder):
    study = xstilts.load(folder)
    assert study.scores.set_index("mixture")["score"].to_dict() == {"none": 50, "three": 100}
    assert study.estimates["estimate"].tolist() == [50]
    assert study.cells["mixture"].tolist() == ["none", "three"]
    assert study.nodes["stage"].tolist() == ["tokens", "targets", "predictions", "targets", "predictions"]
    assert study.nodes["name"].tolist()[1] == "m.r.none.s1.xnli"
    assert study.nodes["parents"].tolist()[2] == [
        "targets/mini.full.0tasks.xnli.s1-000000000000", "tokens/xnli.evaluation-00000000",
    ]  # fmt: skip


def test_predictions_of_all_cells_have_their_axes(folder):
    frame = xstilts.load(str(folder)).predictions()
    assert frame[["mixture", "example_id", "prediction", "stat_correct"]].values.tolist() == [
        ["none", "0", "0", 1], ["none", "1", "1", 0], ["three", "0", "0", 1], ["three", "1", "0", 1],
    ]  # fmt: skip
    assert set(frame["seed"]) == {1}


def test_manifests_have_a_row_for_each_node_made_or_not(folder):
    frame = xstilts.load(folder).manifests
    assert frame["made"].tolist() == [False, True, True, False, True]
    trained = frame[frame["stage"] == "targets"].iloc[0]
    assert (trained["bytes"], trained["steps"], trained["best_step"], trained["wall_seconds"]) == (42, 9, 6, 1.5)
    assert not trained["collapsed"]
    # the second one was deleted; its predictions' manifest tells of it
    deleted = frame[frame["stage"] == "targets"].iloc[1]
    assert deleted[["bytes", "wall_seconds"]].isna().all() and not deleted["made"]
    assert (deleted["steps"], deleted["best_step"], deleted["collapsed"]) == (9, 6, False)


def test_folders_that_cannot_be_loaded(folder, tmp_path):
    with pytest.raises(UserError, match=r"nothing: no such folder; give the folder of a study's outputs, such as"):
        xstilts.load("nothing")
    with pytest.raises(UserError, match=r"results: has no plan\.json, so it is not the outputs of a study"):
        xstilts.load(tmp_path / "results")
    (folder / "scores.parquet").unlink()
    study = xstilts.load(folder)
    with pytest.raises(UserError, match=r"scores\.parquet: missing; the stage that makes the table of scores has not"):
        _ = study.scores
    (folder / "estimates.parquet").unlink()
    with pytest.raises(UserError, match=r"estimates\.parquet: missing; the stage that makes the table of estimates"):
        _ = study.estimates
    with pytest.raises(UserError, match=r"cost\.parquet: missing; the stage that makes the table of cost has not run"):
        study.analysis("cost")
    with pytest.raises(UserError, match=r"no analysis 'costs'; did you mean 'cost'\?"):
        study.analysis("costs")
    (folder / "plan.json").write_text("[]")
    with pytest.raises(UserError, match=r"plan\.json: not the plan of a study"):
        xstilts.load(folder)
    (folder / "plan.json").write_text("{")
    with pytest.raises(UserError, match=r"plan\.json: cannot be read"):
        xstilts.load(folder)


def test_notebook_page(folder):
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / "docs/notebook.md").read_text(encoding="utf-8"), re.S)
    names: dict = {}
    for block in blocks:
        exec(block, names)
    assert names["means"].loc["three", "xnli"] == 100
    assert names["gains"][["a", "target", "estimate"]].values.tolist() == [["three", "xnli", 50]]
    assert names["errors"].to_dict() == {("none", "xnli", "de"): 1}
    assert names["transfer"].to_dict() == {"xnli": {("m", "three"): 50}}
    assert names["trained"]["name"].tolist() == ["m.r.none.s1.xnli", "m.r.three.s1.xnli"]


def test_import_is_light():
    code = "import sys, xstilts; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"pandas", "numpy", "torch", "xstilts.reporting"} & set(done.stdout.split())
