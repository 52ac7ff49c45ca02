"""Several processes that train one model: what each has of it, and what they tell each other.

A rule with several GPUs starts as many processes (``training/launcher.py``), each of which computes its share of every
batch. A copy of the weights and of the optimiser's moments is held by one process, or divided among several, which have
a shard of each (fully sharded data parallel, Zhao et al. 2023, PyTorch FSDP). There is one copy, or several replicas:
one in every process (data parallel), or one on every node (hybrid sharding, Zhao et al. 2023, section 3.2.2). Replicas
stay equal, for all take the same steps with the same gradients. A process alone is a group of one, for which nothing
here does anything.
"""

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, TypeVar

import torch
from torch import nn

from xstilts.errors import UserError, first_line
from xstilts.hardware import NO_GPU
from xstilts.models import stacks

# how a job knows that it was given a GPU: the lock of this machine or the cluster says which, the former first
_GIVEN_BY = ("CUDA_VISIBLE_DEVICES", "SLURM_STEP_GPUS", "SLURM_JOB_GPUS")
# how long a process waits for the others: in the midst of a step, and where one reads or writes the files of a model or
# of its optimiser while the others wait
_TIMEOUT, _SLOW_TIMEOUT = timedelta(minutes=10), timedelta(minutes=60)
# numbers that are summed over processes at once, in a copy of them: 64 MB in float32
_BUCKET = 2**24
M = TypeVar("M", bound=nn.Module)
# what gloo and NCCL say of a process that has ended
_HAS_ENDED = re.compile(
    "Connection (closed|reset) by|Broken pipe|Connection refused|remote process exited|ncclRemoteError"
)


@dataclass(frozen=True)
class Group:
    """The processes of a training run.

    Attributes:
        rank: which of them this is.
        size: how many there are.
        shards: among how many of them, consecutive by rank, a copy of the weights is divided; a divisor of ``size``.
        slow: their connections for what may take the first one long, as files do; on the CPU.
    """

    rank: int = 0
    size: int = 1
    shards: int = 1
    slow: Any = None

    @property
    def leads(self) -> bool:
        """Whether this process writes the files."""
        return self.rank == 0

    @property
    def shard(self) -> int:
        """Which shard of the weights this process holds."""
        return self.rank % self.shards

    @property
    def is_first_replica(self) -> bool:
        """Whether this process is one of those that write what they hold of the weights, each its shard."""
        return self.rank < self.shards

    def sums(self, values: Sequence[torch.Tensor], *others: float) -> list[float]:
        """Return the sums of numbers over all processes in float64, at once: of tensors with one, then of others."""
        numbers = torch.stack([value.double() for value in values])
        numbers = torch.cat([numbers, torch.tensor(others, dtype=torch.float64).to(numbers.device)])
        if self.size > 1:
            numbers = numbers.to(device())
            torch.distributed.all_reduce(numbers)
        return numbers.tolist()

    def average(self, gradients: Sequence[torch.Tensor]) -> None:
        """Overwrite gradients of weights that every process holds whole with their means over all processes.

        Those of sharded weights PyTorch has averaged in the backward pass.

        Args:
            gradients: of the same weights in all processes, which call it together.
        """
        if self.size == 1 or self.shards > 1:
            return
        for bucket in _buckets(gradients):
            # a copy of all in it, but of one alone that is in memory as it is sent
            is_sent = len(bucket) == 1 and bucket[0].is_contiguous()
            flat = bucket[0] if is_sent else torch.cat([gradient.flatten() for gradient in bucket])
            torch.distributed.all_reduce(flat)
            flat /= self.size
            if not is_sent:
                parts = flat.split([gradient.numel() for gradient in bucket])
                torch._foreach_copy_(bucket, [part.view_as(one) for part, one in zip(parts, bucket, strict=True)])

    def share(self, value: Any) -> Any:
        """Return the first process's value."""
        if self.size == 1:
            return value
        values = [value]
        torch.distributed.broadcast_object_list(values, group=self.slow)
        return values[0]

    def all(self, value: Any) -> list[Any]:
        """Return the values of all processes, by rank."""
        if self.size == 1:
            return [value]
        values = [None] * self.size
        torch.distributed.all_gather_object(values, value, group=self.slow)
        return values

    def with_own_connections(self) -> "Group":
        """Return the same processes with connections that a thread has for itself; all call it."""
        return self if self.size == 1 else replace(self, slow=_slow_connections())

    def wait(self) -> None:
        """Wait until all processes are here, the first of which may have written or read many files."""
        if self.size > 1:
            torch.distributed.barrier(group=self.slow)

    def leave(self) -> None:
        """End the connections; all processes do."""
        if self.size > 1:
            torch.distributed.destroy_process_group()


def _buckets(tensors: Sequence[torch.Tensor]) -> Iterator[list[torch.Tensor]]:
    """Yield tensors in groups of at most ``_BUCKET`` numbers, in their order; one that is larger alone."""
    bucket: list[torch.Tensor] = []
    for tensor in tensors:
        if bucket and sum(one.numel() for one in bucket) + tensor.numel() > _BUCKET:
            yield bucket
            bucket = []
        bucket.append(tensor)
    if bucket:
        yield bucket


def join(size: int) -> Group:
    """Return the group of so many processes, among all of which weights are divided.

    By its environment variables this process knows which it is of them.
    """
    if size == 1:
        return Group()
    backend = "gloo"
    if device().type == "cuda":
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
        backend = "nccl"
    torch.distributed.init_process_group(backend, timeout=_TIMEOUT)
    return Group(int(os.environ["RANK"]), size, size, _slow_connections())


