"""The headline table of a study as text, its first paragraph, and where its report is."""

import textwrap
from pathlib import Path

from xstilts.evaluation import estimates, scores
from xstilts.reporting import paragraph, tables
from xstilts.reporting.layout import markdown
from xstilts.reporting.outputs import REPORT
from xstilts.store.study_plan import StudyPlan

_WIDTH = 100


def text(plan: StudyPlan, folder: Path) -> str:
    """Return the headline table and the plan's notes; then the first paragraph and the path of the report, if there.

    Args:
        plan: the study's plan.
        folder: the study's outputs.
    """
    cells = tables.main_rows(tables.main_frame(scores.read(folder / scores.FILE)))
    title = f"{plan.title}: zero-shot means, in percent; in brackets the gain over no intermediate training."
    lines = [markdown(cells, title, tables.LEGEND), *(f"{note}\n" for note in plan.notes)]
    if (folder / estimates.FILE).exists():
        said = _wrapped(paragraph.text(plan, estimates.read(folder / estimates.FILE)))
        lines.append(f"\n{said}\n\nSingle numbers in brackets are rows of the report's tables.\n")
    if (folder / REPORT).exists():
        lines.append(f"Report: {folder / REPORT}\n")
    return "\n" + "".join(lines)


def _wrapped(text: str) -> str:
    return textwrap.fill(text, _WIDTH, break_long_words=False, break_on_hyphens=False)
