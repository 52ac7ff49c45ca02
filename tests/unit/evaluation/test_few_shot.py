"""Few-shot results: scores and gains after a training on a few rows, beside those of zero-shot."""

import shutil
from dataclasses import replace

import pandas as pd
import pytest
from xstilts.commands import main
from xstilts.errors import UserError
from xstilts.evaluation import few_shot, scores
from xstilts.evaluation.estimates import collect
from xstilts.evaluation.estimates import write as write_estimates
from xstilts.evaluation.unasked import FEW_SHOT
from xstilts.reporting import few_shot_table
from xstilts.reporting.study_results import StudyResults
from xstilts.store import study_plan
from xstilts.store.study_plan import FewShotCell

from tests.builders.compared import MIXTURES, PAWSX, XNLI, only, right
from tests.builders.predicted import Predicted

# percent right by mixture, shots and seed; of each language the same
PERCENTS = {("none", 0): (50, 52), ("none", 8): (60, 62), ("nine", 0): (70, 72), ("nine", 8): (65, 67)}


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """Two targets, one of which has rows in one of its two languages alone."""
    folder, cells = tmp_path_factory.mktemp("few"), []
    made = Predicted(folder, {"xnli": XNLI, "pawsx": PAWSX}, MIXTURES, parallel=("xnli", "pawsx"))
    for (mixture, shots), of_seeds in PERCENTS.items():
        for seed, percent in enumerate(of_seeds, start=1):
            for target, languages in (("xnli", ("de", "tr")), ("pawsx", ("de",))):
                if not shots:
                    made.add(("m", mixture), seed, target, right(en=90, de=percent, tr=percent + 10))
                for language in languages if shots else ():
                    few = Predicted(folder, made.targets, MIXTURES, parallel=made.parallel, tag=f".{language}.{shots}",
                                    data_tag=f".{language}")  # fmt: skip
                    few.add(("m", mixture), seed, target, right(**{language: percent}))
                    made.nodes.update(few.nodes)
                    cells.append(FewShotCell(language=language, shots=shots, cell=few.cells[0]))
    return made.plan(few_shot=tuple(cells), tables=("main", "by_language", "few_shot")), folder


@pytest.fixture(scope="module")
def estimates(study):
    """The table of estimates."""
    return collect(*study)


@pytest.fixture
def outputs(study, tmp_path):
    """The folder of the study's outputs, in which its plan is."""
    plan, results = study
    shutil.copytree(results, tmp_path / "results")
    folder = tmp_path / "results/studies/test/01234567"
    folder.mkdir(parents=True)
    (folder / "plan.json").write_text(study_plan.text(plan))
    return folder


def test_scores_are_written_once_and_can_be_loaded(study, outputs, monkeypatch):
    command = ["scores", "--plan", str(outputs / "plan.json")]
    assert main(command) == 0
    expected = few_shot.collect(*study)
    assert few_shot.TABLE.problem(expected) is None
    monkeypatch.setattr(few_shot, "collect", None)
    pd.testing.assert_frame_equal(StudyResults(outputs, study[0]).few_shot_scores, expected, check_dtype=False)
    without = replace(study[0], few_shot=())
    (outputs / few_shot.FILE).unlink()
    (outputs / "plan.json").write_text(study_plan.text(without))
    assert main(command) == 0 and not (outputs / few_shot.FILE).exists()
    with pytest.raises(UserError, match="^study test has no few-shot results"):
        _ = StudyResults(outputs, without).few_shot_scores


