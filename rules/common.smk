# What the rules share: the plan, and what of it a rule asks for. The only file with functions.
#
# Everything that decides a result is in a node's spec, one canonical JSON string. Folders, threads, memory and the
# like are given by functions of `resources`, which Snakemake does not track: none of them can make a job run again.
import os
import re
import sys

sys.path.insert(0, os.path.join(workflow.basedir, "workflow_scripts"))

from snakemake.exceptions import WorkflowError
from snakemake.logging import logger

from xstilts import machine
from xstilts.errors import UserError, suggestion
from xstilts.manifest import canonical, write_atomically
from xstilts.plan import manifest_path
from xstilts.products import FIGURE_FORMATS, FIGURES, TABLE_FORMATS, TABLES

# `python` in the rules is the one that runs Snakemake, with this checkout's library, whatever is activated.
os.environ["PATH"] = os.pathsep.join([os.path.dirname(sys.executable), os.environ["PATH"]])
os.environ["PYTHONPATH"] = os.pathsep.join(
    [sys.path[0], *filter(None, [os.environ.get("PYTHONPATH")])]
)

try:
    settings = machine.local(config)
    os.environ["XSTILTS_STUDY"] = str(settings.study)
    plan = machine.plan_of(settings)
except UserError as error:
    raise WorkflowError(str(error)) from None

results = str(settings.results)
study_folder = f"{results}/{plan.folder}"
for note in plan.notes:
    logger.info(note)


def names(stage):
    """Constrain the wildcard of a stage to the plan's names."""
    return "|".join(map(re.escape, plan.stage(stage))) or "(?!)"


def node(stage, wildcards):
    return plan.stage(stage)[wildcards.node]


def parents(stage):
    """Give the manifests that a node of the stage reads."""

    def manifests_of_parents(wildcards):
        return [manifest_path(results, parent) for parent in node(stage, wildcards).parents]

    return manifests_of_parents


def spec(stage):
    """Give the canonical spec of a node of the stage, the one tracked parameter of its rule."""
    return lambda wildcards: canonical(node(stage, wildcards).spec)


def manifests(*stages):
    """Give the manifests of all nodes of the stages."""
    return [
        manifest_path(results, one.id) for stage in stages for one in plan.stage(stage).values()
    ]


def predictions():
    """Give the manifests of all predictions that the study's scores are computed from."""
    return [manifest_path(results, name) for name in plan.predictions()]


def data_place(wildcards, resources):
    """Where this machine has raw data, and whether it may open a connection."""
    return place_options(settings.mirror)


def model_place(wildcards, resources):
    """Where this machine has the model, and whether it may open a connection."""
    name = node("models", wildcards).name
    return place_options(settings.model_folders.get(name))


def place_options(folder):
    options = ["--folder", str(folder)] if folder else []
    return options + (["--offline"] if settings.offline else [])


def keeping(wildcards, resources):
    """What is kept once a job is done."""
    return ["--plan", f"{study_folder}/plan.json", "--keep-models", settings.keep_models]


def memory(megabytes):
    """Ask for more memory at every new try."""
    return lambda wildcards, attempt: megabytes * 2 ** (attempt - 1)


def minutes(first):
    """Ask for more time at every new try."""
    return lambda wildcards, attempt: first * 2 ** (attempt - 1)


def write_plan():
    """Write plan.json and index.tsv of the study's outputs, and point `latest` to them."""
    write_atomically(Path(f"{study_folder}/plan.json"), plan.as_json())
    write_atomically(Path(f"{study_folder}/index.tsv"), plan.as_table())
    link = Path(study_folder).with_name("latest")
    temporary = link.with_name(f".latest.{os.getpid()}")
    temporary.symlink_to(Path(study_folder).name)
    temporary.replace(link)
