"""Command lines. One module a command; each has ``HELP``, ``add_arguments(parser)`` and ``run(arguments)``.

The commands of rules take ``--spec`` (canonical JSON) and ``--output`` (the manifest to write); those for people read
``config.yaml`` in the current folder.
"""

import argparse
import importlib
import json
import logging
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from xstilts.errors import DamagedError, TerminatedError, UserError, line
from xstilts.store import node, opening, retention, specs, study_plan
from xstilts.store.study_plan import StudyPlan

if TYPE_CHECKING:
    from xstilts.reporting.study_results import StudyResults

# 75 of sysexits.h: the same command, given again, goes on (``RequeueExit`` of Slurm, ``retries`` of Snakemake)
TEMPORARY_FAILURE = os.EX_TEMPFAIL
# module: one a command, imported only when it is called, because some of them import torch
COMMANDS = {
    "fetch": "rule fetch_data and fetch_model: get raw data or a model",
    "prepare": "rule prepare: raw data to checked rows",
    "tokenize": "rule tokenize: rows to token ids",
    "make-tokenizer": "rule make_tokenizer: make a tokenizer from text",
    "train": "rules pretrain, learning_rates, intermediate and target: train a model",
    "merge": "rule merge: the models of several mixtures become one",
    "predict": "rule predict: predictions in every language",
    "embed": "rule embed: sentence vectors",
    "retrieve": "rule retrieve: nearest neighbours of sentence vectors",
    "scores": "rule scores: all scores of a study",
    "estimates": "rule estimates: differences between arms, with intervals and verdicts",
    "analyses": "rule analyses: tables behind figures and report",
    "tables": "rule tables: tables of a study",
    "figure": "rule figure: one figure of a study",
    "report": "rule report: one HTML file of a study; or, of a study file or folder, where it is; --open opens it",
    "paper": "rule paper: tables, figures, methods, bibliography and checklist as LaTeX",
    "serve": "for local runs: a process with all imports done, of which jobs are forked",
    "pin": "write down what models named by hub id or folder are, beside the study",
    "run": "run the configured study: index, unlock after a crash, snakemake",
    "summary": "print headline table and first paragraph of the configured study, and where its report is",
    "power": "print what a study can find before it is run, and GPU-hours, by number of runs",
    "estimate": "print what a study costs: memory, disk, operations and GPU-hours a node",
    "where": "print where nodes stand and what the study calls them, by axes, name or path",
    "curves": "print how trainings went, or go: loss, gradient norm, tokens a second, memory",
    "why": "say why a node has to be made: what differs from the nearest result",
    "compare": "put two studies side by side: differences of arms that both have, and verdicts",
    "combine": "join two studies that ran on different machines, with tables, figures and report of both",
    "diff": "say what differs between the plans of two studies",
    "check-gpu": "check and measure what only a GPU can show: equal results, rates, speed, memory",
    "slurm-profile": "write the cluster's account and partitions beside slurm/config.yaml",
    "prune": "list what no registered study names; --delete removes it",
    "verify": "check that results are as they were made; --repair has what fails made again",
    "mirror": "write what a study fetches into a folder, for a machine without a network",
    "index-mirror": "write the index of a mirror of raw data",
    "convert-model": "write a model with pickled weights into a new folder as safetensors",
    "index-model": "write the index of a local model folder",
    "score-xtreme": "score predictions of any system in XTREME's layout",
    "export-xtreme": "write a study's predictions in XTREME's layout",
    "export": "write the scores of a study for Every Eval Ever, or as model cards of the hub",
    "data-card": "print what a task's data are: rows, labels, lengths, licence, source",
    "reference": "print the reference of all configuration keys (docs/configuration.md)",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code.

    An error of the user's, or of the machine's that a user can fix, is one line on stderr and code 2; any other one is
    raised.
    """
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", datefmt="%H:%M:%S", stream=sys.stderr)
    for noisy in ("httpx", "httpx2", "datasets", "filelock", "fsspec", "fontTools"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    arguments = list(sys.argv[1:] if argv is None else argv)
    parser = argparse.ArgumentParser(prog="xstilts", formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.description = "\n".join(f"  {name:14} {text}" for name, text in COMMANDS.items())
    parser.add_argument("command", choices=COMMANDS, metavar="command", help="one of the above")
    chosen = parser.parse_args(arguments[:1]).command
    try:
        module = importlib.import_module(f"xstilts.commands.{chosen.replace('-', '_')}")
        parser = argparse.ArgumentParser(prog=f"xstilts {chosen}", description=COMMANDS[chosen])
        module.add_arguments(parser)
        parsed = parser.parse_args(arguments[1:])
        if "output" in parsed and "spec" in parsed:
            _make(module, parsed)
            return 0
        return module.run(parsed) or 0
    except DamagedError as error:
        logging.error("error: %s", opening.remedy(error))
        return 2
    except TerminatedError as interruption:
        logging.warning("%s", interruption)
        return TEMPORARY_FAILURE
    except BrokenPipeError:
        return 1
    except Exception as error:
        text = line(error)
        if text is None:
            raise
        logging.error("error: %s", text)
        return 2


def _make(module: ModuleType, arguments: argparse.Namespace) -> None:
    """Run a command that makes a node, unless the node is whole already; then delete what nothing needs any more.

    A process that only helps another one with it (``helps``) leaves all this to that one: it would wait for its locks.
    """
    spec = arguments.spec = specs.from_json(arguments.spec)
    results = results_of(arguments.output)
    if hasattr(module, "helps") and module.helps(arguments):
        module.run(arguments)
        return

    def run() -> None:
        with opening.parents(spec, results):
            module.run(arguments)

    node.make(arguments.output, spec, run)
    if getattr(arguments, "plan", None) is not None:
        retention.delete_unneeded(results, arguments.plan, spec.parents.values(), arguments.keep_models)


def add_node_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of a command that makes a node."""
    parser.add_argument("--spec", required=True, type=_json, help="the node's canonical spec")
    parser.add_argument("--output", required=True, type=Path, help="the manifest to write")


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"not JSON: {error}") from None


