"""The report: one self-contained HTML file with tables, figures, what was left out, and what everything came from."""

from pathlib import Path
from typing import Any

import jinja2
import pandas as pd

from xstilts.evaluation import estimates, scores, worlds
from xstilts.reporting import claims, examples, paragraph, tables, verdict_tables, wording
from xstilts.reporting.outputs import FIGURES, PARAGRAPH, REPORT
from xstilts.store import manifest
from xstilts.store.files import write_atomically
from xstilts.store.manifest import DevScores, EvaluationResults, PreparedResults, Run, path_of
from xstilts.store.study_plan import StudyPlan


def write(plan: StudyPlan, results: Path, folder: Path) -> None:
    """Write the report of a study, and its first paragraph as text, into the folder of its outputs.

    Args:
        plan: the study's plan.
        results: the results folder.
        folder: the study's outputs: scores, estimates, tables and figures.
    """
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    compared = estimates.read(folder / estimates.FILE)
    html = environment.get_template("report.html").render(
        plan=plan,
        notice=paragraph.notice(plan),
        paragraph=wording.in_html(paragraph.sentences(plan, compared)),
        intervals=verdict_tables.intervals(plan),
        primary=verdict_tables.LEGEND,
        figures={name: _svg(folder / "figures" / f"{name}.svg") for name in FIGURES},
        data=_data(plan, results),
        runs=_runs(plan, results),
        examples=examples.collect(plan, results),
        folder=folder.relative_to(results).as_posix(),
        **_tables(plan, folder, compared),
    )
    write_atomically(folder / REPORT, html)
    write_atomically(folder / PARAGRAPH, paragraph.text(plan, compared) + "\n")


def _svg(path: Path) -> str:
    """Return a figure's SVG element, without the file's declaration, which HTML does not allow."""
    text = path.read_text(encoding="utf-8")
    return text[text.index("<svg") :]


def _tables(plan: StudyPlan, folder: Path, compared: pd.DataFrame) -> dict[str, Any]:
    """Return the tables of scores, header and rows of others, and a sentence on the study's expected differences."""
    cells: dict[str, Any] = dict(tables.of_scores(scores.read(folder / scores.FILE), compared, plan))
    if "answer" in plan.tables:
        cells["answer"] = verdict_tables.answer_rows(compared)
    if "contrasts" in plan.tables:
        cells["expectations"] = verdict_tables.expectations(compared)
        cells["contrasts"] = verdict_tables.contrast_rows(compared)
    if "claims" in plan.tables:
        cells |= _claims(plan, compared)
    if "worlds" in plan.tables:
        cells["worlds"] = verdict_tables.world_rows(worlds.agreement(compared))
    if "distance" in plan.tables:
        distances = pd.read_csv(folder / "tables/distance.csv")
        cells |= {"distance": tables.distance_rows(distances)} if len(distances) else {}
    return cells


def _claims(plan: StudyPlan, compared: pd.DataFrame) -> dict[str, Any]:
    """Return the table of claims, in which what was found leads to its comparisons, and the table of these."""
    return {
        "claims": claims.cells(claims.rows(plan, compared), wording.in_html),
        "claim_verdicts": claims.VERDICTS,
        "claim_comparisons": verdict_tables.claim_rows(compared),
    }


def _data(plan: StudyPlan, results: Path) -> list[dict[str, str]]:
    """Return a line for each prepared data set: rows, and what was left out of it."""
    lines = []
    for node, entry in plan.nodes.items():
        if node.startswith("prepared/") and path_of(results, node).exists():
            prepared = manifest.results_of(results, node, PreparedResults)
            rows = ", ".join(f"{name} {split.rows}" for name, split in prepared.splits.items())
            left_out = ", ".join(f"{count} {reason}" for reason, count in prepared.left_out.items() if count)
            lines.append({"name": entry.names[0], "rows": rows, "left_out": left_out})
    return lines


def _runs(plan: StudyPlan, results: Path) -> list[dict[str, Any]]:
    """Return a line for each training run, by what the manifests of predictions say about the runs behind them."""
    runs: dict[str, Run] = {}
    for node in dict.fromkeys(cell.node for cell in plan.cells):
        runs |= manifest.results_of(results, node, EvaluationResults).training
    return [
        {
            "name": plan.nodes[node].names[0] if node in plan.nodes else node,
            "steps": run.steps_done,
            "best_step": run.best_step,
            "dev": "; ".join(f"{task} {_dev_scores(dev)}" for task, dev in run.dev.items()),
            "tasks": "; ".join(f"{task} {counts.examples}" for task, counts in run.tasks.items()),
            "collapsed": run.collapsed,
        }
        for node, run in runs.items()
    ]


def _dev_scores(dev: DevScores) -> str:
    return ", ".join(f"{metric} {value:.1f}" for metric, value in dev.scores.items())
