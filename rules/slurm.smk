# What is otherwise where jobs are those of Slurm: in the process that submits them, and in those that Slurm starts.
from xstilts.store import slurm

# the rules that may be jobs of Slurm's
JOBS = (
    "pretrain",
    "learning_rates",
    "intermediate",
    "merge",
    "target",
    "predict",
    "embed",
    "retrieve",
    "check_gpu",
)


def follow_jobs_without_accounting():
    """Have the executor ask squeue how jobs are where sacct is installed, but Slurm keeps no accounts to ask for.

    Version 2.8 of the executor asks sacct wherever it is installed, also where the profile says squeue, if the controller
    happens not to answer. Without accounts sacct fails each time, and Snakemake waits for ever for jobs that have ended.
    """
    if slurm_executor() and not slurm.keeps_accounts():
        workflow.executor_settings.status_command = "squeue"
        slurm_executor().is_query_tool_available = lambda name: name != "sacct"


def slurm_executor():
    """Give the plugin that submits this run's jobs to Slurm; None where no job is one of Slurm's."""
    plugin = sys.modules.get("snakemake_executor_plugin_slurm")
    is_used = plugin and isinstance(workflow.executor_settings, plugin.ExecutorSettings)
    return plugin if is_used else None


def slurm_logs():
    """Give the folder where the executor keeps what jobs of Slurm's printed."""
    chosen = getattr(workflow.executor_settings, "logdir", None)
    return Path(workflow.workdir_init, chosen) if chosen else slurm.LOGS


def run_rules_as_steps():
    """Have a job of Slurm's run its rules itself, each as a step, and fork what they run from a warm process of its own.

    Snakemake's executor would start a Snakemake for each rule of a job, and each rule would import torch. The warm process
    is a step, too: Slurm asks all steps to end, and what it then kills first is the batch script and all that it started.
    """
    step = f"{workflow.basedir}/rules/slurm_step.sh"
    workflow.localrules(*JOBS)
    shell.executable(step)
    # as Snakemake has it for bash; and Python takes the place of bash, the one process of a step that Slurm may signal
    shell.prefix("set -euo pipefail; exec ")
    start_warm_process(step)


# in the Snakemake that Slurm starts; of an array every task is started with the command of the first, and its executor
# knows which one is meant
if (
    workflow.remote_exec
    and "SLURM_JOB_ID" in os.environ
    and "SLURM_ARRAY_TASK_ID" not in os.environ
):
    run_rules_as_steps()
