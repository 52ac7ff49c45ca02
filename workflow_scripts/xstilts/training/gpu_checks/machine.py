"""Where a part of ``check-gpu`` computes, and what is known of it."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch

from xstilts.hardware import Hardware
from xstilts.training.gpu_checks.checks import MET, MISSED, NOT_JUDGED
from xstilts.training.gpu_checks.trainings import Expected, Training


@dataclass(frozen=True)
class Machine:
    """Where a part computes.

    Attributes:
        device: the GPU; the CPU in a dry run.
        is_dry_run: whether models are tiny and no bar is judged but those of equalities.
        scratch: a folder for what parts write.
        expected: what ``xstilts estimate`` says of a training, which planning knows and no job does.
        throughput: products of bfloat16 matrices in operations a second, as the part on rates finds it; None before it.
    """

    device: torch.device
    is_dry_run: bool
    scratch: Path
    expected: Callable[[Training, Hardware], Expected]
    throughput: float | None = None

    @property
    def has_gpu(self) -> bool:
        """Whether it has one."""
        return self.device.type == "cuda"

    def judge(self, is_met: bool) -> str:
        """Return the verdict on a bar, which a dry run does not give."""
        return NOT_JUDGED if self.is_dry_run else MET if is_met else MISSED

    def synchronise(self) -> None:
        """Wait until the device has done what it was given."""
        if self.has_gpu:
            torch.cuda.synchronize()
