"""The headline table of a study as text, and where its report is."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from xstilts.reporting import tables


def text(plan: Mapping[str, Any], folder: Path) -> str:
    """Return the headline table, the plan's notes, and the path of the report where there is one.

    Args:
        plan: the content of plan.json.
        folder: the study's outputs.
    """
    header, rows = tables.main_rows(tables.main_frame(pd.read_parquet(folder / "scores.parquet")))
    title = (
        f"{tables.study_title(plan)}: zero-shot means, in percent; in brackets the gain over no intermediate training."
    )
    lines = [tables.markdown(header, rows, title), *(f"{note}\n" for note in plan["notes"])]
    if (folder / "report.html").exists():
        lines.append(f"Report: {folder / 'report.html'}\n")
    return "\n" + "".join(lines)
