"""The headline table of a study as text, and where its report is."""

from pathlib import Path

from xstilts.evaluation import scores
from xstilts.reporting import tables
from xstilts.reporting.layout import markdown
from xstilts.store.study_plan import StudyPlan


def text(plan: StudyPlan, folder: Path) -> str:
    """Return the headline table, the plan's notes, and the path of the report where there is one.

    Args:
        plan: the study's plan.
        folder: the study's outputs.
    """
    cells = tables.main_rows(tables.main_frame(scores.read(folder / scores.FILE)))
    title = f"{plan.title}: zero-shot means, in percent; in brackets the gain over no intermediate training."
    lines = [markdown(cells, title, tables.LEGEND), *(f"{note}\n" for note in plan.notes)]
    if (folder / "report.html").exists():
        lines.append(f"Report: {folder / 'report.html'}\n")
    return "\n" + "".join(lines)
