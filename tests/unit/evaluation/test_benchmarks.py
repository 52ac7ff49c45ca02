"""Benchmarks: their tasks and languages, and how scores become one."""

import random

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from xstilts.evaluation import benchmarks
from xstilts.planning import registry
from xstilts.store.study_plan import Benchmark, BenchmarkTask

# Two tasks of a made-up benchmark: `read` is scored by two metrics, `find` in one pool of all languages.
TASKS = {
    "read": BenchmarkTask(
        languages=("en", "de", "fr"), metrics=("f1", "exact_match"), group="question_answering", layout="read",
        same_data=("squad_v1",),
    ),
    "find": BenchmarkTask(
        languages=("en", "de"), metrics=("mean_average_precision",), group="retrieval", layout="find", pooled=True
    ),
    "match": BenchmarkTask(
        languages=("de", "fr"), metrics=("accuracy",), group="retrieval", layout="match", english=False,
        same_data=("squad_v1", "mnli"),
    ),
}  # fmt: skip
BENCHMARK = Benchmark("made", "Made up", "", TASKS)
CELLS = {
    ("read", "en"): {"f1": 90, "exact_match": 80},
    ("read", "de"): {"f1": 60, "exact_match": 40},
    ("read", "fr"): {"f1": 75, "exact_match": 45},
    ("find", "en"): {"mean_average_precision": 100},
    ("find", "de"): {"mean_average_precision": 20},
    ("match", "de"): {"accuracy": 30},
    ("match", "fr"): {"accuracy": 50},
}
NUMBERS = {("find", "en"): 30, ("find", "de"): 10}


def table(*without: tuple[str, str]) -> pd.DataFrame:
    rows = [
        {
            "task": task, "language": language, "metric": metric, "score": float(score),
            "n": NUMBERS.get((task, language), 10),
        }
        for (task, language), cell in CELLS.items() if (task, language) not in without
        for metric, score in cell.items()
    ]  # fmt: skip
    return pd.DataFrame(rows)


@pytest.mark.parametrize(
    ("name", "languages"),
    [
        ("xtreme", {"xnli": 15, "pawsx": 7, "udpos": 33, "panx": 40, "xquad": 11, "mlqa": 7, "tydiqa": 9, "bucc": 4,
                    "tatoeba": 36}),
        ("xtreme_r", {"xnli": 15, "xcopa": 11, "udpos": 38, "panx": 48, "xquad": 12, "mlqa": 7, "tydiqa": 9,
                      "tatoeba_after_squad": 41, "mewslix": 11, "lareqa": 11}),
    ],
)  # fmt: skip
def test_tasks_and_numbers_of_languages(name, languages):
    tasks = registry.load().benchmarks[name].tasks
    assert {task: len(entry.languages) for task, entry in tasks.items()} == languages


def test_languages_of_each_benchmark():
    known = registry.load().benchmarks
    found = {
        name: {language for entry in known[name].tasks.values() for language in entry.languages}
        for name in ("xtreme", "xtreme_r")
    }
    first = (
        "af ar bg bn de el en es et eu fa fi fr he hi hu id it ja jv ka kk ko ml mr ms my nl pt ru sw ta te th tl tr"
    )
    forty = {*first.split(), "ur", "vi", "yo", "zh"}
    assert found["xtreme"] == forty
    assert found["xtreme_r"] == forty | {"az", "gu", "ht", "lt", "pa", "pl", "qu", "ro", "uk", "wo"}


def test_benchmarks_agree_with_the_tasks():
    known = registry.load()
    for name, benchmark in known.benchmarks.items():
        for task, entry in benchmark.tasks.items():
            assert set(entry.languages) <= set(known.tasks[task].languages), (name, task)
            assert entry.english == ("en" in entry.languages), (name, task)
            assert known.tasks[task].metric in entry.metrics, (name, task)
            assert set(entry.same_data) <= set(known.tasks), (name, task)
            assert set(entry.languages) <= set(known.languages), (name, task)


def test_task_scores_are_means_over_languages_and_metrics():
    found = benchmarks.task_scores(table(), BENCHMARK)
    # f1: (90 + 60 + 75) / 3 = 75; exact match: (80 + 40 + 45) / 3 = 55; the task: (75 + 55) / 2 = 65
    assert found["read"].metrics == {"f1": 75.0, "exact_match": 55.0}
    assert found["read"].score == 65.0
    assert found["match"].score == 40.0
    assert {task: entry.missing for task, entry in found.items()} == {"read": (), "find": (), "match": ()}


def test_a_pooled_task_weighs_questions_not_languages():
    # 30 English questions at 100 and 10 German ones at 20: (3000 + 200) / 40 = 80; the mean over languages were 60
    assert benchmarks.task_scores(table(), BENCHMARK)["find"].score == 80.0


def test_overall_and_what_is_left_out():
    # tasks: 65, 80, 40
    score = benchmarks.overall(table(), BENCHMARK)
    assert (score.score, score.complete, score.tasks) == (pytest.approx(185 / 3), True, ("read", "find", "match"))
    # without English: read (67.5 + 42.5) / 2 = 55, find 20, match 40
    assert benchmarks.without_english(table(), BENCHMARK).score == pytest.approx(115 / 3)
    assert benchmarks.without_english(table(), BENCHMARK).complete
    assert benchmarks.without_retrieval(table(), BENCHMARK).score == 65.0
    groups = benchmarks.by_group(table(), BENCHMARK)
    assert {group: entry.score for group, entry in groups.items()} == {"question_answering": 65.0, "retrieval": 60.0}


