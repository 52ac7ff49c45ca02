"""Which device a job may use: on a machine with several GPUs, each local job takes those that no other job has."""

import fcntl
import logging
import os
import subprocess
import time
from pathlib import Path
from typing import IO

from xstilts.errors import UserError
from xstilts.hardware import NO_GPU

log = logging.getLogger(__name__)

# open lock files of this process
_held: list[IO[str]] = []


def count_gpus() -> int:
    """Return the number of NVIDIA GPUs of this machine, 0 where there is no driver."""
    try:
        listing = subprocess.run(["nvidia-smi", "-L"], capture_output=True, text=True, check=True, timeout=30).stdout
    except (OSError, subprocess.SubprocessError):
        return 0
    return sum(line.startswith("GPU ") for line in listing.splitlines())


def use_reproducible_kernels() -> None:
    """Have this process's GPU add in the same order every time; to be called before it computes anything.

    An operation without such a kernel is computed all the same, with a warning that names it.
    """
    # of cuBLAS, which else divides its work by what memory is free
    os.environ["CUBLAS_WORKSPACE_CONFIG"] = ":4096:8"
    import torch

    torch.use_deterministic_algorithms(True, warn_only=True)


def claim_gpus(locks: Path, number: int) -> None:
    """Take free GPUs for this process by their locks and set CUDA_VISIBLE_DEVICES; wait while too few are free.

    Nothing is done where a cluster or the user has set CUDA_VISIBLE_DEVICES, or where there is no GPU.

    Args:
        locks: folder of the lock files, one a device; a lock is held until the process ends.
        number: how many are needed.

    Raises:
        UserError: if this machine has fewer, or CUDA_VISIBLE_DEVICES names fewer.
    """
    given = os.environ.get("CUDA_VISIBLE_DEVICES")
    named = [one for one in (given or "").split(",") if one not in NO_GPU]
    devices = count_gpus() if given is None else len(named)
    if devices == 0:
        return
    if number > devices:
        where = f"this machine has {devices}" if given is None else f"CUDA_VISIBLE_DEVICES={given} names {devices}"
        raise UserError(
            f"{number} GPUs are asked for, but {where}; lower gpus_per_training in config.yaml, or the rule's resource"
            " `gpu`"
        )
    if given is not None:
        return
    locks.mkdir(parents=True, exist_ok=True)
    announced = False
    while True:
        free = _free(locks, devices)
        if len(free) >= number:
            taken = sorted(free)[:number]
            _held.extend(free[device] for device in taken)
            for device in set(free) - set(taken):
                free[device].close()
            os.environ["CUDA_VISIBLE_DEVICES"] = ",".join(map(str, taken))
            log.info("using GPU %s", os.environ["CUDA_VISIBLE_DEVICES"])
            return
        for file in free.values():
            file.close()
        if not announced:
            log.info("%d of %d GPUs are free; waiting for %d", len(free), devices, number)
            announced = True
        time.sleep(1)


def _free(locks: Path, devices: int) -> dict[int, IO[str]]:
    """Return the lock files of the devices that no other process has, locked by this one."""
    free: dict[int, IO[str]] = {}
    for device in range(devices):
        file = open(locks / f"gpu-{device}.lock", "a+", encoding="utf-8")  # noqa: SIM115 (open while it is held)
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            free[device] = file
        except BlockingIOError:
            file.close()
    return free
