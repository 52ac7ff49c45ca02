"""The time of a step on a GPU: products of matrices and the traffic of its memory, or the launches of its kernels.

Kernels follow one another, so a GPU is busy for its products and for the bytes of the other kernels; and Python starts
kernels no faster than so many a second, whatever they compute. The larger of the two is the time (the roofline of
Williams et al. 2009, with launches as a third limit).
"""

from collections.abc import Sequence
from dataclasses import dataclass

from xstilts.planning.gpu_types import GpuType
from xstilts.planning.model_size import Shape
from xstilts.store.specs.models import Method

# kernels of a layer's forward pass: beside its linear layers; of a linear layer, with weights in the type of products
# and with copies in it; and of matrices of low rank beside it. A backward pass has twice as many. By this a step of
# XLM-R Large in full has 2,880 and one of XLM-R XXL by LoRA with gradient checkpointing 12,288, where 2,856 and 12,235
# were counted.
_LAYER, _LINEAR, _LINEAR_WITH_COPIES, _LOW_RANK = 16, 2, 4, 6
# bytes for each trained number and step: AdamW reads weight, gradient and two moments and writes all but the gradient;
# the norm of gradients reads them, and clipping reads and writes them
_UPDATE = 28 + 12
# where there are replicas, gradients are copied into a bucket, summed, divided and copied back: all of them four times
_AVERAGE = 4 * 8
# how often what a layer keeps goes through memory in a pass: it is written once and read once
_TRAFFIC = 2


@dataclass(frozen=True)
class Work:
    """What is computed, of one kind of batch.

    Attributes:
        operations: floating-point operations.
        traffic: bytes that go through the memory of all GPUs, beside products.
        launches: kernels that each GPU starts.
    """

    operations: float
    traffic: float
    launches: float

    def times(self, factor: float) -> "Work":
        """Return so many times the work."""
        return Work(factor * self.operations, factor * self.traffic, factor * self.launches)


def seconds(work: Sequence[Work], gpu_type: GpuType, precision: str, gpus: int) -> float:
    """Return the time of work on so many GPUs together; what they tell each other is left out."""
    return sum(
        max(
            (each.operations / gpu_type.rate(precision) + each.traffic / (1e12 * gpu_type.bandwidth)) / gpus,
            each.launches * gpu_type.launch,
        )
        for each in work
    )


def step(
    shape: Shape,
    method: Method,
    copies: bool,
    trained: int,
    replicas: int,
    kept: float,
    weights: float,
    passes: int,
    batches: int,
    adapters: int = 1,
) -> Work:
    """Return the traffic and the launches of a training step; its operations are not counted here.

    Args:
        shape: of the model.
        method: what is trained.
        copies: whether weights have copies in the type of products, or are made again in it.
        trained: numbers that are trained.
        replicas: how many copies of them the GPUs have, each of which is updated.
        kept: bytes that the step's whole batch keeps for the backward pass, if no layer is computed again.
        weights: bytes of the weights in products, and of making copies of them, on all GPUs together.
        passes: forward and backward passes: 2, or 3 where layers are computed again.
        batches: micro-batches of the step on each GPU.
        adapters: of a method with matrices of low rank, how many stand beside the weights.
    """
    forward = _launches(shape, copies, method.modules or "all-linear" if method.name == "lora" else (), adapters)
    update = replicas * trained * (_UPDATE + _AVERAGE * (replicas > 1))
    return Work(
        operations=0.0,
        traffic=update + _TRAFFIC * passes * kept + passes * batches * weights,
        launches=batches * (passes + 1) * forward,
    )


def forward(shape: Shape, kept: float, weights: float, batches: float) -> Work:
    """Return the traffic and the launches of prediction, in so many batches; the arguments are those of ``step``.

    Weights have no copies, for they are held in the type of products (``models/inference.py``).
    """
    return Work(0.0, _TRAFFIC * kept + batches * weights, batches * _launches(shape, copies=False, low_rank=()))


def _launches(shape: Shape, copies: bool, low_rank: str | Sequence[str], adapters: int = 1) -> int:
    """Return the kernels of a forward pass, with matrices of low rank of adapters beside some of the linear layers."""
    each = _LINEAR_WITH_COPIES if copies else _LINEAR
    return sum(
        stack.layers * (_LAYER + each * len(stack.linears) + adapters * _LOW_RANK * len(stack.chosen(low_rank)))
        for stack in shape.stacks
    )
