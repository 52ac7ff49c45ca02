"""Bytes of a backbone's weights by how it is computed: as they are held, as they are multiplied, as they are read."""

from xstilts.planning.model_size import Shape
from xstilts.store.specs.models import Numerics

# a number in 4-bit NormalFloat with its share of scales, which are quantised, too: 0.127 bits (Dettmers et al. 2023,
# QLoRA, section 3, Double Quantization)
_QUANTISED = (4 + 8 / 64 + 32 / (64 * 256)) / 8


def bytes_of(dtype: str) -> int:
    """Return the bytes of a number."""
    return 2 if dtype == "bfloat16" else 4


def held(shape: Shape, numerics: Numerics, shards: int = 1) -> float:
    """Return the bytes of the weights on all GPUs together among which they are divided.

    Of matrices in 4 bits each has all (``models/quantisation.py``), and for a while the largest as it is multiplied.
    """
    each = bytes_of(numerics.dtype)
    if numerics.quantised is None:
        return float(each * shape.parameters)
    largest = max(inputs * outputs for stack in shape.stacks for inputs, outputs in stack.linears.values())
    matrices = _QUANTISED * shape.matrices + bytes_of(numerics.precision) * largest
    return each * (shape.parameters - shape.matrices) + shards * matrices


def copies(shape: Shape, numerics: Numerics) -> float:
    """Return the bytes of the copies that products of matrices in another type than that of the weights need."""
    return 2.0 * shape.matrices if numerics.precision == "bfloat16" and numerics.dtype == "float32" else 0.0


def gathered(shape: Shape, numerics: Numerics) -> float:
    """Return the bytes that one of several GPUs has for a while beside its shard: a layer, and what is in none."""
    layer = max(stack.matrices // stack.layers for stack in shape.stacks) if numerics.quantised is None else 0
    return float(bytes_of(numerics.dtype) * (shape.parameters - shape.matrices + layer))


def traffic(shape: Shape, numerics: Numerics, gpus: int = 1, replicas: int = 1) -> float:
    """Return the bytes of the matrices that go through the memory of all GPUs in a pass.

    A number is read for its product, and read and written once more where there is a copy, where each GPU casts what it
    holds and reads the whole. In 4 bits it is read, and written and read as it is multiplied.

    Args:
        shape: of the model.
        numerics: how it is computed.
        gpus: how many compute.
        replicas: how many copies of the weights these have together.
    """
    product = bytes_of(numerics.precision)
    if numerics.quantised is not None:
        return gpus * (_QUANTISED + 2 * product) * shape.matrices
    return gpus * product * shape.matrices + 3 * replicas * copies(shape, numerics)
