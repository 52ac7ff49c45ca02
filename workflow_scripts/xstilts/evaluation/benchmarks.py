"""Scores of a benchmark, from the scores of its tasks by language: pure functions of a table.

The table has one row for each task, language and metric of one model: ``task``, ``language``, ``metric``, ``score``
(in percent) and ``n``, the number of examples. With L the languages of a task, M its metrics and T the tasks:

    task score     S(t) = mean over m in M of  mean over l in L of  score(t, l, m)
    benchmark      B    = mean over t in T of  S(t)
    transfer gap   G(t) = S(t) in English - S(t) without English

S and B are those of XTREME's ``evaluate.py`` (google-research/xtreme; Hu et al. 2020, section 4): English is one of the
languages, and the score of a question-answering task is half its mean F1 and half its mean exact match. G is the
cross-lingual transfer gap of the same paper.

``evaluate.py`` cannot compute B for XTREME-R: its table has no languages for LAReQA, and it makes no task score of
Mewsli-X's ``map@20``. Here LAReQA's score is the mean of AP@20 over the questions of all languages together, as
``mean_avg_prec_at_k`` (third_party/utils_lareqa.py) has it, so that each language weighs as many questions as it has;
Mewsli-X's is the mean over its languages, as ``evaluate_all`` (third_party/utils_mewslix.py) has it; and B is the mean
over all ten tasks, as Ruder et al. (2021) report it.

What is missing never counts as zero: a mean is over what is there, and what is not is named beside it.
"""

import math
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

import pandas as pd

from xstilts.references import SOURCE_LANGUAGE, parse_reference
from xstilts.store.study_plan import Benchmark, BenchmarkTask

RETRIEVAL = "retrieval"


@dataclass(frozen=True)
class TaskScore:
    """The score of a task in percent, the means of its metrics, and the languages that have no scores."""

    score: float
    metrics: Mapping[str, float]
    missing: tuple[str, ...]


@dataclass(frozen=True)
class BenchmarkScore:
    """A mean over tasks in percent (None without any), the tasks in it, and by task the languages that are missing."""

    score: float | None
    tasks: tuple[str, ...]
    missing: Mapping[str, tuple[str, ...]]

    @property
    def complete(self) -> bool:
        """Whether every task is there in every language; only then is the score the benchmark's own."""
        return not self.missing


def task_scores(
    scores: pd.DataFrame, benchmark: Benchmark, languages: Collection[str] | None = None
) -> dict[str, TaskScore]:
    """Return the score of every task of the benchmark that has scores; see the formula S above.

    Args:
        scores: the table; rows of other tasks, languages and metrics do not matter.
        benchmark: the benchmark.
        languages: count these languages only; by default all of the task.

    Raises:
        ValueError: if a task has two scores by one metric in one language.
    """
    columns = ["task", "metric", "language", "score", "n"]
    table = {tuple(key): (score, n) for *key, score, n in scores[columns].itertuples(index=False)}
    if len(table) < len(scores):
        raise ValueError("a task has two scores by one metric in one language; give the rows of one model")
    found = {}
    for task, entry in benchmark.tasks.items():
        counted = _counted_languages(entry, languages)
        there = [language for language in counted if all((task, metric, language) in table for metric in entry.metrics)]
        if there:
            means = {
                metric: _mean([table[task, metric, language] for language in there], entry.pooled)
                for metric in entry.metrics
            }
            missing = tuple(language for language in counted if language not in there)
            found[task] = TaskScore(math.fsum(means.values()) / len(means), means, missing)
    return found


