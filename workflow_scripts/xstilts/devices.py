"""Which device a job may use: on a machine with several GPUs, each local job takes one that no other job has."""

import fcntl
import logging
import os
import subprocess
import time
from pathlib import Path
from typing import IO

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


def claim_gpu(locks: Path) -> None:
    """Take a free GPU for this process by its lock and set CUDA_VISIBLE_DEVICES; wait while all are taken.

    Nothing is done where a cluster or the user has set CUDA_VISIBLE_DEVICES, or where there is no GPU.

    Args:
        locks: folder of the lock files, one a device; a lock is held until the process ends.
    """
    devices = 0 if "CUDA_VISIBLE_DEVICES" in os.environ else count_gpus()
    if devices == 0:
        return
    locks.mkdir(parents=True, exist_ok=True)
    told = False
    while True:
        for device in range(devices):
            file = open(locks / f"gpu-{device}.lock", "a+", encoding="utf-8")  # noqa: SIM115 (open while it is held)
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                file.close()
                continue
            os.environ["CUDA_VISIBLE_DEVICES"] = str(device)
            log.info("using GPU %d", device)
            _held.append(file)
            return
        if not told:
            log.info("all %d GPUs are taken; waiting", devices)
            told = True
        time.sleep(1)
