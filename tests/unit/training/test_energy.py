"""The energy of a GPU, by a driver's library that is made up."""

import pytest
import torch
from xstilts.training import energy


class Library:
    """NVML with one GPU, which counts energy or does not."""

    def __init__(self, counts: bool = True) -> None:
        self.counts = counts

    def nvmlDeviceGetHandleByUUID(self, identity, handle):  # noqa: N802 (the library's name)
        handle._obj.value = 7
        return 0 if identity == b"GPU-1" else 6

    def nvmlDeviceGetTotalEnergyConsumption(self, handle, millijoules):  # noqa: N802 (the library's name)
        assert handle.value == 7
        millijoules._obj.value = 5_000_000_000_500
        return 0 if self.counts else 3


@pytest.mark.parametrize(
    ("library", "identity", "joules"),
    [(Library(), "GPU-1", 5_000_000_000.5), (Library(), "GPU-2", None), (Library(counts=False), "GPU-1", None)],
)
def test_energy_is_what_the_driver_counts(library, identity, joules):
    assert energy.counted(library, identity) == joules


def test_a_processor_tells_nothing():
    assert energy.joules(torch.device("cpu")) is None
