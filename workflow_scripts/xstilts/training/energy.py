"""The energy of a GPU, by the counter of its driver (NVIDIA Management Library, ``libnvidia-ml``)."""

import ctypes
from functools import cache
from typing import Any

import torch


@cache
def _library() -> Any:
    """Return the driver's library, ready to be asked; None where there is none."""
    try:
        library = ctypes.CDLL("libnvidia-ml.so.1")
    except OSError:
        return None
    return library if library.nvmlInit_v2() == 0 else None


def joules(device: torch.device) -> float | None:
    """Return the energy that a GPU has used since its driver was loaded; None where nothing tells.

    Args:
        device: of this process.
    """
    if device.type != "cuda" or _library() is None:
        return None
    identity = f"GPU-{torch.cuda.get_device_properties(device).uuid}"
    return counted(_library(), identity)


def counted(library: Any, identity: str) -> float | None:
    """Return the joules that the driver's library has counted of a GPU; None where it does not count.

    ``nvmlDeviceGetTotalEnergyConsumption`` gives millijoules, of GPUs since Volta.

    Args:
        library: NVML.
        identity: the GPU's UUID, as ``nvidia-smi -L`` has it.
    """
    handle, millijoules = ctypes.c_void_p(), ctypes.c_ulonglong()
    if library.nvmlDeviceGetHandleByUUID(identity.encode(), ctypes.byref(handle)) != 0:
        return None
    if library.nvmlDeviceGetTotalEnergyConsumption(handle, ctypes.byref(millijoules)) != 0:
        return None
    return millijoules.value / 1000
