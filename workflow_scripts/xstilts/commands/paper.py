"""Write the paper of a study: tables, figures and texts as LaTeX, a bibliography, and an article of them all."""

import argparse
import shutil
from pathlib import Path

from xstilts.commands import add_study_arguments, read_plan
from xstilts.evaluation import estimates, layers, scores
from xstilts.planning import registry
from xstilts.planning.registry import MINIATURE, Registry
from xstilts.reporting.outputs import PAPER
from xstilts.reporting.paper import document
from xstilts.reporting.paper.works import Registered, Works
from xstilts.store.study_plan import StudyPlan


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's arguments."""
    add_study_arguments(parser)
    parser.add_argument("--own-tasks", type=Path, default=None, help="the folder of your own tasks, as in config.yaml")


def run(arguments: argparse.Namespace) -> None:
    """Run the command."""
    plan, results, folder = read_plan(arguments.plan)
    by_layer = layers.collect(plan, results) if plan.swept else None
    compared = estimates.read(folder / estimates.FILE)
    shutil.rmtree(folder / PAPER, ignore_errors=True)
    found = works(registry.load(arguments.own_tasks), plan)
    document.write(plan, results, scores.read(folder / scores.FILE), by_layer, compared, found, folder / PAPER)


def works(entries: Registry, plan: StudyPlan) -> Works:
    """Return what the registry says, with the languages of the miniature world in a study of it."""
    in_miniature = any(target.source == MINIATURE for target in plan.targets.values())
    languages = entries.of(MINIATURE if in_miniature else "").languages
    return Works(
        tasks={
            name: Registered(title=task.title, licence=task.licence, bibtex=task.bibtex)
            for name, task in entries.tasks.items()
        },
        models={
            name: Registered(
                title=name, licence=model["licence"], bibtex=tuple(model["bibtex"]), parameters=model["parameters"]
            )
            for name, model in entries.models.items()
        },
        benchmarks={
            name: Registered(title=benchmark.title, bibtex=entries.benchmark_bibtex[name])
            for name, benchmark in entries.benchmarks.items()
        },
        tools={
            name: Registered(title=tool["title"], licence=tool["licence"], bibtex=tuple(tool["bibtex"]))
            for name, tool in entries.tools.items()
        },
        languages={code: language["name"] for code, language in languages.items()},
        entries=entries.bibliography,
    )
