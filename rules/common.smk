# What the rules share: the plan, and what of it a rule asks for. Functions stand here; what a job asks for is in
# resources.smk, and what is of Slurm in slurm.smk.
#
# Everything that decides a result is in a node's spec, one canonical JSON string. Folders, threads, memory and the
# like are given by functions of `resources`, which Snakemake does not track: none of them can make a job run again.
import atexit
import contextlib
import logging
import os
import re
import sys
import time

sys.path.insert(0, os.path.join(workflow.basedir, "workflow_scripts"))

from snakemake.exceptions import WorkflowError
from snakemake.logging import logger
from snakemake_interface_logger_plugins.common import LogEvent

from xstilts import errors
from xstilts.errors import UserError
from xstilts.planning import fetched, gpu_types, pins, registry
from xstilts.planning.settings import (
    link_nodes,
    local,
    plan_of,
    set_environment,
    unknown_node,
)
from xstilts.reporting.figures import options
from xstilts.reporting.outputs import (
    ANALYSES,
    FIGURE_FORMATS,
    PAPER,
    PARAGRAPH,
    REPORT,
    STUDY_FILE,
    TABLE_FORMATS,
)
from xstilts.store import runs, study_plan
from xstilts.store.figures import FIGURES
from xstilts.store.files import canonical, write_atomically
from xstilts.store.manifest import path_of
from xstilts.store.retention import delete_left, delete_unneeded
from xstilts.store.specs import to_json
from xstilts.warm import server


@contextlib.contextmanager
def in_one_line():
    """Let Snakemake show an error that a user can fix as the line that it is."""
    try:
        yield
    except Exception as error:
        line = errors.line(error)
        if line is None:
            raise
        raise WorkflowError(line) from None


# `xstilts run` registers the run, shows how far it is, and prints its result
by_xstilts_run = runs.VARIABLE in os.environ

with in_one_line():
    settings = local(config)
    if workflow.is_main_process and not by_xstilts_run:
        pins.refuse_changed_folders(settings.study)
    plan = plan_of(settings)
    gpu_name = settings.gpu_type
    gpu_type = gpu_types.of_machine(gpu_name, settings.results) if gpu_name else None

set_environment(settings)
results = str(settings.results)
tasks = registry.load(settings.registries)
study_folder = f"{results}/{plan.folder}"
for note in plan.notes:
    logger.info(note)


# Which nodes there are is for the plan to say: an expression that lists them all would be copied with every job's
# paths, and makes planning thousands of jobs several times slower.
wildcard_constraints:
    node=r"[^/]+",
    figure="|".join(map(re.escape, FIGURES)),


def node(stage, wildcards):
    """Look a node up in the plan."""
    if wildcards.node not in plan.stage(stage):
        raise WorkflowError(unknown_node(plan, stage, wildcards.node))
    return plan.stage(stage)[wildcards.node]


def parents(stage):
    """Give the manifests that a node of the stage reads."""
    return lambda wildcards: [path_of(results, parent) for parent in node(stage, wildcards).parents]


def spec(stage):
    """Give the canonical spec of a node of the stage, the one tracked parameter of its rule."""
    return lambda wildcards: canonical(to_json(node(stage, wildcards).spec))


def manifests(*stages):
    """Give the manifests of all nodes of the stages."""
    return [path_of(results, one.id) for stage in stages for one in plan.stage(stage).values()]


def predictions():
    """Give the manifests of all predictions that the study's scores are computed from."""
    return [path_of(results, name) for name in plan.predictions()]


def unlabelled():
    """Give the manifests of all predictions for official tests without labels, which are exported and not scored."""
    return [path_of(results, name) for name in dict.fromkeys(plan.unlabelled.values())]


def figure_files(formats=FIGURE_FORMATS):
    """Give the files of all figures that the study makes."""
    return [
        f"{study_folder}/figures/{name}.{kind}"
        for name in options.names(plan.study.figures)
        for kind in formats
    ]


def figure_options(wildcards):
    """Give the options of a figure, as canonical JSON."""
    return options.as_text(options.of_figure(plan.study.figures, wildcards.figure))


def data_place(wildcards, resources):
    """Where raw data is, on this machine or elsewhere, and whether a connection may be opened."""
    urls = plan.urls.get(node("data", wildcards).id)
    more = ["--urls", canonical(urls)] if urls else []
    return place_options(settings.mirror) + more


def model_place(wildcards, resources):
    """Where this machine has the model, and whether it may open a connection."""
    found = fetched.of_node(node("models", wildcards), plan, settings)
    hub = ["--hub", found.hub] if found.hub else []
    study = ["--study", str(found.study)] if found.study else []
    return place_options(found.folder) + hub + study


def place_options(folder):
    options = ["--folder", str(folder)] if folder else []
    return options + (["--offline"] if settings.offline else [])


def retention(wildcards, resources):
    """What is kept once a job is done: within a job of Slurm's all, and this process deletes when it has ended."""
    keep_models = settings.keep_models if workflow.is_main_process else "all"
    return ["--plan", f"{study_folder}/plan.json", "--keep-models", keep_models]


include: "resources.smk"