def test_tables_are_made_from_the_table_of_few_shot_scores(study, estimates, outputs, monkeypatch, caplog):
    plan, results = study
    of_shots = few_shot.collect(plan, results)
    # a score that no prediction gives
    changed = of_shots.assign(score=of_shots["score"].mask(of_shots["shots"] == 8, 12.5))
    scores.write(scores.collect(plan, results), outputs / scores.FILE)
    write_estimates(estimates, outputs / "estimates.parquet")
    (outputs / "tables").mkdir()
    command = ["tables", "--plan", str(outputs / "plan.json")]
    assert main(command) == 2
    assert f"{few_shot.FILE}: missing; the stage that makes the table of few-shot scores has not run" in caplog.text
    few_shot.write(changed, outputs / few_shot.FILE)
    monkeypatch.setattr(few_shot, "collect", None)
    assert main(command) == 0
    written = pd.read_csv(outputs / "tables/few_shot.csv")
    assert set(written[written["shots"] == 8]["score"]) == {12.5}
    caplog.clear()
    changed.drop(columns="shots").to_parquet(outputs / few_shot.FILE)
    assert main(command) == 2
    assert "not a table of few-shot scores: no column 'shots'" in caplog.text and caplog.text.count("\n") == 1


def test_the_rows_of_zero_shots_are_those_of_the_table_of_scores(study):
    plan, results = study
    zero = few_shot.collect(plan, results).query("shots == 0").drop(columns="shots")
    every = scores.collect(plan, results)
    same = every.merge(zero[["target", "language"]].drop_duplicates(), on=["target", "language"])
    pd.testing.assert_frame_equal(*(frame.sort_values([*scores.AXES, "language", "metric"]).reset_index(drop=True)
                                    for frame in (zero, same)))  # fmt: skip


def test_scores_are_of_the_same_languages_at_every_number(study):
    found = few_shot.collect(*study)
    rows = found.groupby(["target", "shots"])["language"].unique().map(sorted).to_dict()
    both = ["de", "tr"]
    assert rows == {("xnli", 0): both, ("xnli", 8): both, ("pawsx", 0): ["de"], ("pawsx", 8): ["de"]}
    tuned = found[found["headline"] & (found["shots"] == 8) & (found["mixture"] == "none") & (found["seed"] == 1)]
    assert set(tuned["score"]) == {60}


def test_arms_without_few_shots_have_no_rows(study):
    """Such as those that answer prompts."""
    plan, results = study
    prompted = tuple(replace(cell, recipe="prompted") for cell in plan.cells if cell.mixture == "none")
    found = few_shot.collect(replace(plan, cells=(*plan.cells, *prompted)), results)
    assert set(found["recipe"]) == {"r"}


def test_gains_have_intervals_over_runs_and_examples_at_every_number(estimates):
    gains = estimates[estimates["name"] == FEW_SHOT]
    values = {(row["outcome"], row["target"]): row["estimate"] for row in gains.to_dict("records")}
    gain = {"0-shot": pytest.approx(20), "8-shot": pytest.approx(5)}
    assert values == {(name, target): gain[name] for name in gain for target in ("xnli", "pawsx", "")}
    row = only(gains, outcome="8-shot", target="")
    assert (row["targets"], row["languages"], row["runs_a"], row["interval"]) == (2, 2, 2, "runs and examples")
    assert only(gains, outcome="8-shot", target="xnli")["n"] == 200


def test_other_estimates_are_those_of_the_study_without_shots(study, estimates):
    plan, results = study
    without = collect(replace(plan, few_shot=()), results)
    assert estimates[estimates["name"] != FEW_SHOT].equals(without)


def test_table_has_a_column_for_each_number(study, estimates):
    plan, results = study
    shown = few_shot_table.of_study(few_shot.collect(plan, results), estimates, plan)
    header, rows = shown.cells
    assert header == ["model", "recipe", "target", "mixture", "0 shots", "8 shots"]
    cells = {tuple(row[2:4]): row[4:] for row in rows}
    assert set(cells) == {(target, mixture) for target in ("xnli", "pawsx", "mean") for mixture in ("none", "nine")}
    assert cells["pawsx", "none"] == ["51.0", "61.0"]
    assert [cell.partition(" ±")[0] for cell in cells["xnli", "nine"]] == ["76.0 (+20.0", "66.0 (+5.0"]
    assert "xnli 2, pawsx 1" in shown.caption
    assert {"score", "shots", "gain", "low", "high", "row"} <= set(shown.frame)
