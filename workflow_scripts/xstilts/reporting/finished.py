"""Whether the report of a study is there and shows what is there now."""

from pathlib import Path

from xstilts.errors import UserError
from xstilts.reporting.outputs import REPORT
from xstilts.store import study_plan

# what a report shows, in the folder of the study's outputs
_SHOWN = ("*.parquet", "analyses/*", "tables/*", "figures/*")


def report_of(folder: Path, remedy: str) -> Path:
    """Return the path of a study's report.

    Args:
        folder: the folder of the study's outputs.
        remedy: what a person does to have the report made.

    Raises:
        UserError: if the folder has no report, or one that is older than what it shows; it says the remedy.
    """
    path = folder / REPORT
    if not (folder / study_plan.FILE).exists():
        raise UserError(f"{folder}: no outputs of a study are there; {remedy}")
    if not path.exists():
        raise UserError(f"{folder}: its report is not made yet; {remedy}")
    made = path.stat().st_mtime
    newer = [file for pattern in _SHOWN for file in sorted(folder.glob(pattern)) if file.stat().st_mtime > made]
    if newer:
        raise UserError(f"{path}: older than {newer[0].relative_to(folder)}, which it shows; {remedy}")
    return path
