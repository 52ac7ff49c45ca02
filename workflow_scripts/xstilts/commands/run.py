"""Run the configured study: pin and index what it needs, clear up after a crash, call Snakemake."""

import argparse
import contextlib
import logging
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from xstilts.data import usable
from xstilts.errors import TerminatedError, UserError
from xstilts.planning import differences, index, mirror_index, pins, registry, sourcing, time_left
from xstilts.planning.settings import Settings, local, plan_of
from xstilts.planning.study import read_study
from xstilts.reporting import live_view, messages, summary
from xstilts.store import runs
from xstilts.store.manifest import path_of
from xstilts.store.runs import Run
from xstilts.training import devices
from xstilts.training.interruption import Ending

log = logging.getLogger(__name__)

# between two looks at what Snakemake says
_SECONDS = 0.2


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's arguments."""
    parser.add_argument("--cores", default="all", help="cores for local jobs")
    parser.add_argument("--verbose", action="store_true", help="Snakemake's own output in place of a view of the run")
    parser.add_argument(
        "snakemake",
        nargs="*",
        metavar="-- SNAKEMAKE",
        help="arguments for Snakemake; they mean --verbose too",
    )


def run(arguments: argparse.Namespace) -> int:
    """Run the command and return Snakemake's exit code.

    Raises:
        UserError: if Snakemake is given a study, if another run is alive in this folder or may be, or if Snakemake is
            ended by a signal.
        TerminatedError: if this process was asked to end.
    """
    if arguments.snakemake and arguments.snakemake[0].endswith((".yaml", ".yml")):
        study = arguments.snakemake[0]
        raise UserError(f"{study}: a study is named by the environment; run: XSTILTS_STUDY={study} xstilts run")
    settings, folder = local(), Path.cwd()
    log.info("study: %s", settings.study)
    left_locked = runs.is_left_locked(settings.results, folder)
    with runs.registered(settings.results, str(settings.study), folder) as registered:
        code = _pin(settings.study)
        if code:
            return code
        _index(settings)
        _order_times(settings)
        snakemake = [sys.executable, "-m", "snakemake", "--cores", arguments.cores]
        if left_locked:
            log.info("an earlier run was killed; unlocking and resuming")
            runs.unlock(folder)
        return _run_snakemake(snakemake, arguments, settings, registered)


def _run_snakemake(snakemake: list[str], arguments: argparse.Namespace, settings: Settings, registered: Run) -> int:
    gpus = devices.count_gpus()
    more = ["--resources", f"gpu={gpus}"] if gpus else []
    command = [*snakemake, "--rerun-incomplete", "--show-failed-logs", *more, *arguments.snakemake]
    verbose = arguments.verbose or bool(arguments.snakemake)
    if not verbose:
        command += ["--logger", "xstilts"]
    plan = plan_of(settings)
    for line in [*(() if verbose else plan.notes), *differences.changes(plan, settings.results)]:
        log.info(line)
    began = time.time()
    with (
        tempfile.TemporaryFile() as output,
        live_view.View() if verbose else live_view.of_terminal() as view,
        Ending(view.interrupt) as ending,
    ):
        # in a group of its own, so that Ctrl-C on a terminal reaches it by this process alone, and once
        process = subprocess.Popen(
            command,
            env={**os.environ, runs.VARIABLE: registered.id},
            stdin=subprocess.DEVNULL,
            stderr=None if verbose else output,
            process_group=0,
        )
        runs.hand_over(settings.results, Path.cwd(), registered, process.pid)
        code = _follow(process, ending, time_left.Watch(plan, settings), messages.Reader(output), view)
    for path in () if verbose else sorted(Path(".snakemake/log").glob("*.log"))[-1:]:
        if path.stat().st_mtime >= began:
            log.info("Snakemake's log: %s", path)
    if code and ending.received:
        raise TerminatedError("interrupted; the same command continues")
    if code < 0:
        name = signal.Signals(-code).name
        raise UserError(
            f"Snakemake was ended by {name}, often a lack of memory; run the same command again to continue"
        )
    if code == 0 and not arguments.snakemake:
        sys.stdout.write(summary.text(plan.study_plan, settings.results / plan.folder))
    return code


def _follow(
    process: subprocess.Popen,
    ending: Ending,
    watch: time_left.Watch,
    reader: messages.Reader,
    view: live_view.View,
) -> int:
    """Show how far Snakemake is and what it says until it ends, pass signals on, and return its exit code."""
    names = watch.names()
    failed: set[str | None] = set()
    code, due = None, 0.0
    while code is None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            code = process.wait(_SECONDS)
        ending.pass_on(process.pid)
        for message in reader.new(to_the_end=code is not None):
            name = names.get(message.output[0]) if message.output else None
            failed.add(name)
            view.tell(message, name)
        started = time.monotonic()
        if started >= due or code is not None:
            stages, running, left = watch.progress()
            running = {} if code is not None else {job: running[job] for job in running if job not in failed}
            view.show(stages, running, left)
            # of a study of thousands of jobs a look takes seconds
            due = started + max(view.seconds, 20 * (time.monotonic() - started))
    return code


def _pin(study: Path) -> int:
    """Pin the models of a study that have no pin yet, in a process of its own, and return its exit code.

    Raises:
        UserError: if a pinned folder has other files now.
    """
    pins.refuse_changed_folders(study)
    if set(pins.models_of(study)) <= set(pins.read(study)):
        return 0
    return subprocess.run([sys.executable, "-m", "xstilts", "pin", "--missing", str(study)], check=False).returncode


def _index(settings: Settings) -> None:
    """Write the indexes that the study needs and that are not there yet."""
    known = registry.load(settings.registries)
    study = read_study(settings.study, known)
    mirror = settings.mirror if sourcing.uses_mirror(study) else None
    if mirror is not None and index.location(mirror, "mirror.yaml", settings.results) is None:
        log.info("indexing the mirror %s", mirror)
        files = mirror_index.index_mirror(mirror, known, usable.check)
        for remark in mirror_index.remarks(files, known):
            log.warning(remark)
        index.write(mirror, "mirror.yaml", settings.results, files)
    used = study.registered(known)
    for name, folder in settings.model_folders.items():
        if name in used and index.location(folder, "model.yaml", settings.results) is None:
            log.info("indexing the model folder %s", folder)
            from xstilts.models import architecture

            files = index.index_model(folder)
            architecture.check(folder)
            index.write(folder, "model.yaml", settings.results, files)


def _order_times(settings: Settings) -> None:
    """Give manifests that were copied here file times in the order of the plan.

    What stands at an address is right, but without its own records Snakemake goes by file times, and a copy that did
    not keep them has them in any order.
    """
    plan = plan_of(settings)
    study = settings.results / plan.folder
    groups = [[path_of(settings.results, name), settings.results / f"benchmarks/{name}.tsv"] for name in plan.nodes]
    for rule, pattern in time_left.PRODUCTS.items():
        # a figure's benchmark has its name, too
        groups.append([*study.glob(pattern), *study.glob(f"benchmarks/{rule}*.tsv")])
    # a second apart, the last one now
    first = time.time() - len(groups)
    for place, files in enumerate(groups, 1):
        for file in files:
            if file.exists():
                os.utime(file, (first + place, first + place))
