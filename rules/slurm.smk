# What is otherwise where jobs are those of Slurm: in the process that submits them, and in those that Slurm starts.

# the rules that may be jobs of Slurm's
JOBS = ("pretrain", "learning_rates", "intermediate", "target", "predict", "embed", "retrieve")


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


def run_rules_as_steps():
    """Have a job of Slurm's run its rules itself, each as a step, and fork what they run from a warm process of its own.

    Snakemake's executor would start a Snakemake for each rule of a job, and each rule would import torch.
    """
    workflow.localrules(*JOBS)
    shell.executable(f"{workflow.basedir}/rules/slurm_step.sh")
    # as Snakemake has it for bash
    shell.prefix("set -euo pipefail; ")
    start_warm_process()


# in the Snakemake that Slurm starts; of an array every task is started with the command of the first, and its executor
# knows which one is meant
if (
    workflow.remote_exec
    and "SLURM_JOB_ID" in os.environ
    and "SLURM_ARRAY_TASK_ID" not in os.environ
):
    run_rules_as_steps()
