"""Another process that reads a file while it is written again."""

from collections.abc import Callable
from pathlib import Path

BEFORE = "as it was before\n"


def read_by_another(path: Path) -> Callable[[], str]:
    """Write a file and open it; the function reads it to its end, whatever has become of the name."""
    path.write_text(BEFORE)
    file = open(path)  # noqa: SIM115 (open until it is read)
    return file.read
