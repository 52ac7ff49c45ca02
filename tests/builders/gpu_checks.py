"""Where parts of ``check-gpu`` compute in tests, and what a GPU might have shown."""

import torch
from xstilts.commands.check_gpu import expected
from xstilts.training.gpu_checks.checks import EQUAL, GPU, REPORTED, Check
from xstilts.training.gpu_checks.machine import Machine

NAME = "NVIDIA H100 80GB HBM3"
RATES = {"bfloat16": 700.0, "tf32": 350.0, "float32": 50.0, "bandwidth": 3e12, "launch": 4e-6}
FOUND = {
    "environment": [Check(GPU, NAME, "", REPORTED, {"memory": 85e9})],
    "rates": [Check(name, "as measured", "", REPORTED, {name: value}) for name, value in RATES.items()],
    "GPU = CPU": [Check("qwen3, lora, float32", "1.0e-06", "at most 1e-04", EQUAL, {"difference": 1e-6})],
}


def machine(scratch, is_dry_run=True):
    """Return the CPU, with a rate that nobody has measured."""
    return Machine(torch.device("cpu"), is_dry_run, scratch, expected, throughput=1e12)
