# What a job asks for: memory, time, GPUs and processors, and by what settings a training keeps within them.
#
# With a gpu_type in config.yaml all of it is that of the node's memory plan (planning/memory_plan.py). What an earlier try
# lacked, the next one has twice.
from xstilts.planning import memory_plan, merge_size, retrieval_memory
from xstilts.store import slurm
from xstilts.store.specs.base import MODEL


def hardware(stage):
    """What a training job may use: a process for each GPU, and how it saves memory."""

    def options(wildcards, resources):
        found = memory_plan_of(node(stage, wildcards), resources.gpu)
        chosen = found.hardware if found else settings.hardware
        tokens, again = chosen.max_tokens_per_device, chosen.gradient_checkpointing
        return [
            *(["--processes", str(resources.gpu)] if resources.gpu > 1 else []),
            *(["--shards", str(chosen.shards)] if chosen.shards else []),
            *(["--max-tokens-per-device", str(tokens)] if tokens else []),
            *(["--gradient-checkpointing"] if again else []),
            *["--checkpoint-seconds", str(settings.checkpoint_seconds)],
            *(["--reproducible-kernels"] if settings.reproducible_kernels else []),
        ]

    return options


def memory(megabytes, stage=None):
    """Ask for the memory that a node needs, where its model's size is known; for twice as much after a try that lacked it."""

    def asked(wildcards, attempt):
        lacked = slurm.lacks(wildcards.node, attempt - 1, slurm_logs()).memory
        found = stage and host_megabytes(node(stage, wildcards))
        return (found or megabytes) * 2**lacked

    return asked


def host_megabytes(one):
    """Give what a node's job needs of the host's memory; None where the size of its model is not known."""
    if one.stage not in MEGABYTES:
        found = memory_plan_of(one)
        return found and found.cost.host_megabytes
    with contextlib.suppress(UserError):
        return MEGABYTES[one.stage](one, plan, tasks, settings.results)


# of the stages that compute with no model
MEGABYTES = {"merged": merge_size.megabytes, "retrieval": retrieval_memory.megabytes}


def minutes(first, stage=None, few_shot=None):
    """Ask on a known GPU for twice what the operations need, and half an hour; twice as long after a try that lacked it."""

    def asked(wildcards, attempt):
        lacked = slurm.lacks(wildcards.node, attempt - 1, slurm_logs()).time
        one = stage and node(stage, wildcards)
        if one and is_made_ahead(one):
            return 10 * 2**lacked
        known = one and gpu_type and memory_plan_of(one)
        hours = known and memory_plan.hours_of_job(one, plan, tasks, settings, gpu_type)
        otherwise = few_shot if few_shot and one.id in plan.few_shot_nodes else first
        return round(30 + 120 * hours if known else otherwise) * 2**lacked

    return asked


def is_made_ahead(one):
    """Tell whether a training that has yet to run makes a node too, so that its own job will find it; on one GPU it does."""
    model = plan.nodes.get(one.spec.parents.get(MODEL))
    trained, made = ("intermediate", "targets"), ("predictions", "embeddings")
    if one.stage not in made or model.stage not in trained:
        return False
    return not path_of(settings.results, model.id).exists() and number_of_gpus(model) == 1


def gpus(stage):
    """Ask for as many GPUs as the settings give a training, and as it fits on."""
    return lambda wildcards: number_of_gpus(node(stage, wildcards))


def processors(stage):
    """Ask for four processors a GPU; for one where jobs may run on this machine's processors, which others use too."""
    is_known = gpu_type or slurm_executor() or workflow.remote_exec
    return lambda wildcards: 4 * number_of_gpus(node(stage, wildcards)) if is_known else 1


def number_of_gpus(one):
    """Give the number of GPUs that a node's job has: one where the model's size is not known."""
    found = memory_plan_of(one)
    return found.cost.gpus if found else 1


def memory_plan_of(one, number=None):
    """Plan the memory of a node's job on so many GPUs, by default as ``of_node``; None where the model's size is not known."""
    try:
        found = memory_plan.of_node(one, plan, tasks, settings, gpu_type, number)
    except UserError:
        return None
    with in_one_line():
        return memory_plan.checked(one.id, found, gpu_type)
