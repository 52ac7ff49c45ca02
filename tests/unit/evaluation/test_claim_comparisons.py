"""Comparisons of claims in the table of estimates, on predictions made by hand."""

import pytest
from xstilts.evaluation import estimates
from xstilts.evaluation.table import records
from xstilts.evaluation.unasked import is_unasked
from xstilts.store.answer import Answer, Budget, Family
from xstilts.store.claims import ClaimComparison, Lacking, PlannedClaim
from xstilts.store.study_plan import Benchmark, BenchmarkTask, PlannedTarget

from tests.builders.predicted import Predicted, correct

TARGETS = {
    "xnli": PlannedTarget("xnli", "classification", "accuracy", "en", "tiny", ("xnli",)),
    "pawsx": PlannedTarget("pawsx", "classification", "accuracy", "en", "tiny", ("pawsx",)),
    "tatoeba": PlannedTarget("tatoeba", "bitext", "accuracy", "en", "tiny"),
}
# percent that are right, and score on dev rows, by mixture and target; the best on dev is not the best
SCORES = {
    "none": {"xnli": (50, 50), "pawsx": (50, 50), "tatoeba": (20, None)},
    "mnli": {"xnli": (60, 70), "pawsx": (40, 50), "tatoeba": (30, None)},
    "squad_v1": {"xnli": (64, 60), "pawsx": (58, 70), "tatoeba": (50, None)},
    "nine": {"xnli": (66, 50), "pawsx": (52, 50), "tatoeba": (60, None)},
}
MIXTURES = {"none": (), "mnli": ("mnli",), "squad_v1": ("squad_v1",), "nine": ("mnli", "squad_v1")}


def compared(folder, *comparisons, recipes=("r",), **changes):
    """Return the rows of a claim and of an answer; a second run is two points better in each target."""
    made = Predicted(folder, TARGETS, MIXTURES)
    for recipe in recipes:
        for mixture, of_targets in SCORES.items():
            for seed in (1, 2):
                for target, (percent, dev) in of_targets.items():
                    right = {language: correct(100, percent + 2 * (seed - 1)) for language in ("en", "de")}
                    made.add(("m", mixture), seed, target, right, dev, recipe=recipe)
    claim = PlannedClaim(text="", source="", figure="", holds=None, comparisons=comparisons, lacking={"m": Lacking()})
    frame = estimates.collect(made.plan(claims={"x": claim}, **changes), folder)
    assert estimates.TABLE.problem(frame) is None
    return records(frame[~is_unasked(frame)])


def comparison(first, second, **changes):
    return ClaimComparison(model="m", first=first, second=second, **changes)


def test_a_mean_over_targets_in_every_recipe(tmp_path):
    first, second = compared(tmp_path, comparison("nine", "none"), recipes=("r", "s"))
    # 16, 2 and 41 points: without any training the baseline of retrieval is one and the same in both runs
    assert first["estimate"] == second["estimate"] == pytest.approx(59 / 3)
    assert (first["name"], first["primary"], first["verdict"]) == ("claim x", False, "higher")
    assert [row["recipe"] for row in (first, second)] == ["r", "s"]


def test_one_target_and_one_against_another(tmp_path):
    alone, against = compared(
        tmp_path,
        comparison("nine", "none", target="tatoeba"),
        comparison("nine", "none", target="tatoeba", against="xnli"),
    )
    assert (alone["estimate"], alone["target"]) == (pytest.approx(41), "tatoeba")
    assert (against["estimate"], against["target"]) == (pytest.approx(41 - 16), "tatoeba minus xnli")
    assert (against["targets"], against["n"]) == (2, 200)


def test_best_single_is_chosen_on_dev_rows_in_every_run(tmp_path):
    (row,) = compared(tmp_path, comparison("nine", "best single", among=("mnli", "squad_v1")))
    assert row["chosen"] == "squad_v1 2" and row["estimate"] == pytest.approx((2 - 6 + 10) / 3)


def test_best_for_each_target_is_chosen_on_its_own_dev_rows(tmp_path):
    """Retrieval has none, and takes the mixture that is best on the mean of the others."""
    among = ("mnli", "squad_v1", "nine")
    (row,) = compared(tmp_path, comparison("best by target", "none", among=among))
    # mnli on xnli, squad_v1 on the others
    assert row["estimate"] == pytest.approx((10 + 8 + 31) / 3)
    assert (row["a"], row["runs_a"]) == ("best by target", 2)


def test_not_higher_emerges_where_it_is_lower(tmp_path):
    higher, lower = compared(
        tmp_path,
        comparison("nine", "none", target="xnli", expected="not higher"),
        comparison("mnli", "none", target="pawsx", expected="not higher"),
    )
    assert [(row["verdict"], row["emerged"]) for row in (higher, lower)] == [
        ("higher", "the opposite"), ("lower", "emerged"),
    ]  # fmt: skip


def test_the_outcome_is_that_of_the_answer_or_the_benchmark(tmp_path):
    task = BenchmarkTask(languages=("en", "de"), metrics=("accuracy",), group="sentence", layout="xnli")
    benchmark = Benchmark("one", "One task", "", {"xnli": task})
    (row,) = compared(tmp_path / "benchmark", comparison("nine", "none"), benchmark=benchmark)
    assert (row["outcome"], row["targets"], row["languages"]) == ("benchmark", 1, 2)
    budget = Budget(multi="nine", single="mnli", singles=("mnli",))
    families = {"f": Family(small="m", large=None)}
    answer = Answer(budgets={"equal epochs": budget}, families=families, recipes=("r",))
    rows = compared(tmp_path / "answer", comparison("nine", "none"), benchmark=benchmark, answer=answer)
    (row,) = [row for row in rows if row["name"] == "claim x"]
    assert (row["outcome"], row["targets"], row["languages"]) == ("zero-shot", 3, 1)


def test_a_study_without_comparisons_has_no_rows(tmp_path):
    assert compared(tmp_path) == []