@pytest.mark.parametrize(
    ("intermediates", "left"),
    [
        ([], ("read", "find", "match")),
        (["qqp"], ("read", "find", "match")),
        (["mnli@de"], ("read", "find")),
        (["squad_v1"], ("find",)),
        (["find@fr"], ("read", "match")),
        (["squad_v1", "find"], ()),
    ],
)
def test_tasks_that_share_data_with_the_mixture_are_left_out(intermediates, left):
    score = benchmarks.without_same_data(table(), BENCHMARK, intermediates)
    assert score.tasks == left
    assert (score.score is None) == (not left)
    assert score.complete


def test_same_data_of_the_benchmarks():
    known = registry.load().benchmarks
    pairs = {
        "mnli": ["xnli"], "anli_plus": ["xnli"], "qqp": ["pawsx"], "squad_v1": ["xquad", "mlqa"], "hellaswag": [],
    }  # fmt: skip
    for intermediate, shared in pairs.items():
        assert benchmarks.same_data(known["xtreme"], [intermediate]) == shared
    assert benchmarks.same_data(known["xtreme_r"], ["squad_v1"]) == ["xquad", "mlqa", "tatoeba_after_squad", "lareqa"]
    assert benchmarks.same_data(known["xtreme_r"], ["siqa"]) == ["xcopa"]


def test_what_is_missing_is_named_and_counts_nowhere():
    scores = table(("read", "fr"), ("find", "en"), ("find", "de"))
    found = benchmarks.task_scores(scores, BENCHMARK)
    # f1 (90 + 60) / 2 = 75, exact match (80 + 40) / 2 = 60
    assert (found["read"].score, found["read"].missing) == (67.5, ("fr",))
    assert "find" not in found
    score = benchmarks.overall(scores, BENCHMARK)
    assert score.score == pytest.approx((67.5 + 40) / 2)
    assert score.tasks == ("read", "match")
    assert score.missing == {"read": ("fr",), "find": ("en", "de")}
    assert not score.complete


def test_a_language_needs_all_metrics():
    scores = table()
    scores = scores[~((scores["task"] == "read") & (scores["language"] == "de") & (scores["metric"] == "f1"))]
    found = benchmarks.task_scores(scores, BENCHMARK)["read"]
    # en and fr: f1 82.5, exact match 62.5
    assert (found.score, found.missing) == (72.5, ("de",))


def test_nothing_at_all_has_no_score():
    score = benchmarks.overall(table()[:0], BENCHMARK)
    assert (score.score, score.tasks, score.complete) == (None, (), False)


def test_transfer_gaps():
    # read: English (90 + 80) / 2 = 85, the others (67.5 + 42.5) / 2 = 55; find: 100 - 20; match has no English test
    assert benchmarks.transfer_gaps(table(), BENCHMARK) == {"read": 30.0, "find": 80.0, "match": None}
    assert benchmarks.transfer_gaps(table(("read", "en")), BENCHMARK)["read"] is None
    assert benchmarks.transfer_gaps(table(("find", "de")), BENCHMARK)["find"] is None


def test_rows_of_two_models_are_refused():
    with pytest.raises(ValueError, match="one model"):
        benchmarks.task_scores(pd.concat([table(), table()]), BENCHMARK)


def test_other_tasks_languages_and_metrics_do_not_matter():
    more = pd.DataFrame(
        [
            {"task": "other", "language": "en", "metric": "f1", "score": 1.0, "n": 1},
            {"task": "read", "language": "sw", "metric": "f1", "score": 1.0, "n": 1},
            {"task": "read", "language": "en", "metric": "accuracy", "score": 1.0, "n": 1},
        ]
    )
    assert benchmarks.overall(pd.concat([table(), more]), BENCHMARK) == benchmarks.overall(table(), BENCHMARK)


@given(st.integers(), st.floats(0, 100))
def test_order_does_not_matter_and_equal_scores_have_themselves_as_mean(seed, value):
    scores = table().assign(score=[random.Random(seed + row).uniform(0, 100) for row in range(len(table()))])
    shuffled = scores.sample(frac=1, random_state=abs(seed) % 2**32)
    assert benchmarks.overall(shuffled, BENCHMARK) == benchmarks.overall(scores, BENCHMARK)
    low, high = scores["score"].min(), scores["score"].max()
    assert low - 1e-9 <= benchmarks.overall(scores, BENCHMARK).score <= high + 1e-9
    assert benchmarks.overall(scores.assign(score=value), BENCHMARK).score == pytest.approx(value)


def test_xtreme_r_has_an_overall_score_with_lareqa_in_it():
    benchmark = registry.load().benchmarks["xtreme_r"]
    rows = [
        {"task": task, "language": language, "metric": metric, "score": 50.0, "n": 10}
        for task, entry in benchmark.tasks.items() for language in entry.languages for metric in entry.metrics
    ]  # fmt: skip
    scores = pd.DataFrame(rows)
    lareqa = scores["task"] == "lareqa"
    scores.loc[lareqa, "score"] = 100.0
    scores.loc[lareqa & (scores["language"] == "en"), ["score", "n"]] = [0.0, 100]
    score = benchmarks.overall(scores, benchmark)
    # LAReQA: 10 languages of 10 questions at 100, English with 100 questions at 0: 50; so every task has 50
    assert (score.score, score.complete, len(score.tasks)) == (50.0, True, 10)
