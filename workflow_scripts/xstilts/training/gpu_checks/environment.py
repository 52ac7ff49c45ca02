"""What this machine has: GPU, driver, build of torch, bfloat16, NCCL, compiler, free memory."""

import shutil
from collections.abc import Iterator
from importlib import metadata

import torch

from xstilts.errors import UserError
from xstilts.models import distributed
from xstilts.store import provenance
from xstilts.training.gpu_checks.checks import GPU, REPORTED, Check
from xstilts.training.gpu_checks.machine import Machine


def run(machine: Machine) -> Iterator[Check]:
    """Yield a row for each thing that there has to be, and for what there is.

    Raises:
        UserError: if there is no GPU, or CUDA does not work on it.
    """
    versions = ", ".join(f"{name} {metadata.version(name)}" for name in ("torch", "transformers", "peft"))
    yield Check("libraries", versions, "", REPORTED)
    compiler = shutil.which("g++") or shutil.which("clang++")
    yield Check("C++ compiler", compiler or "none: nothing can be compiled", "", REPORTED)
    if machine.is_dry_run:
        yield Check("CUDA", "not used: a dry run on the CPU", "usable", machine.judge(False))
        return
    if distributed.device().type != "cuda":
        raise UserError("no GPU: the driver lists none; run it where there is one, or with --dry-run on the CPU")
    properties = torch.cuda.get_device_properties(0)
    free, memory = torch.cuda.mem_get_info()
    capability = f"compute capability {properties.major}.{properties.minor}"
    yield Check(GPU, properties.name, "", REPORTED, {"memory": memory})
    what = f"{capability}, {memory / 1e9:.0f} GB, {torch.cuda.device_count()} of them"
    yield Check("CUDA", what, "usable", machine.judge(True))
    yield Check("free memory", f"{free / 1e9:.1f} GB", "95 % of it", machine.judge(free >= 0.95 * memory))
    driver = provenance.driver() or "not known"
    build = f"driver {driver}, torch built for CUDA {torch.version.cuda}, cuDNN {torch.backends.cudnn.version()}"
    yield Check("driver and build", build, "", REPORTED)
    has_bfloat16 = torch.cuda.is_bf16_supported(including_emulation=False)
    yield Check("bfloat16", "yes" if has_bfloat16 else "no", "yes", machine.judge(has_bfloat16))
    has_nccl = torch.distributed.is_available() and torch.distributed.is_nccl_available()
    nccl = ".".join(map(str, torch.cuda.nccl.version())) if has_nccl else "none"
    yield Check("NCCL", nccl, "there", machine.judge(has_nccl))
