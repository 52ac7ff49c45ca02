"""What ``check-gpu`` found, as people read it: rows of a terminal, and a section of a document."""

from collections.abc import Sequence
from pathlib import Path

from xstilts.errors import UserError, reading
from xstilts.reporting import layout
from xstilts.store import gpu_report
from xstilts.store.files import write_atomically
from xstilts.training.gpu_checks import report
from xstilts.training.gpu_checks.checks import Check

HEADER = ["part", "check", "measured", "bar", "verdict"]
# the lines around the section
BEGIN, END = "<!-- measured on GPUs -->", "<!-- end of measured on GPUs -->"
_NOTHING = "Nothing has been measured on a GPU: `xstilts check-gpu` measures."
_WIDTHS = (17, 52, 62, 14)


def line(cells: Sequence[str]) -> str:
    """Return cells as a line of a terminal; all but the last are as wide as those of other lines."""
    return "  ".join([*(cell.ljust(width) for cell, width in zip(cells, _WIDTHS, strict=False)), cells[-1]])


def cells(part: str, check: Check) -> list[str]:
    """Return the cells of a check."""
    return [part, check.what, check.measured, check.bar, check.verdict]


def section(results: Path) -> str:
    """Return what was measured of each GPU as Markdown.

    Args:
        results: the results folder.

    Raises:
        UserError: if a file on a GPU is none.
    """
    paths = sorted((results / gpu_report.FOLDER).glob("*.json"))
    return "\n\n".join(_of_gpu(report.read(path)) for path in paths) or _NOTHING


def _of_gpu(measured: report.Measured) -> str:
    rows = [cells(part, check) for part, found in measured.checks.items() for check in found]
    return layout.markdown((HEADER, rows), f"{measured.gpu} (`xstilts check-gpu`, {measured.made}):").strip()


def write_section(document: Path, results: Path) -> None:
    """Write what was measured of GPUs between the two lines of a document that are for it.

    Raises:
        UserError: if it has no such lines, or cannot be read.
    """
    with reading(document, "name a document such as docs/performance.md"):
        text = document.read_text(encoding="utf-8")
    before, begin, rest = text.partition(f"{BEGIN}\n")
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise UserError(f"{document}: has no lines {BEGIN} and {END}; add them where the section goes")
    write_atomically(document, f"{before}{begin}{section(results)}\n{end}{after}")
