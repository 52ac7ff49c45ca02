"""Print what a study can find before it is run: detectable differences and GPU-hours by number of runs."""

import argparse
import json
import math
import sys
from collections.abc import Sequence
from pathlib import Path

from xstilts.errors import UserError
from xstilts.evaluation import pilots
from xstilts.evaluation.comparisons import Comparison, comparisons, needed
from xstilts.evaluation.planned_examples import planned_examples
from xstilts.evaluation.prospects import prospects
from xstilts.planning import feasibility, gpu_types, hours, registry
from xstilts.planning.gpu_types import GPU_TYPES, MEASURED
from xstilts.planning.hours import Hours, StudyHours
from xstilts.planning.registry import Registry
from xstilts.planning.settings import Settings, local
from xstilts.planning.study import Study, read_study
from xstilts.planning.unindexed import plan_unindexed
from xstilts.reporting import power_report
from xstilts.reporting.power_report import PowerReport, ReportedHours
from xstilts.store import study_plan
from xstilts.store.study_plan import Cell, StudyPlan

_RUNS = (3, 5, 8, 10)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's arguments."""
    parser.add_argument("study", type=Path, nargs="?", default=None, help="a study file; by default the configured one")
    variance = parser.add_mutually_exclusive_group(required=True)
    variance.add_argument(
        "--pilot",
        type=Path,
        nargs="+",
        action="extend",
        metavar="FOLDER",
        help="outputs of earlier studies, results/studies/<study>/latest: their variance between runs, averaged",
    )
    variance.add_argument(
        "--run-sd", type=_points, metavar="POINTS", help="standard deviation between runs of an arm on one target"
    )
    parser.add_argument("--runs", type=_numbers, default=_RUNS, help="numbers of runs an arm (3,5,8,10)")
    parser.add_argument(
        "--gpu", choices=[*GPU_TYPES, MEASURED], default=None, help="the GPU type of hours (gpu_type of config.yaml)"
    )
    parser.add_argument("--json", action="store_true", help="print JSON")


def _points(value: str) -> float:
    try:
        points = float(value)
    except ValueError:
        points = -1.0
    if not 0 <= points < math.inf:
        raise argparse.ArgumentTypeError(f"must be points of percent, 0 or more, found {value!r}")
    return points


def _numbers(value: str) -> tuple[int, ...]:
    numbers = value.split(",")
    if not all(number.isdecimal() and int(number) for number in numbers):
        raise argparse.ArgumentTypeError(f"must be numbers of runs such as 3,5,8,10, found {value!r}")
    return tuple(map(int, numbers))


def run(arguments: argparse.Namespace) -> None:
    """Run the command."""
    settings = local()
    entries = registry.load(settings.registries)
    path = arguments.study or settings.study
    study = read_study(path, entries)
    if len(study.worlds) > 1:
        raise UserError(
            f"{path}: world: {len(study.worlds)} worlds, and their mean varies with the worlds, by how much neither"
            " runs nor examples say; name one world"
        )
    whole = plan_unindexed(study, entries, settings)
    feasibility.check_unindexed(whole, entries, str(path))
    plan = whole.study_plan
    examples = planned_examples(plan)
    asked = comparisons(plan, {target: planned.rows for target, planned in examples.items()})
    if arguments.pilot is None:
        noise_of, variance = pilots.stated(arguments.run_sd), _stated(arguments.run_sd)
    else:
        noise_of, variance = pilots.read(arguments.pilot, examples), _of_pilots(arguments.pilot)
    found = prospects(plan, asked, examples, noise_of)
    if not found:
        raise UserError(
            f"{path}: compares nothing in percent in languages that count; state `answer` or `contrasts`, with a"
            " target in percent and a language that is no control"
        )
    numbers = sorted({*arguments.runs, len(study.seeds)})
    gpu = arguments.gpu or settings.gpu_type
    of_study, no_hours = _hours(study, entries, settings, gpu)
    report = PowerReport(
        plan=plan,
        prospects=found,
        runs=numbers,
        own=len(study.seeds),
        variance=variance,
        gpu=gpu,
        hours=None if of_study is None else _reported(of_study, plan, [one for one in asked if one.primary], numbers),
        no_hours=no_hours,
    )
    if arguments.json:
        sys.stdout.write(json.dumps(power_report.to_json(report), indent=1) + "\n")
    else:
        sys.stdout.write(power_report.text(report))


def _stated(run_sd: float) -> str:
    return (
        f"Runs of an arm are stated to have a standard deviation of {run_sd:g} on each target, in points, and to vary"
        " independently on the targets: on a mean of T of them it is divided by the root of T."
    )


def _of_pilots(folders: list[Path]) -> str:
    titles = dict.fromkeys(study_plan.read(folder / study_plan.FILE).title for folder in folders)
    several = f", {len(folders)} folders: their mean" if len(folders) > 1 else ""
    return f"The variance between runs is that of {', '.join(titles)}{several}."


def _hours(study: Study, entries: Registry, settings: Settings, gpu: str | None) -> tuple[StudyHours | None, str]:
    """Return the GPU-hours of a study's nodes; or None and why they are not known."""
    if gpu is None:
        return None, "Name a GPU type by --gpu or by `gpu_type` in config.yaml; seconds of a CPU are not estimated."
    try:
        return hours.of_study(study, entries, settings, gpu_types.of_machine(gpu, settings.results)), ""
    except UserError as error:
        return None, f"{error}."


def _reported(
    of_study: StudyHours, plan: StudyPlan, primary: Sequence[Comparison], numbers: Sequence[int]
) -> ReportedHours:
    """Return the hours of a study and of its primary comparisons, by number of runs."""

    def by_runs(found: Hours) -> dict[int, float]:
        return {number: found.at(number) for number in numbers}

    results = {one: needed(plan, one) for one in primary}
    together = frozenset[Cell]().union(*results.values())
    return ReportedHours(
        whole=by_runs(of_study.whole()),
        primary=by_runs(of_study.of(together)) if primary else None,
        of_each={one: by_runs(of_study.of(of_one)) for one, of_one in results.items()},
    )
