"""The folder of a paper: tables, figures, first paragraph, methods, bibliography, checklist, and an article of them."""

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from xstilts.reporting import paragraph, prompt_table, tables
from xstilts.reporting.latex import escape
from xstilts.reporting.paper import checklist, cost, data, figures, fitted, methods, settings
from xstilts.reporting.paper.prose import cited, in_latex
from xstilts.reporting.paper.trainings import Trainings
from xstilts.reporting.paper.works import Works, of_plan
from xstilts.reporting.wording import Sentence, Stated
from xstilts.store.study_plan import StudyPlan

_NOTE = "% Written by xstilts; written anew with the study. Edit a copy.\n"
# packages of a Debian's texlive-latex-recommended
_ARTICLE = r"""\documentclass[a4paper]{article}
\usepackage[margin=25mm]{geometry}
\usepackage{array,booktabs,graphicx}
\usepackage[round]{natbib}
%(preamble)s
\begin{document}
\title{%(title)s}
\author{}
\date{}
\maketitle
%(notice)s
\section{Result}
\input{paragraph}

\section{Methods}
\input{methods}

\section{Tables and figures}
%(inputs)s

\clearpage
\section{Responsible NLP checklist}
\input{checklist}

\bibliographystyle{plainnat}
\bibliography{references}
\end{document}
"""


def write(
    plan: StudyPlan,
    results: Path,
    scores: pd.DataFrame,
    layers: pd.DataFrame | None,
    few: pd.DataFrame | None,
    estimates: pd.DataFrame,
    folder: Path,
) -> None:
    """Write the paper of a study into an empty folder beside the study's figures.

    Args:
        plan: the study's plan.
        results: the results folder.
        scores: the table of scores.
        layers: that of all layers, where the study asks for it.
        few: that of few-shot scores, where the study asks for them.
        estimates: the table of estimates.
        folder: where to; ``figures`` is beside it.

    Raises:
        UserError: if the plan says nothing of a task of the study.
    """
    works = of_plan(plan)
    trainings = Trainings(plan, results)
    spent = cost.measured(plan, results)
    said = methods.sentences(trainings, estimates, works)
    answers = checklist.items(trainings, spent, works)
    folder.mkdir(parents=True, exist_ok=True)
    texts = {
        "paragraph.tex": _paragraph(paragraph.sentences(plan, estimates)),
        "methods.tex": in_latex(said) + "\n",
        "checklist.tex": checklist.latex(answers),
        "checklist.md": checklist.markdown(answers),
        "references.bib": works.bibliography(cited([*said, *checklist.cited(answers)])),
    }
    inputs = _tables(trainings, scores, layers, few, estimates, works, folder)
    inputs += figures.write(plan, scores, folder.parent / "figures", folder)
    texts["paper.tex"] = _article(plan, inputs)
    for name, text in texts.items():
        note = _NOTE if name.endswith(".tex") else ""
        (folder / name).write_text(note + text, encoding="utf-8")


def _paragraph(sentences: Sequence[Sentence]) -> str:
    """Return the first paragraph, a sentence a line, each before a comment with the rows of estimates that state it."""
    lines = []
    for sentence in sentences:
        rows = [str(part.row) for part in sentence if isinstance(part, Stated)]
        lines.append(escape("".join(part if isinstance(part, str) else part.text for part in sentence)))
        if rows:
            lines.append(f"% row {', '.join(dict.fromkeys(rows))} of estimates.parquet")
    return "\n".join(lines) + "\n"


def _tables(
    trainings: Trainings,
    scores: pd.DataFrame,
    layers: pd.DataFrame | None,
    few: pd.DataFrame | None,
    estimates: pd.DataFrame,
    works: Works,
    folder: Path,
) -> list[str]:
    """Write the tables and return the names of their files, without suffix."""
    plan = trainings.plan
    shown = tables.of_study(scores, layers, estimates, plan, few)
    settings_table = settings.table(trainings)
    more = {"settings": settings_table} if settings_table is not None else {}
    if (worded := prompt_table.of_plan(plan)) is not None:
        more["prompts"] = worded
    shown |= more | {"data": data.table(plan, trainings.results, works)}
    (folder / "tables").mkdir()
    for name, table in shown.items():
        if table.cells[1]:
            text = fitted.latex(table, name, plan.title)
            (folder / "tables" / f"{name}.tex").write_text(_NOTE + text, encoding="utf-8")
    return [f"tables/{name}" for name, table in shown.items() if table.cells[1]]


def _article(plan: StudyPlan, inputs: Sequence[str]) -> str:
    return _ARTICLE % {
        "preamble": fitted.PREAMBLE,
        "title": escape(plan.title),
        "notice": escape(paragraph.notice(plan)),
        "inputs": "\n".join(f"\\input{{{name}}}" for name in inputs),
    }