def overall(
    scores: pd.DataFrame,
    benchmark: Benchmark,
    leave_out: Collection[str] = (),
    languages: Collection[str] | None = None,
) -> BenchmarkScore:
    """Return the mean over the tasks; see the formula B above.

    Args:
        scores: the table.
        benchmark: the benchmark.
        leave_out: tasks that do not count.
        languages: count these languages only; by default all of each task. Tasks that have none of them do not count.
    """
    found = task_scores(scores, benchmark, languages)
    missing, tasks = {}, []
    for task, entry in benchmark.tasks.items():
        counted = _counted_languages(entry, languages)
        if task in leave_out or not counted:
            continue
        if task in found:
            tasks.append(task)
        absent = found[task].missing if task in found else tuple(counted)
        if absent:
            missing[task] = absent
    mean = math.fsum(found[task].score for task in tasks) / len(tasks) if tasks else None
    return BenchmarkScore(mean, tuple(tasks), missing)


def without_english(scores: pd.DataFrame, benchmark: Benchmark) -> BenchmarkScore:
    """Return the mean over the tasks of their scores in all languages but English: the zero-shot mean."""
    return overall(scores, benchmark, languages=_others(benchmark))


def without_retrieval(scores: pd.DataFrame, benchmark: Benchmark) -> BenchmarkScore:
    """Return the mean over the tasks that are not sentence or entity retrieval."""
    return overall(scores, benchmark, leave_out=tasks_of(benchmark, RETRIEVAL))


def by_group(scores: pd.DataFrame, benchmark: Benchmark) -> dict[str, BenchmarkScore]:
    """Return the mean over the tasks of each group."""
    groups = dict.fromkeys(entry.group for entry in benchmark.tasks.values())
    everything = set(benchmark.tasks)
    return {
        group: overall(scores, benchmark, leave_out=everything - set(tasks_of(benchmark, group))) for group in groups
    }


def without_same_data(scores: pd.DataFrame, benchmark: Benchmark, intermediates: Collection[str]) -> BenchmarkScore:
    """Return the mean over the tasks whose training data none of the intermediate tasks is, contains or resembles.

    Args:
        scores: the table.
        benchmark: the benchmark.
        intermediates: the mixture's tasks, as references; ``mnli@de`` is the data of ``mnli``.
    """
    return overall(scores, benchmark, leave_out=same_data(benchmark, intermediates))


def same_data(benchmark: Benchmark, intermediates: Collection[str]) -> list[str]:
    """Return the tasks of the benchmark that share data with one of the intermediate tasks."""
    return [task for task, entry in benchmark.tasks.items() if shares_data(intermediates, task, entry.same_data)]


def shares_data(intermediates: Iterable[str], task: str, same_data: Iterable[str]) -> bool:
    """Tell whether one of the intermediate tasks is a task, or shares data with it.

    Args:
        intermediates: as references.
        task: the task.
        same_data: the intermediate tasks that share data with it.
    """
    names = {parse_reference(reference)[0] for reference in intermediates}
    return not names.isdisjoint({task, *same_data})


def tasks_of(benchmark: Benchmark, group: str) -> list[str]:
    """Return the tasks of a group."""
    return [task for task, entry in benchmark.tasks.items() if entry.group == group]


def transfer_gaps(scores: pd.DataFrame, benchmark: Benchmark) -> dict[str, float | None]:
    """Return for each task the score in English minus that in the other languages together; see the formula G above.

    None where the task has no English test, or no scores in English, or none in another language.
    """
    english = task_scores(scores, benchmark, [SOURCE_LANGUAGE])
    others = task_scores(scores, benchmark, _others(benchmark))
    return {
        task: english[task].score - others[task].score if entry.english and task in english and task in others else None
        for task, entry in benchmark.tasks.items()
    }


def _others(benchmark: Benchmark) -> set[str]:
    languages = {language for entry in benchmark.tasks.values() for language in entry.languages}
    return languages - {SOURCE_LANGUAGE}


def _counted_languages(entry: BenchmarkTask, languages: Collection[str] | None) -> list[str]:
    return [language for language in entry.languages if languages is None or language in languages]


def _mean(cells: Sequence[tuple[float, int]], pooled: bool) -> float:
    """Return the mean over languages or, pooled, over the examples of all languages; cells are score and number."""
    counts = [count if pooled else 1 for _, count in cells]
    return math.fsum(score * count for (score, _), count in zip(cells, counts, strict=True)) / sum(counts)
