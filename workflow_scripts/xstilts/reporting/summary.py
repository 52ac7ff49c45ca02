"""The headline table of a study as text, its first paragraph, and where its report is."""

import textwrap
from pathlib import Path

from xstilts.evaluation import estimates, scores
from xstilts.reporting import main_table, paragraph
from xstilts.reporting.layout import markdown
from xstilts.reporting.outputs import REPORT
from xstilts.store.answer import SMALLEST
from xstilts.store.study_plan import StudyPlan

_WIDTH = 100


def text(plan: StudyPlan, folder: Path) -> str:
    """Return the headline table and the plan's notes; then the first paragraph and the path of the report.

    Args:
        plan: the study's plan.
        folder: the study's outputs.
    """
    path = folder / estimates.FILE
    compared = estimates.read(path) if path.exists() else estimates.table([], SMALLEST)
    main = main_table.of_study(scores.read(folder / scores.FILE), compared, plan)
    title = _wrapped(f"{plan.title}: {main.caption}")
    lines = [markdown(main.cells, title, main.legend), *(f"{note}\n" for note in plan.notes)]
    if path.exists():
        said = _wrapped(paragraph.text(plan, compared))
        lines.append(f"\n{said}\n\nSingle numbers in brackets are rows of the report's tables.\n")
    else:
        lines.append("\nThe study has no estimates; make study, or snakemake --cores all, makes them.\n")
    if (folder / REPORT).exists():
        lines.append(f"Report: {folder / REPORT}\n")
    return "\n" + "".join(lines)


def _wrapped(text: str) -> str:
    return textwrap.fill(text, _WIDTH, break_long_words=False, break_on_hyphens=False)
