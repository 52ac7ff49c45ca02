"""How each node fits the memory of a GPU type: tokens at once, gradient checkpointing, and the number of GPUs.

The first of these settings that fits is taken: whole batches on one GPU; then what ``Hardware.with_less_memory`` tries,
on one GPU and, with weights divided among them, on up to those of a node. Where config.yaml gives a training more GPUs
than one, it begins with these, each of which has all weights. What config.yaml states stays as it is. A plan is no part
of a result.

Predictions and vectors are planned so too, with fewer tokens at once on one GPU. Their jobs are told nothing of it, for
they come to it by themselves (``evaluation/prediction.py``).
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from xstilts.errors import UserError
from xstilts.forms import FORMS
from xstilts.hardware import Hardware, may_recompute
from xstilts.planning import estimate
from xstilts.planning.estimate import Estimate, Sizes
from xstilts.planning.gpu_types import GpuType
from xstilts.planning.nodes import Node, Plan
from xstilts.planning.registry import Registry
from xstilts.planning.settings import Settings
from xstilts.store.sampling import examples_of_a_batch
from xstilts.store.specs.base import Spec
from xstilts.store.specs.models import TrainingSpec

# GPUs of a node, on which a job's processes are: as many as servers usually have
NODE_GPUS = 8
# keys of config.yaml that the plan settles where they are null
_SETTINGS = ("max_tokens_per_device", "gradient_checkpointing")


@dataclass(frozen=True)
class MemoryPlan:
    """What a node's job may use.

    Attributes:
        hardware: of each of its GPUs.
        cost: what it costs so, and on how many GPUs.
        fits: whether the memory of the GPU type is enough; True where there is no GPU type.
        stated: the keys of config.yaml that state a part of it, which stays.
    """

    hardware: Hardware
    cost: Estimate
    fits: bool
    stated: tuple[str, ...] = ()


def of_node(
    node: Node,
    plan: Plan,
    registry: Registry,
    settings: Settings,
    gpu_type: GpuType | None,
    gpus: int | None = None,
) -> MemoryPlan:
    """Return the memory plan of a node that computes with a model: the first that fits, else the last.

    Args:
        node: the node.
        plan: its plan.
        registry: tasks and models.
        settings: of this machine.
        gpu_type: whose memory it has to fit; None for what the settings state.
        gpus: how many the job has; None for as many as the settings give it, or more if it does not fit so few.

    Raises:
        UserError: as ``estimate.sizes_of``.
    """
    sizes = estimate.sizes_of(node, plan, registry, settings.results)
    return of_sizes(node.spec, sizes, settings, gpu_type, gpus)


def of_sizes(
    spec: Spec, sizes: Sizes, settings: Settings, gpu_type: GpuType | None, gpus: int | None = None
) -> MemoryPlan:
    """Return the memory plan of a spec; the arguments are those of ``of_node``, and what ``sizes_of`` found."""
    given = _useful_gpus(spec, sizes, settings.gpus_per_training)
    if gpu_type is None:
        number = gpus or given
        # of more than the settings give it is known only that somebody has asked for them
        hardware = replace(_stated(spec, settings), shards=1 if 1 < number <= given else None)
        return MemoryPlan(hardware, estimate.of_sizes(spec, sizes, hardware, number), True)
    tried, stated = None, tuple(key for key in _SETTINGS if getattr(settings, key) is not None)
    for number, shards in _divisions(given, gpus):
        for hardware in _ladder(spec, sizes, settings, number, shards):
            cost = estimate.of_sizes(spec, sizes, hardware, number)
            tried = MemoryPlan(hardware, cost, cost.memory <= gpu_type.usable, stated)
            if tried.fits:
                return tried
        # no other job has several GPUs
        if not isinstance(spec, TrainingSpec):
            break
    assert tried is not None
    return tried


def _useful_gpus(spec: Spec, sizes: Sizes, most: int) -> int:
    """Return the largest power of two, up to a number, of GPUs that each have an example of every batch.

    One that cannot be divided is computed by all of them, and does not count.
    """
    if not isinstance(spec, TrainingSpec) or spec.sampling.steps == 0:
        return 1
    examples = [
        min(examples_of_a_batch(task.batch_size, spec.sampling), int(size.rows))
        for task, size in zip(spec.tasks, sizes.data, strict=True)
        if FORMS[task.form].separable
    ]
    fewest = max(1, min(examples, default=1))
    return min(most, 2 ** (fewest.bit_length() - 1))


def _divisions(given: int, gpus: int | None) -> Iterator[tuple[int, int | None]]:
    """Yield numbers of GPUs and ``Hardware.shards``: all weights on each, then divided among as many and among more.

    Args:
        given: how many the settings give.
        gpus: how many the job has, where that is known.
    """
    first = gpus or given
    yield first, 1 if first > 1 else None
    number = max(first, 2)
    while number <= (gpus or NODE_GPUS):
        yield number, None
        number *= 2


def _ladder(spec: Spec, sizes: Sizes, settings: Settings, gpus: int, shards: int | None) -> Iterator[Hardware]:
    """Yield what may be tried on so many GPUs with weights so divided, the fastest first."""
    hardware: Hardware | None = replace(_stated(spec, settings), shards=shards)
    if isinstance(spec, TrainingSpec):
        whole, instance = estimate.largest_batch(spec, sizes, gpus)
        # what is stated stays
        may = may_recompute(spec.method.name) and settings.gradient_checkpointing is None
        least = instance if settings.max_tokens_per_device is None else whole
    else:
        whole, least, may = estimate.PREDICTED, sizes.data[0].largest, False
    while hardware is not None and hardware.shards == shards:
        yield hardware
        hardware = hardware.with_less_memory(whole, least, may)


def _stated(spec: Spec, settings: Settings) -> Hardware:
    """Return what config.yaml states of a node's job: it does so of trainings alone."""
    return settings.hardware if isinstance(spec, TrainingSpec) else Hardware()