def show_summary():
    """Print the headline table, unless `xstilts run` does so itself."""
    if not by_xstilts_run:
        shell(f"python -m xstilts summary --plan {study_folder}/plan.json")


def write_plan():
    """Write plan.json, index.tsv and the study file as it is beside the study's outputs."""
    write_atomically(Path(f"{study_folder}/plan.json"), study_plan.text(plan.study_plan))
    write_atomically(Path(f"{study_folder}/index.tsv"), plan.as_table())
    write_atomically(Path(f"{study_folder}/{STUDY_FILE}"), settings.study.read_text("utf-8"))
    link_nodes(plan, settings.results)


def unlock():
    """Take Snakemake's lock away where the run that left it has ended for certain; say what another one means."""
    try:
        if runs.is_left_locked(settings.results, Path.cwd()):
            logger.info("an earlier run was killed; unlocking and resuming")
            runs.unlock(Path.cwd())
    except UserError as error:
        # Snakemake will say no more than that there is one
        logger.warning(str(error))


def register_run():
    """Register this process as the run, until it ends; jobs know by the environment which run is theirs.

    At its end, weights go that had to stay for another run which has ended since.
    """
    if not workflow.is_main_process:
        return
    ending = contextlib.ExitStack()
    run = ending.enter_context(
        runs.registered(
            settings.results, str(settings.study), Path.cwd(), os.environ.get(runs.VARIABLE)
        )
    )
    os.environ[runs.VARIABLE] = run.id
    # the last thing that is done: by then the run is no longer one of those that may read weights
    atexit.register(
        delete_left, settings.results, plan.study_plan, time.time(), settings.keep_models
    )
    atexit.register(ending.close)


def note_jobs():
    """Note which nodes this run has jobs for: what they read stays until these have ended."""
    if workflow.is_main_process:
        outputs = {output for job in workflow.dag.needrun_jobs() for output in job.output}
        made = [name for name in plan.nodes if str(path_of(results, name)) in outputs]
        runs.note_jobs(settings.results, made)


def job_with(number):
    """Give the job of Snakemake's that has a number; None if there is none."""
    return next((job for job in workflow.dag.jobs if job.jobid == number), None)


class Deletion(logging.Handler):
    """Deletes the weights that nothing needs any more, whenever Snakemake says that a job elsewhere has ended.

    A job of Slurm's is a group, and Snakemake looks for the outputs of all of it when it has ended: a job of the group
    that deleted the model of another one would make it fail.
    """

    def emit(self, record):
        if getattr(record, "event", None) != LogEvent.JOB_FINISHED:
            return
        job = job_with(record.job_id)
        if job and job.output:
            ended = plan.nodes.get(str(Path(job.output[0]).parent.relative_to(results)))
            self.delete(ended.parents if ended else ())

    def delete(self, parents):
        try:
            delete_unneeded(settings.results, plan.study_plan, parents, settings.keep_models)
        except OSError as error:
            # no reason for the run to end
            logger.warning(errors.line(error))


class LastTry(logging.Handler):
    """Has no job started again that would end as before.

    That is one whose input is gone, which this run does not make: what was damaged was withdrawn. And one that copies
    from a folder of this machine.
    """

    def emit(self, record):
        if getattr(record, "event", None) != LogEvent.JOB_ERROR:
            return
        job = job_with(record.jobid)
        failed = job and (workflow.dag.get_job_group(job) or job)
        if failed and (
            "--folder" in getattr(job.params, "place", ())
            or not all(map(os.path.exists, failed.input))
        ):
            failed.attempt = max(failed.attempt, failed.restart_times + 1)


def follow_jobs():
    """Try again only what may end well, and delete weights from this process where jobs run elsewhere."""
    if workflow.is_main_process:
        logger.addHandler(LastTry())
        if workflow.non_local_exec:
            logger.addHandler(Deletion())


def look_for_jobs_when_one_ends():
    """Undo the limit of 100 jobs a second that Snakemake 9 has by default; one that a profile sets stays.

    With a limit, the scheduler of Snakemake 9.27 looks for jobs every second, once more for each time that it has looked
    because a job had ended: after some hundred jobs it takes a third of a core, with thousands it does nothing else.
    """
    limiter = workflow.scheduler.job_rate_limiter
    if limiter and (limiter.max_jobs, limiter.timespan) == (100, 1):
        workflow.scheduler.job_rate_limiter = None


def start_warm_process(shell=None):
    """Start the process that jobs on this machine are forked from, unless they run in environments of their own."""
    if not workflow.deployment_settings.deployment_method:
        server.start(shell)


if workflow.is_main_process and not by_xstilts_run:
    unlock()
# going back to an earlier state of a study needs no job, yet `latest` has to follow
if os.path.exists(f"{study_folder}/scores.parquet"):
    study_plan.point_latest(Path(study_folder))


onstart:
    with in_one_line():
        register_run()
        write_plan()
        note_jobs()
    look_for_jobs_when_one_ends()
    follow_jobs()
    follow_jobs_without_accounting()
    # of other executors it is not known where their jobs run
    if workflow.is_main_process and (workflow.local_exec or slurm_executor()):
        start_warm_process()


onsuccess:
    show_summary()
