"""Write the predictions of one model of a study in XTREME's layout, and the right answers in the same layout."""

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from xstilts.commands import read_plan
from xstilts.errors import UserError, suggestion
from xstilts.evaluation import xtreme_format
from xstilts.evaluation.predictions import FILE
from xstilts.forms import FORMS
from xstilts.planning import registry
from xstilts.planning.registry import Task
from xstilts.planning.settings import local, plan_of
from xstilts.references import SOURCE_LANGUAGE
from xstilts.store import manifest
from xstilts.store.files import write_atomically
from xstilts.store.manifest import EvaluationResults, path_of

_AXES = ("model", "recipe", "mixture", "seed")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's arguments."""
    parser.add_argument("--plan", type=Path, help="plan.json of another study than the configured one")
    for axis in _AXES:
        parser.add_argument(f"--{axis}", required=True, help=f"{axis} of the study")
    parser.add_argument("--output", type=Path, required=True, help="folder for the predictions")
    parser.add_argument("--labels", type=Path, help="folder for the right answers")
    parser.add_argument("--benchmark", help="its tasks and languages, in place of those of the study's own benchmark")


def run(arguments: argparse.Namespace) -> None:
    """Run the command."""
    plan, results, _ = read_plan(arguments.plan or _configured())
    known = registry.load()
    name = arguments.benchmark or (plan.get("benchmark") or {}).get("name")
    if name is not None and name not in known.benchmarks:
        raise UserError(f"--benchmark: unknown benchmark {name!r}; {suggestion(name, known.benchmarks)}")
    entries, nodes, targets = _entries(known, name), _nodes(plan, arguments), plan["targets"]
    chosen = [target for target in nodes if _belongs(targets[target], entries)]
    without_layout = [target for target in chosen if FORMS[targets[target]["form"]].xtreme is None]
    chosen = [target for target in chosen if target not in without_layout]
    _refuse_collisions(chosen, targets, entries)
    lines = [
        f"not exported: {target}: the form {targets[target]['form']} has no layout of files in XTREME"
        for target in without_layout
    ]
    for target in chosen:
        task = known.tasks[targets[target]["task"]]
        asked = entries[task.name]["languages"] if name is not None else task.languages
        lines += _export(task, entries[task.name], results, nodes[target], asked, arguments)
    lines += [f"not exported: {target}" for target in nodes if target not in (*chosen, *without_layout)]
    if name is not None:
        there = [targets[target]["task"] for target in chosen]
        lines += [f"missing: {task} is no target of study {plan['study']}" for task in entries if task not in there]
    sys.stdout.write("".join(f"{line}\n" for line in lines))


def _configured() -> Path:
    settings = local()
    return settings.results / plan_of(settings).folder / "plan.json"


def _entries(known: registry.Registry, name: str | None) -> dict[str, Mapping[str, Any]]:
    """Return the entries of a benchmark's tasks, or of the tasks of all benchmarks."""
    names = [name] if name is not None else sorted(known.benchmarks)
    return {task: entry for name in names for task, entry in known.benchmarks[name]["tasks"].items()}


def _nodes(plan: Mapping[str, Any], arguments: argparse.Namespace) -> dict[str, str]:
    """Return by target the node with the predictions of the model asked for."""
    cells = plan["cells"]
    for axis in _AXES:
        asked, there = getattr(arguments, axis), {str(cell[axis]) for cell in plan["cells"]}
        if asked not in there:
            raise UserError(f"--{axis}: {asked!r} is not in study {plan['study']}; {suggestion(asked, there)}")
        cells = [cell for cell in cells if str(cell[axis]) == asked]
    return {cell["target"]: cell["node"] for cell in cells}


def _belongs(target: Mapping[str, str], entries: Mapping[str, Any]) -> bool:
    """Tell whether a target is a task of a benchmark, whose models are trained on English."""
    return target["task"] in entries and target["language"] == SOURCE_LANGUAGE


def _refuse_collisions(chosen: Sequence[str], targets: Mapping[str, Any], entries: Mapping[str, Any]) -> None:
    folders: dict[str, str] = {}
    for target in chosen:
        folder = entries[targets[target]["task"]]["layout"]
        if folder in folders:
            raise UserError(f"{folders[folder]} and {target} both go to the folder {folder}; choose with --benchmark")
        folders[folder] = target


def _export(
    task: Task, entry: Mapping[str, Any], results: Path, node: str, asked: Sequence[str], arguments: argparse.Namespace
) -> list[str]:
    """Write the files of a task, and return what is to be said about them."""
    if not path_of(results, node).exists():
        return [f"missing: {task.name}: {path_of(results, node)} has not been made yet"]
    parts = manifest.results_of(results, node, EvaluationResults).splits
    frame = pd.read_parquet(results / node / FILE)
    sides = {"prediction": arguments.output, "gold": arguments.labels}
    for language, rows in frame.groupby("language", sort=False):
        for side, folder in sides.items():
            if folder is not None:
                pairs = zip(rows["example_id"], rows[side], strict=True)
                path = folder / entry["layout"] / xtreme_format.file_name(task.form, language)
                write_atomically(path, xtreme_format.text_of(task, pairs, side))
    lines = [f"{task.name}: {len(parts)} languages in {arguments.output / entry['layout']}"]
    other = [f"{language} ({part.split})" for language, part in parts.items() if not part.official]
    if other:
        lines.append(f"{task.name}: not the official split: {', '.join(other)}")
    sample = [language for language, part in parts.items() if part.sample]
    if sample:
        lines.append(f"{task.name}: a sample of the rows: {', '.join(sample)}")
    absent = [language for language in asked if language not in parts]
    if absent:
        lines.append(f"missing: {task.name}: {', '.join(absent)}")
    return lines
