"""Score the predictions of any system in XTREME's layout against labels in the same layout."""

import argparse
import json
import sys
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from xstilts.commands import benchmark_name
from xstilts.errors import UserError, counted
from xstilts.evaluation import xtreme_format
from xstilts.forms import FORMS
from xstilts.planning import registry
from xstilts.planning.settings import local
from xstilts.reporting import benchmark_report
from xstilts.store.files import write_atomically
from xstilts.store.study_plan import Benchmark

# missing files of a folder that a line names
_NAMED = 5


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's arguments."""
    parser.add_argument("--predictions", type=Path, required=True, help="folder with a folder for each task")
    parser.add_argument("--labels", type=Path, required=True, help="the same, with the gold answers")
    parser.add_argument("--benchmark", type=benchmark_name, required=True, help="benchmark of the registry")
    parser.add_argument("--strict", action="store_true", help="fail where anything is missing, unread or in doubt")
    parser.add_argument("--json", type=Path, help="file for the scores in full precision")


def run(arguments: argparse.Namespace) -> None:
    """Run the command."""
    # files of any system are scored anywhere: a registry of one's own is that of a folder with a config.yaml
    tasks = registry.load(local().registries if Path("config.yaml").exists() else ())
    registry.check_known(arguments.benchmark, tasks.benchmarks, "--benchmark", "benchmark")
    benchmark = tasks.benchmarks[arguments.benchmark]
    for side in ("predictions", "labels"):
        if not getattr(arguments, side).is_dir():
            raise UserError(f"--{side}: no such folder: {getattr(arguments, side)}")
    found = _scores(arguments.predictions, arguments.labels, benchmark, tasks)
    result = benchmark_report.report(found.scores, benchmark)
    remarks = [*found.doubts, *found.unread, *_without_layout(benchmark, tasks)]
    sys.stdout.write(benchmark_report.text(result, benchmark))
    sys.stdout.write("".join(f"{line}\n" for line in [*remarks, *found.missing_lines]))
    if arguments.json is not None:
        content = {"benchmark": arguments.benchmark, **result, "missing_files": found.missing, "remarks": remarks}
        write_atomically(arguments.json, json.dumps(content, indent=1) + "\n")
    if arguments.strict and (found.missing or remarks):
        first = f"missing: {found.missing[0]}" if found.missing else remarks[0]
        counts = f"{counted(len(found.missing), 'missing file')}, {counted(len(remarks), 'remark')}"
        raise UserError(f"--strict: {counts}; first, {first}")


@dataclass(frozen=True)
class _Scored:
    """The table of scores, the files that are missing and lines on them, and on files not read or hard to believe."""

    scores: pd.DataFrame
    missing: list[str]
    missing_lines: list[str]
    unread: list[str]
    doubts: list[str]


def _scores(predictions: Path, labels: Path, benchmark: Benchmark, tasks: registry.Registry) -> _Scored:
    rows: list[dict[str, Any]] = []
    missing: list[str] = []
    doubts: list[str] = []
    files: dict[str, set[str]] = {}
    for name, entry in benchmark.tasks.items():
        task = tasks.task(name, "benchmark")
        if FORMS[task.form].xtreme is None:
            continue
        for language in entry.languages:
            file = Path(entry.layout) / xtreme_format.file_name(task.form, language)
            files.setdefault(entry.layout, set()).add(file.name)
            absent = [str(folder / file) for folder in (predictions, labels) if not (folder / file).is_file()]
            missing += absent
            if not absent:
                pairs = xtreme_format.read_pairs(task, predictions / file, labels / file)
                scores = xtreme_format.score(task, pairs, language)
                common = {"task": name, "language": language, "n": len(pairs)}
                rows += [{**common, "metric": metric, "score": score} for metric, score in scores.items()]
                if (doubt := xtreme_format.doubt(task, pairs)) is not None:
                    doubts.append(f"{predictions / file}: {doubt}")
    unread = [line for folder in (predictions, labels) for line in _unread(folder, files, benchmark.title)]
    if not (rows or missing):
        raise UserError("nothing to score: no task of the benchmark is of a form with a layout of files in XTREME")
    if not rows:
        others = f"; {unread[0]}" if unread else ""
        count = counted(len(missing), "file")
        raise UserError(f"nothing to score: of {count} none is there, such as {missing[0]}{others}")
    missing_lines = [line for layout, names in files.items() for line in _missing(predictions, labels, layout, names)]
    return _Scored(pd.DataFrame(rows), missing, missing_lines, unread, doubts)


def _missing(predictions: Path, labels: Path, layout: str, names: Collection[str]) -> Iterator[str]:
    """Yield a line for the folder of a task of which a side has no file, else one for each side that lacks some."""
    absent = {
        folder: [name for name in sorted(names) if not (folder / layout / name).is_file()]
        for folder in (predictions, labels)
    }
    if empty := [folder.name for folder, lacking in absent.items() if len(lacking) == len(names)]:
        yield f"missing: {layout}, scored nowhere: no file in {' and '.join(empty)}"
        return
    for folder, lacking in absent.items():
        if lacking:
            more = f" and {len(lacking) - _NAMED} more" if len(lacking) > _NAMED else ""
            yield f"missing in {folder / layout}, scored nowhere: {', '.join(lacking[:_NAMED])}{more}"


def _unread(folder: Path, files: Mapping[str, Collection[str]], title: str) -> Iterator[str]:
    """Yield a line for each folder that no task of the benchmark has, and for the files of a task that none reads."""
    for path in sorted(folder.iterdir()):
        if path.name not in files or not path.is_dir():
            yield f"not read: {path}: no folder of a task of {title}"
        elif others := sorted({file.name for file in path.iterdir()} - set(files[path.name])):
            yield f"not read in {path}, which has no such language or ending: {', '.join(others)}"


def _without_layout(benchmark: Benchmark, tasks: registry.Registry) -> Iterator[str]:
    """Yield a line for each task whose form has no layout of files."""
    for name in benchmark.tasks:
        form = tasks.task(name, "benchmark").form
        if FORMS[form].xtreme is None:
            yield f"not scored: {name}: the form {form} has no layout of files in XTREME"
