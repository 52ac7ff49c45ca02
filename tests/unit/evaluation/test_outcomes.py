"""Outcomes against the tables and the benchmarks' formulas, on tables of random scores."""

import random
from itertools import product

import pandas as pd
import pytest
from xstilts.evaluation import benchmarks, outcomes
from xstilts.reporting import main_table
from xstilts.store.answer import Answer
from xstilts.store.study_plan import Benchmark, BenchmarkTask, PlannedTarget

from tests.builders.study_plans import study_plan

TARGETS = {
    "xnli": PlannedTarget("xnli", "classification", "accuracy", "en", "tiny", ("xnli",), ("mnli", "xnli")),
    "xquad": PlannedTarget("xquad", "span", "f1", "en", "tiny", ("squad_v1",), ("squad_v1",)),
    "tatoeba": PlannedTarget("tatoeba", "bitext", "accuracy", "en", "tiny"),
    "lareqa": PlannedTarget("lareqa", "retrieval", "mean_average_precision", "en", "tiny", ("squad_v1",)),
    "mnli@de": PlannedTarget("mnli", "classification", "accuracy", "de", "tiny", ("mnli@de",)),
    "lm_loss": PlannedTarget("lm_loss", "mlm", "loss", "en", "tiny"),
}
ROWS = {
    "xnli": {"en": 50, "de": 50, "fr": 50, "qae": 50},
    "xquad": {"en": 40, "de": 41, "ru": 42},
    "tatoeba": {"de": 10, "qae": 10},
    "lareqa": {"en": 30, "de": 20, "ru": 10},
    "mnli@de": {"en": 30, "de": 20},
    "lm_loss": {"en": 30, "de": 20},
}
METRICS = {"xquad": ["f1", "exact_match"]}
BENCHMARK = Benchmark("b", "B", "", {
    "xnli": BenchmarkTask(languages=("en", "de", "fr", "tr"), metrics=("accuracy",), group="sentence", layout=""),
    "xquad": BenchmarkTask(languages=("en", "de", "ru"), metrics=("f1", "exact_match"), group="qa", layout=""),
    "tatoeba": BenchmarkTask(languages=("de",), metrics=("accuracy",), group="retrieval", layout="", english=False),
    "lareqa": BenchmarkTask(languages=("en", "de", "ru"), metrics=("mean_average_precision",), group="retrieval",
                            layout="", pooled=True),
    "udpos": BenchmarkTask(languages=("en", "de"), metrics=("f1",), group="structured", layout=""),
})  # fmt: skip
MIXTURES = {"none": (), "mnli": ("mnli",), "squad": ("squad_v1",), "both": ("mnli", "squad_v1@de")}


def answer(**changes):
    return Answer(**{"budgets": {}, "families": {}, "recipes": ("r",)} | changes)


def plan(**changes):
    return study_plan(
        **{"targets": TARGETS, "benchmark": BENCHMARK, "mixtures": MIXTURES, "answer": answer()} | changes
    )


def scores(seed):
    """Return random scores of one model on all that there is."""
    rng = random.Random(seed)
    axes = {"model": "m", "recipe": "r", "method": "full", "mixture": "none", "seed": 1}
    flags = {"official": True, "sample": False, "collapsed": False}
    return pd.DataFrame([
        {**axes, **flags, "target": target, "language": language, "n": n, "metric": metric,
         "headline": metric == TARGETS[target].metric, "score": rng.uniform(0, 100)}
        for target, languages in ROWS.items()
        for (language, n), metric in product(languages.items(), METRICS.get(target, [TARGETS[target].metric]))
    ])  # fmt: skip


def value(outcome, table):
    """Return an outcome by its terms."""
    by_cell = table.set_index(["target", "language", "metric"])["score"]
    return sum(term.weight * by_cell[term.target, term.language, term.metric] for term in outcome.terms)


def of_answer(rows=ROWS, mixtures=("both",), **changes):
    found = outcomes.of_answer(plan(**changes), rows, mixtures)
    return {one.target or one.name: one for one in found}


@pytest.mark.parametrize("controls", [(), ("qae",), ("en", "ru")])
@pytest.mark.parametrize("seed", range(5))
def test_zero_shot_outcomes_are_those_of_the_main_table(seed, controls):
    table = scores(seed)
    main = main_table.of_targets(table, controls).set_index("target")
    found = of_answer(answer=answer(controls=controls))
    with_outcome = main["zero_shot"].dropna()
    # German is evaluated in German and English alone
    assert set(TARGETS) - set(with_outcome.index) == ({"mnli@de"} if "en" in controls else set())
    for target, mean in with_outcome.items():
        assert value(found[target], table) == pytest.approx(mean)
    in_percent = main[main["metric"] != "loss"]
    assert value(found["zero-shot"], table) == pytest.approx(in_percent["zero_shot"].mean())
    assert value(found["source language"], table) == pytest.approx(in_percent["source"].mean())


def test_main_table_has_the_source_language_where_there_is_no_other():
    table = scores(0)
    table = table[(table["target"] != "xnli") | (table["language"] == "en")]
    main = main_table.of_targets(table).set_index("target")
    found = of_answer({**ROWS, "xnli": {"en": 50}})
    assert value(found["xnli"], table) == pytest.approx(main.loc["xnli", "zero_shot"])
    assert value(found["zero-shot"], table) == pytest.approx(main[main["metric"] != "loss"]["zero_shot"].mean())


