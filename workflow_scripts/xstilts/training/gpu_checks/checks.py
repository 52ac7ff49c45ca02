"""Rows of the table of ``check-gpu``: what was checked, what was measured, the bar, and the verdict."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

# an equality
EQUAL, DIFFERS, NOT_REACHED = "equal", "differs", "not reached"
# a bar, or none
MET, MISSED, REPORTED = "met", "missed", "reported"
# tiny models on a CPU are no measurement, and not every machine has what a part needs
NOT_JUDGED, NOT_RUN = "not judged", "not run"
FAILED = (DIFFERS, NOT_REACHED)
# the row that names the GPU
GPU = "GPU"


@dataclass(frozen=True)
class Check:
    """One row.

    Attributes:
        what: what is checked.
        measured: what was found, with its unit.
        bar: what it has to come to; empty where it is reported alone.
        verdict: one of this module's words.
        values: numbers behind it, by name, for those who read on.
    """

    what: str
    measured: str
    bar: str
    verdict: str
    values: Mapping[str, float] = field(default_factory=dict)


def largest_difference(these: ArrayLike, those: ArrayLike) -> float:
    """Return the largest difference between numbers, in their order; NaN where one of them is NaN."""
    return float(np.max(np.abs(np.subtract(these, those))))


def equality(what: str, difference: float, limit: float) -> Check:
    """Return the check of a largest difference; one that is no number differs."""
    verdict = EQUAL if difference <= limit else DIFFERS
    return Check(what, f"{difference:.1e}", f"at most {limit:.0e}", verdict, {"difference": difference})


def write(check: Check, path: Path) -> None:
    """Add a check to a file, a line of JSON each."""
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(asdict(check)) + "\n")


def read(path: Path) -> list[Check]:
    """Return the checks of a file; none where it is not there, and none of a last line that was being written."""
    lines: Iterable[str] = path.read_text(encoding="utf-8").splitlines(keepends=True) if path.exists() else ()
    return [Check(**json.loads(line)) for line in lines if line.endswith("\n")]
