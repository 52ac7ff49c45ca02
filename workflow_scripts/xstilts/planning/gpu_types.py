"""GPU types: memory, and the throughput of matrix products."""

from dataclasses import dataclass

# the share of a GPU's peak throughput that a well-kept loop reaches
UTILISATION = 0.4


@dataclass(frozen=True)
class GpuType:
    """A GPU: memory in GB; dense rate of products of matrices in 10^12 operations a second, by their type."""

    memory: int
    bfloat16: float
    float32: float

    def throughput(self, precision: str) -> float:
        """Return the rate at which products of a type are computed, in operations a second."""
        return 1e12 * UTILISATION * (self.bfloat16 if precision == "bfloat16" else self.float32)


# NVIDIA's data sheets of the A100, H100 SXM, H200 SXM and L40S, without sparsity; float32 is TF32 on none of them, as
# products of float32 are not reduced here
GPU_TYPES = {
    "a100-40": GpuType(40, 312, 19.5),
    "a100-80": GpuType(80, 312, 19.5),
    "h100": GpuType(80, 989, 67),
    "h200": GpuType(141, 989, 67),
    "l40s": GpuType(48, 362, 91.6),
}
