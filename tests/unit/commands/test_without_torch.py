"""Everything after prediction is made from the files of predictions, without torch and transformers."""

import json
import subprocess
import sys

import pandas as pd
import pytest
from xstilts.reporting.outputs import ANALYSES
from xstilts.store import study_plan as study_plans
from xstilts.store.answer import Answer, Budget, Contrast, Family
from xstilts.store.figures import FIGURES
from xstilts.store.study_plan import PlannedTarget

from tests.builders.pages import Page
from tests.builders.predicted import Predicted, correct
from tests.builders.study_plans import figure_commands

COMMANDS = [["scores"], ["estimates"], ["analyses"], ["tables"], *figure_commands(), ["report"], ["summary"]]
RUN = """
import json
import sys


class Missing:
    def find_spec(self, name, path, target=None):
        if name.partition(".")[0] in ("torch", "transformers"):
            raise ModuleNotFoundError(f"No module named {name!r}")


sys.meta_path.insert(0, Missing())
from xstilts.commands import main

sys.exit(max(main([*command, "--plan", sys.argv[1]]) for command in json.loads(sys.argv[2])))
"""
TARGETS = {
    "xnli": PlannedTarget("xnli", "classification", "accuracy", "en", "tiny", ("xnli",)),
    "tatoeba": PlannedTarget("tatoeba", "bitext", "accuracy", "en", "tiny"),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Write the predictions and the plan of a study, run all commands, and return the folder of its outputs."""
    results = tmp_path_factory.mktemp("study") / "results"
    made = Predicted(results, TARGETS, {"none": (), "mnli": ("mnli",), "nine": ("mnli", "qqp")})
    for number, mixture in enumerate(made.mixtures):
        for seed in (1, 2):
            for target in TARGETS:
                answers = {language: correct(50, 20 + 8 * number + seed) for language in ("en", "de", "qao")}
                made.add(("m", mixture), seed, target, answers, 50.0 if target == "xnli" else None)
    budget = Budget(multi="nine", single="mnli", singles=("mnli",))
    plan = made.plan(
        answer=Answer(
            budgets={"equal epochs": budget}, families={"f": Family(small="m", large=None)}, recipes=("r",),
            controls=("qao",), primary=("small",),
        ),
        contrasts={"gain": Contrast("mixture", ("nine", "none"), expected="higher")},
        tables=("main", "by_language", "answer", "contrasts"),
    )  # fmt: skip
    outputs = results / "studies/test/0123456789ab"
    for name in ("tables", "figures"):
        (outputs / name).mkdir(parents=True)
    path = outputs / study_plans.FILE
    path.write_text(study_plans.text(plan), encoding="utf-8")
    command = [sys.executable, "-W", "ignore", "-c", RUN, str(path), json.dumps(COMMANDS)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (outputs / "terminal.txt").write_text(done.stdout, encoding="utf-8")
    return outputs


def test_outputs_are_there(folder):
    there = {path.relative_to(folder).as_posix() for path in folder.rglob("*")}
    tables = {f"tables/{name}.{kind}" for name in ("main", "answer", "contrasts") for kind in ("md", "csv", "tex")}
    tables |= {f"analyses/{name}.parquet" for name in ANALYSES}
    figures = {f"figures/{name}.{kind}" for name in FIGURES for kind in ("pdf", "svg", "png")}
    assert tables | figures | {"scores.parquet", "estimates.parquet", "report.html", "report.txt"} <= there


def test_gains_have_their_interval_in_table_terminal_and_report(folder):
    # of 50 rows 16 more on one target; 16.5 on the other, whose baseline is one and the same in all runs
    row = pd.read_csv(folder / "tables/main.csv").query("mixture == 'nine' and target == 'mean'").iloc[0]
    assert row["gain"] == pytest.approx((16 + 16.5) / 2 / 50 * 100)
    half = (row["high"] - row["low"]) / 2
    cell = f"{row['zero_shot']:.1f} (+{row['gain']:.1f} ± {half:.1f})"
    for name in ("tables/main.md", "terminal.txt"):
        assert cell in (folder / name).read_text(encoding="utf-8")
    page = Page((folder / "report.html").read_text(encoding="utf-8"))
    assert cell in [text for row in page.tables["main"].body for text in row.texts]
