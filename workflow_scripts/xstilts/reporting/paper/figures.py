"""Figures of a paper: the PDF of each figure, and a file that includes it with caption and label."""

import shutil
from pathlib import Path

import pandas as pd

from xstilts.evaluation.scores import headline
from xstilts.reporting import captions
from xstilts.reporting.figures import options
from xstilts.reporting.figures.empty import svg_with_data
from xstilts.reporting.latex import escape
from xstilts.store.study_plan import StudyPlan

FOLDER = "figures"


def write(plan: StudyPlan, scores: pd.DataFrame, source: Path, folder: Path) -> list[str]:
    """Copy the figures that have data, write a file that includes each, and return these files' names.

    Args:
        plan: the study's plan.
        scores: the table of scores.
        source: where the figures are.
        folder: of the paper.
    """
    (folder / FOLDER).mkdir(parents=True)
    about = _behind(plan, scores)
    names = [name for name in options.names(plan.figures) if svg_with_data(source / f"{name}.svg") is not None]
    for name in names:
        shutil.copyfile(source / f"{name}.pdf", folder / FOLDER / f"{name}.pdf")
        (folder / FOLDER / f"{name}.tex").write_text(_figure(name, f"{_title(name)}. {about}"), encoding="utf-8")
    return [f"{FOLDER}/{name}" for name in names]


def _figure(name: str, caption: str) -> str:
    return (
        "\\begin{figure}[htbp]\n\\centering\n"
        f"\\includegraphics[width=\\linewidth]{{{FOLDER}/{name}.pdf}}\n"
        f"\\caption{{{escape(caption)}}}\n\\label{{fig:{name}}}\n\\end{{figure}}\n"
    )


def _title(name: str) -> str:
    words = name.replace("_", " ")
    return words[0].upper() + words[1:]


def _behind(plan: StudyPlan, scores: pd.DataFrame) -> str:
    """Return what all figures are of: the study, its runs and test examples, and what intervals are over."""
    rows = headline(scores)
    runs = rows.groupby(["model", "recipe", "mixture", "target"], sort=False)["seed"].nunique()
    examples = {str(target): found["n"] for target, found in rows.groupby("target", sort=False)}
    counts = captions.counts(runs, examples, "a language", plan)
    over = (
        f"the {len(plan.worlds)} worlds"
        if plan.worlds
        else "runs and examples (over examples alone with one run an arm)"
    )
    return f"{plan.title}. {counts} Intervals, where there are any, have 95 % and are over {over}."
