"""The report: one self-contained HTML file with tables, figures, what was left out, and what everything came from."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jinja2
import pandas as pd

from xstilts.reporting import tables
from xstilts.reporting.outputs import FIGURES
from xstilts.store import manifest
from xstilts.store.files import write_atomically
from xstilts.store.manifest import EvaluationResults, PreparedResults, Run, path_of

_OUTCOMES = {
    "emerged": "emerged", "did not emerge": "did not emerge (the interval includes 0)",
    "the opposite": "went the other way",
}  # fmt: skip


def write(plan: Mapping[str, Any], results: Path, folder: Path, output: Path) -> None:
    """Write the report of a study.

    Args:
        plan: the content of plan.json.
        results: the results folder.
        folder: the study's outputs: scores, tables and figures.
        output: the HTML file.
    """
    scores = pd.read_parquet(folder / "scores.parquet")
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent), autoescape=True, trim_blocks=True, lstrip_blocks=True
    )
    # an SVG file opens with a declaration that has no place inside HTML
    figures = {name: (folder / "figures" / f"{name}.svg").read_text(encoding="utf-8") for name in FIGURES}
    found = {
        name: pd.read_csv(folder / "tables" / f"{name}.csv") for name in ("contrasts", "distance")
        if name in plan["tables"]
    }  # fmt: skip
    html = environment.get_template("report.html").render(
        plan=plan,
        legend=tables.LEGEND,
        main=tables.main_rows(tables.main_frame(scores)),
        benchmark=plan["benchmark"] and tables.benchmark_rows(tables.benchmark_frame(scores, plan)),
        languages=tables.language_rows(tables.language_frame(scores)),
        contrasts="contrasts" in found and tables.contrast_rows(found["contrasts"]),
        expectations="contrasts" in found and _expectations(found["contrasts"]),
        distance="distance" in found and len(found["distance"]) and tables.distance_rows(found["distance"]),
        figures={name: text[text.index("<svg") :] for name, text in figures.items()},
        data=_data(plan, results),
        runs=_runs(plan, results),
        address=folder.relative_to(results).as_posix(),
    )
    write_atomically(output, html)


def _expectations(contrasts: pd.DataFrame) -> str:
    """Return a sentence on how many of the expected differences emerged, and which did not."""
    expected = contrasts[contrasts["expected"].notna()]
    if expected.empty:
        return ""
    counts = expected["outcome"].value_counts()
    parts = [f"{counts[name]} {what}" for name, what in _OUTCOMES.items() if counts.get(name)]
    missed = expected[expected["outcome"] != "emerged"]
    names = [f"{row['contrast']} on {row['target']}" for row in missed.to_dict("records")]
    which = f" Not as expected: {', '.join(dict.fromkeys(names))}." if names else ""
    return f"Expected differences: {len(expected)}, of which {', '.join(parts)}.{which}"


def _data(plan: Mapping[str, Any], results: Path) -> list[dict[str, Any]]:
    """Return a line for each prepared data set: rows, and what was left out of it."""
    lines = []
    for name, node in plan["nodes"].items():
        if name.startswith("prepared/") and path_of(results, name).exists():
            prepared = manifest.results_of(results, name, PreparedResults)
            rows = ", ".join(f"{split} {entry.rows}" for split, entry in prepared.splits.items())
            left_out = ", ".join(f"{count} {why}" for why, count in prepared.left_out.items() if count)
            lines.append({"name": node["names"][0], "rows": rows, "left_out": left_out})
    return lines


def _runs(plan: Mapping[str, Any], results: Path) -> list[dict[str, Any]]:
    """Return a line for each training run, as the manifests of what was predicted with it tell."""
    runs: dict[str, Run] = {}
    for name in dict.fromkeys(cell["node"] for cell in plan["cells"]):
        runs |= manifest.results_of(results, name, EvaluationResults).training
    return [
        {
            "name": plan["nodes"][name]["names"][0] if name in plan["nodes"] else name,
            "steps": run.steps_done,
            "best_step": run.best_step,
            "dev": "; ".join(
                f"{task} " + ", ".join(f"{metric} {value:.1f}" for metric, value in dev.scores.items())
                for task, dev in run.dev.items()
            ),
            "tasks": "; ".join(f"{task} {counts.examples}" for task, counts in run.tasks.items()),
            "collapsed": run.collapsed,
        }
        for name, run in runs.items()
    ]
