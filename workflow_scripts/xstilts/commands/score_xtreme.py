"""Score the predictions of any system in XTREME's layout against labels in the same layout."""

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd

from xstilts.errors import UserError
from xstilts.evaluation import xtreme_format
from xstilts.forms import FORMS
from xstilts.planning import registry
from xstilts.reporting import benchmark_report
from xstilts.store.files import write_atomically
from xstilts.store.study_plan import Benchmark


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's arguments."""
    parser.add_argument("--predictions", type=Path, required=True, help="folder with a folder for each task")
    parser.add_argument("--labels", type=Path, required=True, help="the same, with the gold answers")
    parser.add_argument("--benchmark", choices=sorted(registry.load().benchmarks), required=True)
    parser.add_argument("--json", type=Path, help="file for the scores in full precision")


def run(arguments: argparse.Namespace) -> None:
    """Run the command."""
    tasks = registry.load()
    benchmark = tasks.benchmarks[arguments.benchmark]
    for side in ("predictions", "labels"):
        if not getattr(arguments, side).is_dir():
            raise UserError(f"--{side}: no such folder: {getattr(arguments, side)}")
    scores, missing = _scores(arguments.predictions, arguments.labels, benchmark, tasks)
    result = benchmark_report.report(scores, benchmark)
    sys.stdout.write(benchmark_report.text(result, benchmark, missing))
    sys.stdout.write("".join(f"{line}\n" for line in _without_layout(benchmark, tasks)))
    if arguments.json is not None:
        content = {"benchmark": arguments.benchmark, **result, "missing_files": missing}
        write_atomically(arguments.json, json.dumps(content, indent=1) + "\n")


def _scores(
    predictions: Path, labels: Path, benchmark: Benchmark, tasks: registry.Registry
) -> tuple[pd.DataFrame, list[str]]:
    """Return the table of scores, and the files that are missing."""
    rows: list[dict[str, Any]] = []
    missing: list[str] = []
    for name, entry in benchmark.tasks.items():
        task = tasks.task(name, "benchmark")
        if FORMS[task.form].xtreme is None:
            continue
        for language in entry.languages:
            file = Path(entry.layout) / xtreme_format.file_name(task.form, language)
            absent = [str(folder / file) for folder in (predictions, labels) if not (folder / file).is_file()]
            missing += absent
            if not absent:
                pairs = xtreme_format.read_pairs(task, predictions / file, labels / file)
                scores = xtreme_format.score(task, pairs, language)
                common = {"task": name, "language": language, "n": len(pairs)}
                rows += [{**common, "metric": metric, "score": score} for metric, score in scores.items()]
    if not (rows or missing):
        raise UserError("nothing to score: no task of the benchmark is of a form with a layout of files in XTREME")
    if not rows:
        raise UserError(f"nothing to score: of {len(missing)} files none is there, such as {missing[0]}")
    return pd.DataFrame(rows), missing


def _without_layout(benchmark: Benchmark, tasks: registry.Registry) -> Iterator[str]:
    """Yield a line for each task whose form has no layout of files."""
    for name in benchmark.tasks:
        form = tasks.task(name, "benchmark").form
        if FORMS[form].xtreme is None:
            yield f"not scored: {name}: the form {form} has no layout of files in XTREME"
