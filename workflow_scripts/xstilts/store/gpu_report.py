"""What was measured of this machine's GPUs, one file a GPU: ``results/hardware/<gpu>.json``. It decides no result.

``xstilts check-gpu`` writes the file, with whatever else it found beside these keys; planning reads the keys alone.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pydantic import PositiveFloat, PositiveInt, TypeAdapter, ValidationError

from xstilts.errors import UserError

FOLDER = "hardware"


@dataclass(frozen=True, kw_only=True)
class GpuReport:
    """What was measured of a GPU.

    Attributes:
        gpu: its name, as the driver has it.
        rates: products of matrices in 10^12 operations a second, by their type: ``bfloat16``, ``tf32``, ``float32``.
        bandwidth: bytes a second between its memory and its cores.
        launch: seconds from the start of one small kernel to that of the next.
        memory: bytes, all of it.
    """

    gpu: str
    rates: Mapping[str, PositiveFloat]
    bandwidth: PositiveFloat
    launch: PositiveFloat
    memory: PositiveInt


def path_of(results: Path, gpu: str) -> Path:
    """Return the path of the file on a GPU.

    Args:
        results: the results folder.
        gpu: the GPU's name, as the driver has it.
    """
    return results / FOLDER / f"{re.sub('[^a-z0-9]+', '-', gpu.lower()).strip('-')}.json"


def read(path: Path) -> GpuReport:
    """Read the file on a GPU.

    Raises:
        UserError: if it is no such file.
    """
    try:
        return TypeAdapter(GpuReport).validate_json(path.read_bytes())
    except ValidationError as error:
        first = error.errors()[0]
        # a text that is no JSON has no key
        found = ": ".join(filter(None, (".".join(map(str, first["loc"])), first["msg"])))
        raise UserError(f"{path}: not what xstilts check-gpu writes ({found}); delete it, or measure again") from None


def of_machine(results: Path) -> list[GpuReport]:
    """Return what was measured of each GPU.

    Args:
        results: the results folder.

    Raises:
        UserError: as ``read``.
    """
    return [read(path) for path in sorted((results / FOLDER).glob("*.json"))]
