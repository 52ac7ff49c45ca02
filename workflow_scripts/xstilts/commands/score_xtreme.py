"""Score the predictions of any system in XTREME's layout against labels in the same layout."""

import argparse
import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from itertools import groupby
from pathlib import Path
from typing import Any

import pandas as pd

from xstilts.errors import UserError
from xstilts.evaluation import benchmarks, xtreme_format
from xstilts.forms import FORMS
from xstilts.planning import registry
from xstilts.store.files import write_atomically


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's arguments."""
    parser.add_argument("--predictions", type=Path, required=True, help="folder with a folder for each task")
    parser.add_argument("--labels", type=Path, required=True, help="the same, with the right answers")
    parser.add_argument("--benchmark", choices=sorted(registry.load().benchmarks), required=True)
    parser.add_argument("--json", type=Path, help="file for the scores in full precision")


def run(arguments: argparse.Namespace) -> None:
    """Run the command."""
    benchmark = registry.load().benchmarks[arguments.benchmark]
    for side in ("predictions", "labels"):
        if not getattr(arguments, side).is_dir():
            raise UserError(f"--{side}: no such folder: {getattr(arguments, side)}")
    scores, missing = _scores(arguments.predictions, arguments.labels, benchmark)
    result = report(scores, benchmark)
    lines = [*_table(result, benchmark), "", *_sums(result, benchmark["title"], missing), *_without_layout(benchmark)]
    sys.stdout.write("\n".join(lines) + "\n")
    if arguments.json is not None:
        content = {"benchmark": arguments.benchmark, **result, "missing_files": missing}
        write_atomically(arguments.json, json.dumps(content, indent=1) + "\n")


def _scores(predictions: Path, labels: Path, benchmark: Mapping[str, Any]) -> tuple[pd.DataFrame, list[str]]:
    """Return the table of scores, and the files that are missing."""
    rows, missing = [], []
    for name, entry in benchmark["tasks"].items():
        task = registry.load().task(name, "benchmark")
        if FORMS[task.form].xtreme is None:
            continue
        for language in entry["languages"]:
            place = Path(entry["layout"]) / xtreme_format.file_name(task.form, language)
            absent = [str(folder / place) for folder in (predictions, labels) if not (folder / place).is_file()]
            missing += absent
            if not absent:
                pairs = xtreme_format.read_pairs(task, predictions / place, labels / place)
                rows += [
                    {"task": name, "language": language, "metric": metric, "score": value, "n": len(pairs)}
                    for metric, value in xtreme_format.score(task, pairs, language).items()
                ]
    if not (rows or missing):
        raise UserError("nothing to score: no task of the benchmark is of a form with a layout of files in XTREME")
    if not rows:
        raise UserError(f"nothing to score: of {len(missing)} files none is there, such as {missing[0]}")
    return pd.DataFrame(rows), missing


def _without_layout(benchmark: Mapping[str, Any]) -> Iterator[str]:
    """Yield a line for each task whose form has no layout of files."""
    for name in benchmark["tasks"]:
        form = registry.load().task(name, "benchmark").form
        if FORMS[form].xtreme is None:
            yield f"not scored: {name}: the form {form} has no layout of files in XTREME"


def report(scores: pd.DataFrame, benchmark: Mapping[str, Any]) -> dict[str, Any]:
    """Return all scores of a benchmark in percent, as JSON has them; see ``benchmarks.py`` for the formulas.

    Args:
        scores: the table of ``benchmarks.py``.
        benchmark: the benchmark's entry in the registry.
    """
    found, gaps = benchmarks.task_scores(scores, benchmark), benchmarks.transfer_gaps(scores, benchmark)
    tasks = {}
    for task, entry in found.items():
        languages: dict[str, dict[str, float]] = {}
        for row in scores[scores["task"] == task].to_dict("records"):
            languages.setdefault(row["language"], {"n": row["n"]})[row["metric"]] = row["score"]
        tasks[task] = {**asdict(entry), "transfer_gap": gaps[task], "languages": languages}
    return {
        "overall": _entry(benchmarks.overall(scores, benchmark)),
        "without_english": _entry(benchmarks.without_english(scores, benchmark)),
        "without_retrieval": _entry(benchmarks.without_retrieval(scores, benchmark)),
        "groups": {group: _entry(score) for group, score in benchmarks.by_group(scores, benchmark).items()},
        "tasks": tasks,
    }


def _entry(score: benchmarks.BenchmarkScore) -> dict[str, Any]:
    return {**asdict(score), "complete": score.complete}


def _table(result: Mapping[str, Any], benchmark: Mapping[str, Any]) -> Iterator[str]:
    """Yield the lines of a table: languages by tasks; of several metrics their mean."""
    tasks = result["tasks"]
    rows = [["", *tasks]]
    for language in sorted({language for entry in tasks.values() for language in entry["languages"]}):
        cells = [
            _number(_mean(entry["languages"].get(language), benchmark["tasks"][task]["metrics"]))
            for task, entry in tasks.items()
        ]
        rows.append([language, *cells])
    rows.append(["mean", *(_number(entry["score"]) for entry in tasks.values())])
    rows.append(["transfer gap", *(_number(entry["transfer_gap"]) for entry in tasks.values())])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for first, *cells in rows:
        yield "  ".join([first.ljust(widths[0]), *map(str.rjust, cells, widths[1:])])


def _mean(cell: Mapping[str, float] | None, metrics: list[str]) -> float | None:
    return sum(cell[metric] for metric in metrics) / len(metrics) if cell is not None else None


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.1f}"


def _sums(result: Mapping[str, Any], title: str, missing: list[str]) -> Iterator[str]:
    """Yield a line for each mean over tasks, and the files that are missing."""
    means = {"overall": result["overall"], "without English": result["without_english"]}
    means |= {"without retrieval": result["without_retrieval"], **result["groups"]}
    for name, score in means.items():
        what = name.replace("_", " ")
        mark = "" if score["complete"] else f" (incomplete: {', '.join(score['missing'])})"
        yield f"{title}, {what}: {_number(score['score'])} over {len(score['tasks'])} tasks{mark}"
    for folder, files in groupby(sorted(map(Path, missing)), key=lambda file: file.parent):
        yield f"missing in {folder}, scored nowhere: {', '.join(file.name for file in files)}"
