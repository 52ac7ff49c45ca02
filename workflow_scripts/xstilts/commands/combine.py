"""Join two studies that ran on different machines: their arms in one results folder, with all outputs of a study."""

import argparse
import logging
import sys
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from xstilts.commands import add_two_studies, main, results_of_study
from xstilts.errors import UserError
from xstilts.evaluation import combined_plan, scores
from xstilts.planning.differences import Comparison
from xstilts.planning.settings import local
from xstilts.relative_path import RULE, is_inside
from xstilts.reporting.figures import options
from xstilts.reporting.outputs import STUDY_FILE
from xstilts.reporting.study_results import StudyResults
from xstilts.store import opening, study_plan, transfer
from xstilts.store.files import write_atomically
from xstilts.store.study_plan import StudyPlan

log = logging.getLogger(__name__)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add this command's arguments."""
    add_two_studies(parser)
    parser.add_argument(
        "--to", type=Path, metavar="FOLDER", help="a results folder, new or not; by default that of config.yaml"
    )


def run(arguments: argparse.Namespace) -> int:
    """Run the command. Outputs are made by the commands of the rules, as Snakemake makes those of a study."""
    studies = [results_of_study(path) for path in (arguments.study_a, arguments.study_b)]
    for study in studies:
        # a study without scores is not finished, and a table of other columns is of another version
        _ = study.scores
        opening.check_study(study.plan, study.results)
    a, b = studies
    specs = {node: entry.content for study in studies for node, entry in study.plan.nodes.items()}
    plan = combined_plan.combine(a.plan, b.plan, Comparison(specs, frozenset()).settings_between)
    if not is_inside(plan.study) or "/" in plan.study:
        raise UserError(f"{plan.study!r}: no name of a study, which must be {RULE} and without '/'; rename one of them")
    results = arguments.to or local().results
    brought = (transfer.bring(study.plan.nodes, study.results, results) for study in studies)
    differing = {node for nodes in brought for node in nodes}
    made_apart = [node for node in plan.nodes if node in differing]
    plan = replace(plan, notes=(*plan.notes, *_disagreements(studies, made_apart)))
    folder = _write(plan, studies, results)
    for command in _commands(plan):
        if code := main([*command, "--plan", str(folder / study_plan.FILE)]):
            return code
    for note in (*plan.notes, *combined_plan.figure_differences(a.plan.figures, b.plan.figures)):
        log.warning("%s", note)
    sys.stdout.write(
        f"{folder}: {len({cell.node for cell in plan.cells})} predictions, report.html. Its paper: xstilts paper --plan"
        f" {folder / study_plan.FILE}\n"
    )
    return 0


def _disagreements(studies: Sequence[StudyResults], nodes: Sequence[str]) -> list[str]:
    """Return a sentence on nodes of which another machine made other files, and how far their scores are apart."""
    if not nodes:
        return []
    first, second = (study.scores[scores.axes_of(study.scores) + ["language", "metric", "score"]] for study in studies)
    both = first.merge(second, on=[name for name in first if name != "score"], suffixes=("_a", "_b"))
    apart = (both["score_a"] - both["score_b"]).abs().max()
    scored = f"; scores of A and B differ by at most {apart:.2g}" if len(both) else ""
    return [
        f"made differently on another machine, though the specs are equal: {len(nodes)} nodes, the first {nodes[0]};"
        f" what the results folder had first is used{scored}"
    ]


def _write(plan: StudyPlan, studies: Sequence[StudyResults], results: Path) -> Path:
    """Write the plan, and what stands beside it, and return the folder of the outputs."""
    folder = results / study_plan.outputs_folder(plan.study, study_plan.outputs_digest(plan))
    for name in ("tables", "figures"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    write_atomically(folder / study_plan.FILE, study_plan.text(plan))
    write_atomically(folder / "index.tsv", study_plan.index(plan))
    files = [study.folder / STUDY_FILE for study in studies]
    texts = [path.read_text(encoding="utf-8") if path.exists() else "" for path in files]
    write_atomically(
        folder / STUDY_FILE, "---\n".join(f"# {path}\n{text}" for path, text in zip(files, texts, strict=True))
    )
    return folder


def _commands(plan: StudyPlan) -> Iterable[list[str]]:
    yield from (["scores"], ["estimates"], ["analyses"], ["tables"])
    for name in options.names(plan.figures):
        yield ["figure", name, "--options", options.as_text(options.of_figure(plan.figures, name))]
    yield ["report"]
