"""How fast the device is: products of matrices by type, memory, copies from the host, and launches."""

import time
from collections.abc import Callable, Iterator

import torch

from xstilts.training.gpu_checks.checks import REPORTED, Check
from xstilts.training.gpu_checks.machine import Machine

# rows of square matrices; numbers of a vector in float32, a GB; and seconds for each rate
_ROWS, _NUMBERS, _SECONDS = 8192, 2**28, 1.0
_TINY_ROWS, _TINY_NUMBERS, _TINY_SECONDS = 64, 2**12, 0.01
# name: type of the numbers, and whether products of them may be rounded to TF32's 10 bits
_TYPES = {"bfloat16": (torch.bfloat16, False), "tf32": (torch.float32, True), "float32": (torch.float32, False)}


def run(machine: Machine) -> Iterator[Check]:
    """Yield a row for each rate."""
    numbers = _TINY_NUMBERS if machine.is_dry_run else _NUMBERS
    for name in _TYPES:
        rate = products(machine, name)
        shown = f"{rate / 1e12:.3g} TFLOP/s"
        yield Check(f"products of {name}", shown, "", REPORTED, {name: rate / 1e12})
    source = torch.zeros(numbers, device=machine.device)
    target = torch.empty_like(source)
    # each number is read and written
    bandwidth = 2 * source.nbytes / seconds(machine, lambda: target.copy_(source))
    yield Check("memory", f"{bandwidth / 1e9:.4g} GB/s", "", REPORTED, {"bandwidth": bandwidth})
    host = torch.zeros(numbers // 4)
    for name, each in (("as it is", host), ("pinned", host.pin_memory() if machine.has_gpu else host)):
        rate = _copies(machine, each, target[: len(host)])
        yield Check(f"host to device, {name}", f"{rate / 1e9:.3g} GB/s", "", REPORTED)
    one = torch.zeros(1, device=machine.device)
    launch = seconds(machine, lambda: one.add_(1), together=1000)
    yield Check("launch of a kernel", f"{launch * 1e6:.2f} microseconds", "", REPORTED, {"launch": launch})


def products(machine: Machine, name: str) -> float:
    """Return the operations a second of products of square matrices of a type: bfloat16, tf32 or float32."""
    dtype, is_rounded = _TYPES[name]
    rows = _TINY_ROWS if machine.is_dry_run else _ROWS
    a, b = (torch.randn(rows, rows, device=machine.device).to(dtype) for _ in range(2))
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision("high" if is_rounded else "highest")
    try:
        return 2 * rows**3 / seconds(machine, lambda: a @ b)
    finally:
        torch.set_float32_matmul_precision(before)


def _copies(machine: Machine, host: torch.Tensor, target: torch.Tensor) -> float:
    """Return the bytes a second of copies to the device."""
    return host.nbytes / seconds(machine, lambda: target.copy_(host, non_blocking=True))


def seconds(machine: Machine, action: Callable[[], object], together: int = 10) -> float:
    """Return how long an action takes, as the mean over as many as fit into a second.

    Args:
        machine: where it is done.
        action: what is done.
        together: how often it is done before the device is waited for.
    """
    limit = _TINY_SECONDS if machine.is_dry_run else _SECONDS
    for _ in range(3):
        action()
    machine.synchronise()
    count, started = 0, time.perf_counter()
    while time.perf_counter() - started < limit:
        for _ in range(together):
            action()
        machine.synchronise()
        count += together
    return (time.perf_counter() - started) / count
