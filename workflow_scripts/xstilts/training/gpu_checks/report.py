"""The file on a GPU, ``results/hardware/<gpu>.json``: rates for ``xstilts estimate``, and all that was checked."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import Any

from xstilts.errors import reading
from xstilts.store import gpu_report
from xstilts.store.files import write_atomically
from xstilts.store.gpu_report import GpuReport
from xstilts.training.gpu_checks.checks import Check

# the names of rates in rows, as the file has them
_RATES = ("bfloat16", "tf32", "float32")


@dataclass(frozen=True)
class Measured:
    """What was measured of a GPU.

    Attributes:
        gpu: its name, as the driver has it.
        made: the day.
        checks: the rows, by part.
    """

    gpu: str
    made: str
    checks: Mapping[str, Sequence[Check]]


def write(checks: Mapping[str, Sequence[Check]], gpu: str, results: Path) -> Path | None:
    """Write the file on a GPU, and return its path; nothing where its rates are not there (yet).

    Args:
        checks: the rows, by part.
        gpu: the GPU's name, as the driver has it.
        results: the results folder.
    """
    values = numbers([row for part in ("environment", "rates") for row in checks.get(part, ())])
    if not {*_RATES, "bandwidth", "launch", "memory"} <= values.keys():
        return None
    stated = GpuReport(
        gpu=gpu,
        rates={name: values[name] for name in _RATES},
        bandwidth=values["bandwidth"],
        launch=values["launch"],
        memory=int(values["memory"]),
    )
    made: dict[str, Any] = {"made": date.today().isoformat()}
    rows = {"checks": {part: [asdict(row) for row in found] for part, found in checks.items()}}
    path = gpu_report.path_of(results, gpu)
    write_atomically(path, json.dumps(asdict(stated) | made | rows, indent=1) + "\n")
    return path


def numbers(rows: Sequence[Check]) -> dict[str, float]:
    """Return the numbers behind rows, by name."""
    return {name: value for row in rows for name, value in row.values.items()}


def read(path: Path) -> Measured:
    """Read the file on a GPU.

    Raises:
        UserError: if it is no such file.
    """
    stated = gpu_report.read(path)
    with reading(path, "delete it, or measure again"):
        content = json.loads(path.read_text(encoding="utf-8"))
        checks = {part: [Check(**row) for row in rows] for part, rows in content["checks"].items()}
        return Measured(stated.gpu, content["made"], checks)
