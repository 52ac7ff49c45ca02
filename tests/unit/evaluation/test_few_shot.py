"""Few-shot results: scores and gains after a training on a few rows, beside those of zero-shot."""

from dataclasses import replace

import pandas as pd
import pytest
from xstilts.errors import UserError
from xstilts.evaluation import few_shot
from xstilts.evaluation.estimates import collect
from xstilts.evaluation.unasked import FEW_SHOT
from xstilts.reporting import few_shot_table
from xstilts.reporting.study_results import StudyResults
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


def test_scores_can_be_loaded(study):
    plan, results = study
    pd.testing.assert_frame_equal(
        StudyResults(results / "studies/test/1", plan).few_shot_scores, few_shot.collect(plan, results)
    )
    with pytest.raises(UserError, match="^study test has no few-shot results"):
        _ = StudyResults(results, replace(plan, few_shot=())).few_shot_scores


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
