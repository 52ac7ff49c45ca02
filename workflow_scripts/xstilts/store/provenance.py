"""How nodes were made, in ``provenance.json``: host, hardware, time, cost, commit, versions. It decides no result."""

import json
import os
import platform
import re
import resource
import subprocess
import sys
import time
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from xstilts.errors import UserError

FILE = "provenance.json"
_PACKAGES = ("torch", "transformers", "tokenizers", "datasets", "pyarrow", "numpy", "snakemake", "bitsandbytes")


@dataclass(frozen=True, kw_only=True)
class Training:
    """How a training used the hardware.

    Attributes:
        processes: that trained together.
        max_tokens_per_device: tokens that were computed at once; None for whole batches.
        gradient_checkpointing: whether layers were computed again in the backward pass.
        tokens_per_second: over all its steps, without padding; None if there is no record of them.
        joules: energy of the GPUs for these steps, as many times that of the first process's as there are processes;
            None where its driver does not tell.
    """

    processes: int
    max_tokens_per_device: int | None
    gradient_checkpointing: bool
    tokens_per_second: float | None
    joules: float | None


@dataclass(frozen=True, kw_only=True)
class Provenance:
    """How a node was made. An earlier version did not note what it ran on: neither processor nor GPU.

    Attributes:
        host: name of the machine.
        platform: its operating system.
        python: version of Python.
        started: when, in UTC.
        wall_seconds: time that passed.
        cpu_seconds: time of all cores together; of several processes that train together, of the first.
        peak_memory_mb: the largest memory of a process, in MiB; of the first as well.
        processor: its name.
        processors: number of its cores.
        gpu: name of the GPU; None where none was used.
        gpus: how many were used.
        driver: version of the GPU's driver.
        peak_gpu_memory_mb: the largest memory that tensors had on the GPU, in MiB; of several processes of the first.
        training: how a training used the hardware; None of what is no training.
        commit: of this library; None outside a checkout.
        versions: of the packages that were imported; None of a package without metadata.
    """

    host: str
    platform: str
    python: str
    started: str
    wall_seconds: float
    cpu_seconds: float
    peak_memory_mb: float
    processor: str | None = None
    processors: int | None = None
    gpu: str | None = None
    gpus: int = 0
    driver: str | None = None
    peak_gpu_memory_mb: float | None = None
    training: Training | None = None
    commit: str | None
    versions: Mapping[str, str | None]

    @property
    def gpu_seconds(self) -> float:
        """Seconds times GPUs; 0 where none was used."""
        return self.wall_seconds * self.gpus


@cache
def _adapter() -> TypeAdapter[Provenance]:
    # made when something is read, for making it takes longer than a job that finds its node whole
    return TypeAdapter(Provenance)


def read(folder: Path) -> Provenance | None:
    """Return how a node was made; None where nothing says so.

    Args:
        folder: of the node.

    Raises:
        UserError: if the file is no provenance.
    """
    path = folder / FILE
    try:
        return _adapter().validate_json(path.read_bytes())
    except FileNotFoundError:
        return None
    except ValidationError as error:
        first = error.errors()[0]
        # a text that is no JSON has no key
        found = ": ".join(filter(None, (".".join(map(str, first["loc"])), first["msg"])))
        raise UserError(f"{path}: not the provenance of a node ({found}); delete the file") from None


def of_nodes(results: Path, nodes: Iterable[str]) -> dict[str, Provenance]:
    """Return how nodes were made, by id; those of which nothing says so are left out.

    Args:
        results: the results folder.
        nodes: their ids.
    """
    return {node: found for node in nodes if (found := read(results / node)) is not None}


def text(stated: Provenance) -> str:
    """Return the content of provenance.json."""
    return json.dumps(asdict(stated), indent=1) + "\n"


def of_process(started: float, spent: float = 0.0, training: Training | None = None) -> Provenance:
    """Return the provenance of what this process has made.

    Args:
        started: when the work began, in seconds since the epoch.
        spent: CPU-seconds of this process that were another node's.
        training: how a training used the hardware.
    """
    usage = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return Provenance(
        host=platform.node(),
        platform=platform.platform(),
        python=platform.python_version(),
        started=time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(started)),
        wall_seconds=round(time.time() - started, 2),
        cpu_seconds=round(cpu_seconds() - spent, 2),
        peak_memory_mb=round(max(each.ru_maxrss for each in usage) / 1024, 1),
        processor=_processor(),
        processors=os.cpu_count(),
        **_gpus(training.processes if training else 1),
        training=training,
        commit=_commit(),
        versions={name: _version(name) for name in _PACKAGES if name in sys.modules},
    )


def cpu_seconds() -> float:
    """Return what this process and those that it started have used."""
    usage = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(each.ru_utime + each.ru_stime for each in usage)


def _processor() -> str:
    """Return the name of the processor, as Linux states it, or else the architecture."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.machine()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def _gpus(processes: int) -> dict[str, Any]:
    """Return the GPU that this process has used, one of so many processes; nothing where it used none."""
    torch = sys.modules.get("torch")
    if torch is None or not torch.cuda.is_initialized():
        return {}
    return {
        "gpu": torch.cuda.get_device_name(),
        "gpus": processes,
        "driver": driver(),
        "peak_gpu_memory_mb": round(torch.cuda.max_memory_allocated() / 2**20, 1),
    }


def driver(path: Path = Path("/proc/driver/nvidia/version")) -> str | None:
    """Return the version of NVIDIA's driver, as its kernel module states it."""
    try:
        found = re.search(r"Kernel Module(?: for \S+)?\s+(\S+)", path.read_text(encoding="utf-8"))
    except OSError:
        return None
    return found[1] if found else None


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _commit() -> str | None:
    """Return the commit of this library's checkout, or None outside one."""
    command = ["git", "-C", str(Path(__file__).parent), "rev-parse", "HEAD"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True, timeout=10).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return None
