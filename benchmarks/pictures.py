"""The pictures of the documents, made from the scores that are committed.

Run:  make pictures      (PYTHONPATH=. python benchmarks/pictures.py; for that of the report chromium is needed)

``headline.png`` beside the scores of a study in docs/miniature is its headline figure, docs/report.png the top of the
report of the default study. Of that are committed scores, estimates and gains by language, and all else is made from
them. What more a run leaves behind is not, so this report has no examples, trainings and times, and no gains in groups
of languages, which are estimated from predictions.
"""

import base64
import io
import shutil
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

import pandas as pd
from PIL import Image
from xstilts import commands
from xstilts.evaluation import estimates, scores
from xstilts.evaluation.table import records
from xstilts.reporting import analyses
from xstilts.reporting.figures import drawing, inputs, options
from xstilts.reporting.outputs import ANALYSES, REPORT, STUDY_FILE
from xstilts.store import manifest, study_plan
from xstilts.store.manifest import EvaluatedSplit, EvaluationResults
from xstilts.store.study_plan import AXES, StudyPlan

from tests.builders.browser import CHROMIUM, tab
from tests.builders.plans import plan_of_study
from tests.builders.study_plans import figure_commands

ROOT = Path(__file__).resolve().parents[1]
# the folder of what is committed, by study
FOUND = {"miniature": ROOT / "docs/miniature/default", "miniature_worlds": ROOT / "docs/miniature/worlds"}
# the study of the report
REPORTED = "miniature"
PICTURE = ROOT / "docs/report.png"
# of the window, in pixels
WIDTH = 1100


def headline(study: str, folder: Path) -> None:
    """Draw the headline figure of a study into a folder."""
    plan = plan_of_study(study).study_plan
    drawing.write("headline", inputs.read(plan, FOUND[study], options.of_figure(plan.figures, "headline")), folder)


def leave(results: Path) -> Path:
    """Write into a results folder what the commands of the report read, and return the path of plan.json."""
    plan, found = plan_of_study(REPORTED), FOUND[REPORTED]
    study, folder = plan.study_plan, results / plan.folder
    for name in ("tables", "figures", analyses.FOLDER):
        (folder / name).mkdir(parents=True)
    for name in (scores.FILE, estimates.FILE):
        shutil.copyfile(found / name, folder / name)
    shutil.copyfile(ROOT / f"studies/{REPORTED}.yaml", folder / STUDY_FILE)
    of_scores, compared = scores.read(found / scores.FILE), estimates.read(found / estimates.FILE)
    leave_manifests(study, results, of_scores)
    others: dict[str, pd.DataFrame] = {}
    for name in ANALYSES:
        file, table = f"{analyses.FOLDER}/{name}.parquet", analyses.module_of(name).TABLE
        if (found / file).exists():
            others[name] = table.read(found / file)
        else:
            predicted = replace(study, cells=()) if name == "language_groups" else study
            others[name] = analyses.made(name, predicted, results, compared, of_scores, others)
        table.write(others[name], folder / file)
    (folder / "index.tsv").write_text(plan.as_table(), encoding="utf-8")
    (folder / study_plan.FILE).write_text(study_plan.text(study), encoding="utf-8")
    return folder / study_plan.FILE


def leave_manifests(plan: StudyPlan, results: Path, of_scores: pd.DataFrame) -> None:
    """Leave of all predictions what their scores say of them: their splits, and whether a run collapsed."""
    by_cell = dict(iter(of_scores.groupby(list(AXES))))
    for cell in plan.cells:
        rows = by_cell[tuple(cell.at(AXES).values())]
        splits = {
            row["language"]: EvaluatedSplit(split=row["split"], official=row["official"], sample=row["sample"])
            for row in records(rows)
        }
        collapsed = bool(rows["collapsed"].any())
        stated = EvaluationResults(fingerprint={}, training={}, collapsed=collapsed, splits=splits)
        path = manifest.path_of(results, cell.node)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(manifest.text(plan.nodes[cell.node].spec, {}, stated), encoding="utf-8")


def run(plan: Path, *command: str) -> None:
    """Run a command of the rules."""
    if commands.main([*command, "--plan", str(plan)]):
        sys.exit(f"{' '.join(command)} has failed")


def save(picture: bytes, path: Path) -> None:
    """Write a picture in few bytes: with 256 colours, among them the rare ones of the figures."""
    image = Image.open(io.BytesIO(picture)).convert("RGB")
    image.quantize(method=Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE).save(path, optimize=True)


def top_of(page: Path) -> bytes:
    """Return the picture of a report down to its headline figure."""
    with tempfile.TemporaryDirectory() as profile, tab(Path(profile)) as browser:
        browser.go(page, WIDTH)
        bottom = browser.value("document.getElementById('figure-headline').getBoundingClientRect().bottom")
        clip = {"x": 0, "y": 0, "width": WIDTH, "height": round(bottom) + 16, "scale": 1}
        shot = browser.command("Page.captureScreenshot", clip=clip, captureBeyondViewport=True)
        return base64.b64decode(shot["data"])


def main() -> None:
    """Make all pictures."""
    with tempfile.TemporaryDirectory(prefix="xstilts-") as name:
        folder = Path(name)
        for study, found in FOUND.items():
            headline(study, folder)
            save((folder / "headline.png").read_bytes(), found / "headline.png")
        if CHROMIUM is None:
            sys.exit(f"{PICTURE} is as it was: it needs chromium (apt-get install chromium)")
        plan = leave(folder / "results")
        for command in (["tables"], *figure_commands(), ["report"]):
            run(plan, *command)
        save(top_of(plan.with_name(REPORT)), PICTURE)


if __name__ == "__main__":
    main()