def _plan(path: str) -> StudyPlan:
    return study_plan.read(Path(path))


def add_model_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of a command that makes a node with a model: threads, and what is kept once it is done."""
    add_node_arguments(parser)
    parser.add_argument("--threads", type=int, default=1, help="CPU threads")
    parser.add_argument("--plan", type=_plan, default=None, help="plan.json of the study that runs")
    parser.add_argument("--keep-models", default="all", help="all, intermediate or none; see config.yaml")


def add_study_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the argument of a command that makes a study's outputs."""
    parser.add_argument("--plan", required=True, type=Path, help="plan.json in the folder of the study's outputs")


def add_two_studies(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of a command on two finished studies, A and B."""
    for letter in "AB":
        parser.add_argument(
            f"study_{letter.lower()}",
            type=Path,
            metavar=letter,
            help="a study file, or the folder of a study's outputs, results/studies/<study>/latest",
        )


def benchmark_name(text: str) -> str:
    """Return the registry's name of a benchmark, which can be written as its paper does: ``XTREME-R``."""
    return text.lower().replace("-", "_")


def results_of(output: Path) -> Path:
    """Return the results folder from a node's manifest, ``results/<stage>/<node>/manifest.json``."""
    return output.parents[2]


def read_plan(path: Path) -> tuple[StudyPlan, Path, Path]:
    """Return the plan of a study, the results folder, and the folder of the study's outputs.

    Raises:
        UserError: if the file is not a plan, or has nothing that can be scored.
    """
    plan = study_plan.read(path)
    if not plan.cells or not all(cell.node in plan.nodes for cell in plan.cells):
        raise UserError(f"{path}: not the plan of a study (cells without nodes, or none); run the study again")
    return plan, path.parents[3], path.parent


def configured_plan() -> Path:
    """Return the path of the configured study's plan.json, whether it is there or not."""
    from xstilts.planning.settings import local, plan_of

    settings = local()
    return settings.results / plan_of(settings).folder / study_plan.FILE


def outputs_of(study: Path | None) -> tuple[Path, str]:
    """Return the folder of a study's outputs, whether it is there or not, and what a person does to have them made.

    Args:
        study: a study file, or that folder; None for the configured study.

    Raises:
        UserError: if there is no such file or folder, or anything is wrong in the study.
    """
    from xstilts.planning import registry
    from xstilts.planning.settings import local, plan_of
    from xstilts.planning.study import read_study

    if study is not None and study.is_dir():
        return study, "run its study: make study STUDY=<study file>"
    if study is not None and not study.exists():
        raise UserError(
            f"{study}: no such file or folder; give a study file, or the folder of a study's outputs, such as"
            " results/studies/<study>/latest"
        )
    settings = local()
    path = study or settings.study
    plan = plan_of(settings, read_study(path, registry.load(settings.registries)))
    return settings.results / plan.folder, f"run: make study STUDY={path}"


def results_of_study(path: Path) -> "StudyResults":
    """Return the results of a study, by the folder of its outputs or by its file.

    Raises:
        UserError: if it has not run.
    """
    from xstilts.reporting import study_results

    folder, remedy = outputs_of(path)
    if not folder.is_dir():
        earlier = folder.with_name("latest")
        hint = f"; what an earlier plan of it made is {earlier}" if earlier.exists() else ""
        raise UserError(f"{path}: as it is now it has not run, {folder} is not there; {remedy}{hint}")
    return study_results.load(folder)
