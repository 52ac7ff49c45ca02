"""The page on adding a figure: its steps, done in a copy of the package, draw the figure."""

import re
import shutil
import subprocess
import sys

from xstilts.store import study_plan as study_plans

from tests.builders.projects import ROOT
from tests.builders.study_plans import study_plan

DRAW = """
import sys
from pathlib import Path

import pandas as pd
from xstilts.reporting.figures import drawing, inputs, options
from xstilts.store import study_plan

rows = [
    {"model": "m", "recipe": "r", "method": "full", "mixture": mixture, "seed": seed, "target": "xnli",
     "language": language, "metric": "accuracy", "headline": True, "score": 50.0 + seed * (mixture != "none"), "n": 10,
     "split": "test", "official": True, "sample": False, "collapsed": False}
    for mixture in ("none", "mnli") for seed in (1, 2) for language in ("en", "de")
]
plan = study_plan.read(Path(sys.argv[2]))
usual = options.of_figure(plan.figures, "source_scores")
given = inputs.FigureInputs(plan, pd.DataFrame(rows), pd.DataFrame(), {}.get, usual)
drawing.write("source_scores", given, Path(sys.argv[1]))
"""


def test_steps_of_the_page(tmp_path):
    text = (ROOT / "docs/add-a-figure.md").read_text(encoding="utf-8")
    module, line = re.findall(r"```python\n(.*?)```", text, re.S)
    package = tmp_path / "workflow_scripts/xstilts"
    shutil.copytree(ROOT / "workflow_scripts/xstilts", package, ignore=shutil.ignore_patterns("__pycache__"))
    new, table = (
        re.search(rf"`workflow_scripts/xstilts/({name}\.py)`", text)[1]
        for name in ("reporting/figures/source_scores", "store/figures")
    )
    (package / new).write_text(module)
    names = (package / table).read_text()
    assert "FIGURES = {\n" in names
    (package / table).write_text(names.replace("FIGURES = {\n", f"FIGURES = {{\n{line}"))
    (tmp_path / "figures").mkdir()
    (tmp_path / "plan.json").write_text(study_plans.text(study_plan()))
    command = [sys.executable, "-W", "ignore", "-c", DRAW, str(tmp_path / "figures"), str(tmp_path / "plan.json")]
    environment = {"PYTHONPATH": str(package.parent), "PATH": "", "HOME": str(tmp_path), "MPLCONFIGDIR": str(tmp_path)}
    done = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    drawn = {path.name for path in (tmp_path / "figures").iterdir()}
    assert drawn == {f"source_scores.{suffix}" for suffix in ("pdf", "svg", "png")}
    assert "zero-shot (percent)" in (tmp_path / "figures/source_scores.svg").read_text()