@pytest.mark.parametrize("seed", range(5))
def test_benchmark_outcomes_are_those_of_the_formulas(seed):
    table = scores(seed)
    found = of_answer(answer=answer(outcome="benchmark"))
    of_tasks = table.assign(task=table["target"])
    assert value(found["benchmark"], table) == pytest.approx(benchmarks.overall(of_tasks, BENCHMARK).score)
    without = benchmarks.without_english(of_tasks, BENCHMARK).score
    assert value(found["without source language"], table) == pytest.approx(without)
    without = benchmarks.without_retrieval(of_tasks, BENCHMARK).score
    assert value(found["without retrieval"], table) == pytest.approx(without)
    english = benchmarks.overall(of_tasks, BENCHMARK, languages=["en"]).score
    assert value(found["source language"], table) == pytest.approx(english)
    for task, score in benchmarks.task_scores(of_tasks, BENCHMARK).items():
        assert value(found[task], table) == pytest.approx(score.score)


def test_controls_are_averaged_apart():
    for outcome in ("zero_shot", "benchmark"):
        tasks = {**BENCHMARK.tasks, "xnli": BenchmarkTask(
            languages=("en", "de", "qae"), metrics=("accuracy",), group="", layout="")}  # fmt: skip
        benchmark = Benchmark("b", "B", "", tasks)
        found = of_answer(answer=answer(outcome=outcome, controls=("qae",)), benchmark=benchmark)
        controls = found.pop("control languages")
        assert controls.languages == ("qae",)
        assert all("qae" not in one.languages for one in found.values())
    (contrast,) = outcomes.of_contrast(plan(answer=answer(controls=("qae",))), ROWS, ["xnli"])
    assert contrast.languages == ("de", "fr")


def test_target_that_has_controls_alone_has_no_outcome():
    rows = {**ROWS, "tatoeba": {"qae": 10}, "xquad": {"en": 40, "qae": 10}}
    found = of_answer(rows, answer=answer(controls=("qae",)))
    assert not {"tatoeba", "xquad"} & set(found)
    assert set(found["control languages"].targets) == {"xnli", "xquad", "tatoeba"}


def test_source_language_stands_in_where_there_is_no_other():
    found = of_answer({**ROWS, "xnli": {"en": 50}})
    assert found["xnli"].languages == ("en",)
    assert "xnli" in found["zero-shot"].targets


def test_targets_with_the_data_of_any_mixture_are_left_out():
    def left(*mixtures):
        return of_answer(mixtures=mixtures)["without same data"].targets

    assert left("mnli") == ("xquad", "tatoeba", "lareqa")
    assert left("squad") == ("xnli", "tatoeba", "lareqa", "mnli@de")
    # one of the candidates is enough, and a task in another language is the same data
    assert left("mnli", "squad") == left("both") == ("tatoeba", "lareqa")
    assert "without same data" not in of_answer(mixtures=["none"])


def test_variants_are_there_only_where_they_differ():
    rows = {"xnli": {"de": 50}, "mnli@de": {"en": 50}}
    assert list(of_answer(rows, mixtures=["squad"])) == ["zero-shot", "xnli", "mnli@de"]
    assert [one.name for one in outcomes.of_answer(plan(), {"xnli": {"de": 50}}, ["squad"])] == ["zero-shot"]


def test_contrasts_average_what_is_in_percent():
    together, *alone = outcomes.of_contrast(plan(), ROWS, ["xnli", "xquad", "lm_loss"])
    assert (together.target, together.targets) == ("", ("xnli", "xquad"))
    assert [one.target for one in alone] == ["xnli", "xquad", "lm_loss"]
    assert [one.target for one in outcomes.of_contrast(plan(), ROWS, ["xnli", "lm_loss"])] == ["xnli", "lm_loss"]
    assert sum(term.weight for term in together.terms) == pytest.approx(1)


def test_contrasts_take_targets_in_percent_first():
    assert [one.target for one in outcomes.of_contrast(plan(), ROWS, ["lm_loss", "xnli"])] == ["xnli", "lm_loss"]


def test_contrasts_are_on_the_outcome_of_the_study_and_on_zero_shot_where_the_benchmark_has_no_such_target():
    found = outcomes.of_contrast(
        plan(answer=answer(outcome="benchmark")), ROWS, ["lm_loss", "mnli@de", "xnli", "lareqa"]
    )
    assert [(one.name, one.target) for one in found] == [
        ("benchmark", ""), ("benchmark", "xnli"), ("benchmark", "lareqa"),
        ("zero-shot", "mnli@de"), ("zero-shot", "lm_loss"),
    ]  # fmt: skip
    assert found[0] == outcomes.of_claim(plan(answer=answer(outcome="benchmark")), {
        name: ROWS[name] for name in ("xnli", "lareqa")
    }, "", "")  # fmt: skip
    both = outcomes.of_contrast(plan(answer=answer(outcome="benchmark"), benchmark=Benchmark("b", "B", "", {})),
                                ROWS, ["xnli", "lareqa"])  # fmt: skip
    assert [(one.name, one.target) for one in both] == [("zero-shot", name) for name in ("", "xnli", "lareqa")]
