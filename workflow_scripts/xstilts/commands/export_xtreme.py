"""Write the predictions of one model of a study in XTREME's layout, and the gold answers in the same layout."""

import argparse
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

from xstilts.commands import benchmark_name, configured_plan, read_plan
from xstilts.errors import UserError
from xstilts.evaluation.xtreme_export import Export
from xstilts.forms import FORMS
from xstilts.planning import registry
from xstilts.planning.settings import local
from xstilts.references import SOURCE_LANGUAGE
from xstilts.store.study_plan import AXES, WORLD, BenchmarkTask, PlannedTarget, StudyPlan, select_cells

# what chooses one model of a study: a method is its recipe's, and all of its targets are exported
_CHOSEN_BY = [axis for axis in AXES if axis not in ("method", "target")]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's arguments."""
    parser.add_argument("--plan", type=Path, help="plan.json of another study than the configured one")
    for axis in _CHOSEN_BY:
        parser.add_argument(f"--{axis}", required=True, help=f"{axis} of the study")
    parser.add_argument("--world", help="world of the study, where it has several")
    parser.add_argument("--output", type=Path, required=True, help="folder for the predictions")
    parser.add_argument("--labels", type=Path, help="folder for the gold answers")
    parser.add_argument(
        "--benchmark",
        type=benchmark_name,
        help="its tasks and languages, in place of those of the study's own benchmark",
    )


def run(arguments: argparse.Namespace) -> None:
    """Run the command."""
    plan, results, _ = read_plan(arguments.plan or configured_plan())
    tasks = registry.load(local().registries)
    name = arguments.benchmark or (plan.benchmark.name if plan.benchmark is not None else None)
    if name is not None:
        registry.check_known(name, tasks.benchmarks, "--benchmark", "benchmark")
    entries = {
        task: entry
        for benchmark in ([name] if name is not None else sorted(tasks.benchmarks))
        for task, entry in tasks.benchmarks[benchmark].tasks.items()
    }
    nodes = _nodes(plan, arguments)
    lines: list[str] = []
    exported: list[str] = []
    unknown: list[str] = []
    for target in _chosen(nodes, plan.targets, entries):
        task = tasks.tasks[plan.targets[target].task]
        if FORMS[task.form].xtreme is None:
            lines.append(f"not exported: {target}: the form {task.form} has no layout of files in XTREME")
            unknown.append(target)
            continue
        entry = entries[task.name]
        export = Export(
            task.name,
            task,
            plan,
            results,
            node=nodes[target],
            languages=entry.languages if name is not None else task.languages,
            official_rows=entry.rows,
            predictions=arguments.output / entry.layout,
            labels=arguments.labels and arguments.labels / entry.layout,
        )
        lines += export.write()
        exported.append(target)
    lines += [
        f"not exported: {target}: no task of a benchmark that is trained on English"
        for target in nodes
        if target not in (*exported, *unknown)
    ]
    if name is not None:
        present = {plan.targets[target].task for target in exported}
        lines += [f"missing: {task} is no target of study {plan.study}" for task in entries if task not in present]
    sys.stdout.write("".join(f"{line}\n" for line in lines))


def _nodes(plan: StudyPlan, arguments: argparse.Namespace) -> dict[str, str]:
    """Return by target the node with the predictions of the model asked for.

    Raises:
        UserError: if the study has no such model, or one in each of several worlds and none is chosen.
    """
    if plan.worlds and arguments.world is None:
        raise UserError(f"--world: study {plan.study} has the worlds {', '.join(map(str, plan.worlds))}; choose one")
    chosen_by = (*_CHOSEN_BY, WORLD)
    cells = select_cells(plan.cells, plan.study, **{axis: getattr(arguments, axis) for axis in chosen_by})
    return {cell.target: cell.node for cell in cells}


def _chosen(
    nodes: Iterable[str], targets: Mapping[str, PlannedTarget], entries: Mapping[str, BenchmarkTask]
) -> list[str]:
    """Return the targets that are tasks of a benchmark, whose models are trained on English.

    Raises:
        UserError: if two of them have the same folder.
    """
    folders: dict[str, str] = {}
    for target in nodes:
        task, language = targets[target].task, targets[target].language
        if task in entries and language == SOURCE_LANGUAGE:
            folder = entries[task].layout
            if folder in folders:
                raise UserError(
                    f"{folders[folder]} and {target} both go to the folder {folder}; choose with --benchmark"
                )
            folders[folder] = target
    return list(folders.values())