def fault(name: str, found: MemoryPlan, gpu_type: GpuType) -> str | None:
    """Return the line that says why a node does not fit one GPU, or the GPUs of a node; None where it fits one."""
    cost = found.cost
    if found.fits and cost.shards == 1:
        return None
    on = f"{cost.gpus} GPUs of type {gpu_type.name}" if cost.gpus > 1 else f"one {gpu_type.name}"
    trains = cost.trained > 0
    parts = {
        "weights": cost.weights / cost.shards + cost.gathered,
        "gradients and moments": (cost.gradients + cost.optimiser) / cost.shards,
        "kept for the backward pass" if trains else "of a batch": cost.activations,
    }
    sizes = ", ".join(f"{size / 1e9:.1f} GB {what}" for what, size in parts.items() if size >= 5e7)
    sizes = sizes or "less than 0.1 GB in all"
    if found.fits:
        return f"{name}: needs {on}: {sizes} on each"
    remedies = "lower max_length in the recipe, " * trains
    remedies += f"leave {' and '.join(found.stated)} in config.yaml to the memory plan, " * (
        trains and bool(found.stated)
    )
    free = f"{gpu_type.usable / 1e9:.0f} GB are free"
    return f"{name}: does not fit {on}: {sizes}, {free}; {remedies}{'or ' * trains}name a larger gpu_type"


def checked(name: str, found: MemoryPlan, gpu_type: GpuType | None) -> MemoryPlan:
    """Return a memory plan that fits.

    Raises:
        UserError: if it does not.
    """
    if not found.fits:
        assert gpu_type is not None
        raise UserError(fault(name, found, gpu_type))
    return found


def hours_of_job(node: Node, plan: Plan, registry: Registry, settings: Settings, gpu_type: GpuType) -> float:
    """Return the hours of a node's job on its GPUs: of a training on one GPU with the predictions asked of its model.

    On several GPUs nothing is predicted in the training's job (``training/ahead.py``).

    Raises:
        UserError: as ``of_node``.
    """

    def hours(each: Node, cost: Estimate) -> float:
        return cost.hours(gpu_type, estimate.numerics_of(each.spec).precision)

    cost = of_node(node, plan, registry, settings, gpu_type).cost
    ahead = plan.predicted_with.get(node.id, ()) if cost.gpus == 1 else ()
    costs = [(each, of_node(each, plan, registry, settings, gpu_type).cost) for each in ahead]
    return sum(hours(*each) for each in [(node, cost), *costs])