def _slow_connections() -> Any:
    return torch.distributed.new_group(backend="gloo", timeout=_SLOW_TIMEOUT)


def has_others() -> bool:
    """Tell whether this process computes together with others (``join``)."""
    return torch.distributed.is_available() and torch.distributed.is_initialized()


def lost(error: RuntimeError) -> str | None:
    """Return what an error of a collective says of the other processes; None for any other error.

    An empty text is said of a process that has ended: whoever waits for it knows why.
    """
    text = str(error)
    if _HAS_ENDED.search(text):
        return ""
    if re.search(r"Timed out|timed out|timeout", text):
        return f"processes waited in vain for one another: {first_line(error):.200}"
    return None


def device() -> torch.device:
    """Return where this process computes: its GPU where there is one, else the CPU.

    Raises:
        UserError: if it was given a GPU and CUDA does not work.
    """
    given = next((f"{name}={os.environ[name]}" for name in _GIVEN_BY if name in os.environ), "")
    is_given = given.partition("=")[2] not in NO_GPU
    if not is_given and not torch.cuda.is_available():
        return torch.device("cpu")
    try:
        # what asks the driver's library alone does not see that the driver is older than the build
        torch.cuda.init()
    # without CUDA in the build an AssertionError
    except (RuntimeError, AssertionError) as error:
        reason = first_line(error)
        raise UserError(
            f"this job has a GPU ({given or 'the driver lists it'}), but CUDA does not work: {reason}; install a driver"
            " and a torch that fit each other, or set CUDA_VISIBLE_DEVICES to nothing to compute on the CPU"
        ) from None
    return torch.device("cuda")


def placed(model: M, device: torch.device, reduced: bool) -> M:
    """Return a model, moved to a device.

    Args:
        model: the model.
        device: where it computes.
        reduced: whether matrices are multiplied in bfloat16.

    Raises:
        UserError: if it is a GPU that cannot multiply as the recipe says.
    """
    if reduced and device.type == "cuda" and not torch.cuda.is_bf16_supported(including_emulation=False):
        raise UserError(
            f"recipe: precision: {torch.cuda.get_device_name(device)} does not multiply in bfloat16; set"
            " `precision: float32`, which gives other results at other paths"
        )
    return model.to(device)


def shard(model: nn.Module, group: Group, reduced: bool) -> None:
    """Give each process its shard of a model's weights, where they are divided: layer by layer, and the rest as one.

    Args:
        model: the model; changed in place.
        group: the processes.
        reduced: whether matrices are multiplied in bfloat16. Those of layers are then gathered in it: half the bytes,
            and no copies of them for autocast. Shards and sums of gradients stay in their own type.
    """
    # one may have read its weights long before another one
    group.wait()
    if group.shards == 1:
        return
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import MixedPrecisionPolicy, fully_shard

    # of two dimensions, PyTorch has replicas along the first one
    sizes = {"replicas": group.size // group.shards, "shards": group.shards}
    sizes = {name: size for name, size in sizes.items() if size > 1}
    mesh = init_device_mesh(device().type, tuple(sizes.values()), mesh_dim_names=tuple(sizes))
    policy = MixedPrecisionPolicy()
    if reduced:
        # as under autocast, what a layer reads stays as it is: sums of products are in float32
        policy = MixedPrecisionPolicy(torch.bfloat16, torch.float32, cast_forward_inputs=False)
    for layer in list(stacks.layers(model)):
        # each by itself: of several as one unit PyTorch frees weights that the backward pass still reads
        for norm in filter(_multiplies_no_matrix, list(layer.modules()) if reduced else ()):
            fully_shard(norm, mesh=mesh)
        fully_shard(layer, mesh=mesh, mp_policy=policy)
    fully_shard(model, mesh=mesh)


def _multiplies_no_matrix(module: nn.Module) -> bool:
    """Tell whether a module without modules in it has weights that autocast leaves as they are, as those of norms."""
    return not isinstance(module, nn.Linear) and not any(module.children()) and stacks.has_weights(module)


def keep_shards_alone(model: nn.Module) -> None:
    """Free what FSDP has left whole of a model that was computed without a backward pass: weights that are in no layer.

    Until then they would be read in place of this process's shards, and saved in place of them.
    """
    if has_others():
        from torch.distributed.fsdp import FSDPModule

        if isinstance(model, FSDPModule):
            model.reshard()


def whole(tensor: torch.Tensor) -> torch.Tensor:
    """Return all of a tensor of which this process may hold a shard; all processes must ask for it."""
    from torch.distributed.tensor import DTensor

    return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor


def local(tensor: torch.Tensor) -> torch.Tensor:
    """Return what this process holds of a tensor: its shard, or all where it is no shard; in the same memory."""
    from torch.distributed.tensor import DTensor

    return tensor.to_local() if isinstance(tensor, DTensor) else tensor


def alike(value: torch.Tensor, example: torch.Tensor) -> torch.Tensor:
    """Return a whole tensor as this process holds another one: its shard of it, on its device."""
    from torch.distributed.tensor import DTensor, distribute_tensor

    value = value.to(example.device)
    if isinstance(example, DTensor) and value.shape == example.shape:
        return distribute_tensor(value, example.device_mesh, example.placements, src_data_rank=None)
    return value


def gather(values: Mapping[str, torch.Tensor], group: Group) -> dict[str, torch.Tensor]:
    """Return tensors by name, whole, in the first process's main memory; nothing in the others, which must call it too.

    One at a time is whole on the device.
    """
    found = {}
    for name, value in values.items():
        value = whole(value.detach())
        if group.leads:
            found[name] = value.cpu()
    return found
