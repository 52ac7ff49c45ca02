"""All scores of a benchmark for one model, as JSON and as text; see ``evaluation/benchmarks.py`` for the formulas."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

import pandas as pd

from xstilts.errors import counted
from xstilts.evaluation import benchmarks
from xstilts.evaluation.table import records
from xstilts.reporting import layout
from xstilts.store.study_plan import Benchmark


def report(scores: pd.DataFrame, benchmark: Benchmark) -> dict[str, Any]:
    """Return all scores of a benchmark in percent, as JSON has them.

    Args:
        scores: the table of ``benchmarks.py``.
        benchmark: the benchmark.
    """
    gaps = benchmarks.transfer_gaps(scores, benchmark)
    tasks = {
        task: {**asdict(score), "transfer_gap": gaps[task], "languages": _languages(scores[scores["task"] == task])}
        for task, score in benchmarks.task_scores(scores, benchmark).items()
    }
    return {
        "overall": _with_complete(benchmarks.overall(scores, benchmark)),
        "without_english": _with_complete(benchmarks.without_english(scores, benchmark)),
        "without_retrieval": _with_complete(benchmarks.without_retrieval(scores, benchmark)),
        "groups": {name: _with_complete(score) for name, score in benchmarks.by_group(scores, benchmark).items()},
        "tasks": tasks,
    }


def _languages(scores: pd.DataFrame) -> dict[str, dict[str, float]]:
    """Return by language the number of examples and the score by metric."""
    languages: dict[str, dict[str, float]] = {}
    for row in records(scores):
        languages.setdefault(row["language"], {"n": row["n"]})[row["metric"]] = row["score"]
    return languages


def _with_complete(score: benchmarks.BenchmarkScore) -> dict[str, Any]:
    return {**asdict(score), "complete": score.complete}


def text(result: Mapping[str, Any], benchmark: Benchmark) -> str:
    """Return a report as text: a table of languages by tasks, and the means over tasks.

    Args:
        result: as ``report`` gives it.
        benchmark: the benchmark.
    """
    lines = [*_table(result["tasks"], benchmark), "", *_means(result, benchmark.title)]
    return "\n".join(lines) + "\n"


def _table(tasks: Mapping[str, Any], benchmark: Benchmark) -> list[str]:
    """Return the lines of the table; of several metrics their mean."""
    rows = []
    for language in sorted({language for scores in tasks.values() for language in scores["languages"]}):
        cells = [
            _number(_mean(scores["languages"].get(language), benchmark.tasks[task].metrics))
            for task, scores in tasks.items()
        ]
        rows.append([language, *cells])
    rows.append(["mean", *(_number(scores["score"]) for scores in tasks.values())])
    rows.append(["transfer gap", *(_number(scores["transfer_gap"]) for scores in tasks.values())])
    return layout.columns((["", *tasks], rows), left=1)


def _mean(scores: Mapping[str, float] | None, metrics: Sequence[str]) -> float | None:
    return None if scores is None else sum(scores[metric] for metric in metrics) / len(metrics)


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.1f}"


def _means(result: Mapping[str, Any], title: str) -> list[str]:
    """Return a line for each mean over tasks."""
    means = {name: result[name] for name in ("overall", "without_english", "without_retrieval")} | result["groups"]
    lines = []
    for name, score in means.items():
        what = name.replace("_", " ").replace("english", "English")
        mark = "" if score["complete"] else f" (incomplete: {', '.join(score['missing'])})"
        lines.append(f"{title}, {what}: {_number(score['score'])} over {counted(len(score['tasks']), 'task')}{mark}")
    return lines
