"""GPU types: memory, rates and launch time, as data sheets state them or as they were measured on this machine."""

import re
from dataclasses import dataclass, replace
from pathlib import Path

from xstilts.errors import UserError
from xstilts.store import gpu_report
from xstilts.store.gpu_report import GpuReport

# the GPU type of what `xstilts check-gpu` measured on this machine, whatever it is called
MEASURED = "measured"
# the share of a data sheet's rate that large products of matrices reach, and seconds from one kernel to the next where
# Python starts them: assumptions, until this machine is measured
_REACHED, _LAUNCH = 0.7, 5e-6


@dataclass(frozen=True)
class GpuType:
    """A GPU.

    Attributes:
        name: what config.yaml calls it.
        memory: in GB.
        bfloat16: dense products of matrices, in 10^12 operations a second.
        float32: those of float32, which are not reduced to TF32 here.
        bandwidth: of its memory, in 10^12 bytes a second.
        reached: the share of these rates of products that large matrices reach.
        launch: seconds from the start of a small kernel to that of the next.
    """

    name: str
    memory: float
    bfloat16: float
    float32: float
    bandwidth: float
    reached: float = _REACHED
    launch: float = _LAUNCH

    @property
    def usable(self) -> float:
        """Bytes of memory that a plan may fill: a tenth stays free."""
        return 0.9e9 * self.memory

    def rate(self, precision: str) -> float:
        """Return how fast large products of a type are computed, in operations a second."""
        return 1e12 * self.reached * (self.bfloat16 if precision == "bfloat16" else self.float32)

    def is_of(self, report: GpuReport) -> bool:
        """Tell whether a measured GPU is of this type: by its name, and its memory to a tenth."""
        words = re.split("[^A-Z0-9]+", report.gpu.upper())
        return self.name.partition("-")[0].upper() in words and abs(report.memory / 1e9 / self.memory - 1) < 0.1


# NVIDIA's data sheets of the A100, H100 SXM, H200 SXM and L40S, without sparsity
GPU_TYPES = {
    kind.name: kind
    for kind in (
        GpuType("a100-40", 40, 312, 19.5, 1.555),
        GpuType("a100-80", 80, 312, 19.5, 2.039),
        GpuType("h100", 80, 989, 67, 3.35),
        GpuType("h200", 141, 989, 67, 4.8),
        GpuType("l40s", 48, 362, 91.6, 0.864),
    )
}


def of_machine(name: str, results: Path) -> GpuType:
    """Return the GPU type that config.yaml names, with what was measured of it.

    Args:
        name: a key of ``GPU_TYPES``, or ``measured`` for the GPU that was.
        results: the results folder, where ``xstilts check-gpu`` has left what it measured.

    Raises:
        UserError: if it is to be a measured one, and none was measured or several were; if several were measured that
            are of the type; as ``gpu_report.read``.
    """
    reports = gpu_report.of_machine(results)
    folder, known = results / gpu_report.FOLDER, ", ".join(GPU_TYPES)
    if name == MEASURED:
        if not reports:
            raise UserError(
                f"gpu_type: measured, but {folder} has no file of a GPU; run xstilts check-gpu on one, or name one of"
                f" {known}"
            )
        if len(reports) > 1:
            names = ", ".join(report.gpu for report in reports)
            raise UserError(
                f"gpu_type: measured, but {folder} has files of several GPUs ({names}); name the type of one: {known}"
            )
        return _measured(GpuType(reports[0].gpu, 0, 0, 0, 0), reports[0])
    stated = GPU_TYPES[name]
    fitting = [report for report in reports if stated.is_of(report)]
    if len(fitting) > 1:
        names = ", ".join(report.gpu for report in fitting)
        raise UserError(f"gpu_type: {name}: {folder} has files of several such GPUs ({names}); delete all but one")
    return _measured(stated, fitting[0]) if fitting else stated


def _measured(stated: GpuType, report: GpuReport) -> GpuType:
    """Return a GPU type as it was measured, and as stated where a rate was not.

    Raises:
        UserError: if a rate that is needed is neither measured nor stated.
    """

    def rate(name: str, otherwise: float) -> float:
        found = report.rates.get(name) or _REACHED * otherwise
        if not found:
            raise UserError(f"{report.gpu}: its rate of {name} was not measured; run xstilts check-gpu again")
        return found

    return replace(
        stated,
        memory=report.memory / 1e9,
        bfloat16=rate("bfloat16", stated.bfloat16),
        float32=rate("float32", stated.float32),
        bandwidth=report.bandwidth / 1e12,
        reached=1.0,
        launch=report.launch,
    )
