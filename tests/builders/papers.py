"""What a paper is made from: the manifests that a study's jobs leave behind, without the jobs."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("agg")

import matplotlib.pyplot as plt
from xstilts.evaluation import estimates, scores
from xstilts.evaluation.trainings import models_behind
from xstilts.reporting.paper.trainings import Trainings
from xstilts.store import manifest, study_plan
from xstilts.store.figures import FIGURES
from xstilts.store.manifest import EvaluatedSplit, EvaluationResults, PreparedResults, PreparedSplit, Results, Run
from xstilts.store.specs.base import Spec
from xstilts.store.specs.data import EvaluationDataSpec, PreparedSpec
from xstilts.store.specs.models import LearningRatesSpec, TrainingSpec
from xstilts.store.study_plan import StudyPlan

from tests.builders import provenance
from tests.builders.plans import plan_study


def trainings_of(folder: Path, folders: Mapping[str, Any] | None = None, **study: Any) -> Trainings:
    """Plan a study by content, with these indexes of model folders, and leave its manifests in a folder."""
    content = {
        "description": "A study.",
        "source": "download",
        "models": ["multilingual-e5-small"],
        "seeds": [1],
        **study,
    }
    plan = plan_study(folder, content, models=folders).study_plan
    leave(plan, folder / "results")
    return Trainings(plan, folder / "results")


def leave(plan: StudyPlan, results: Path) -> None:
    """Leave the manifests of prepared data, of searches and of what cells name."""
    cells = {cell.node for cell in plan.cells}
    for node, entry in plan.nodes.items():
        spec = entry.spec
        if isinstance(spec, PreparedSpec):
            _write(results, node, spec, _prepared(spec))
        elif isinstance(spec, LearningRatesSpec):
            best = manifest.LearningRatesResults(trials=[], best=min(spec.learning_rates))
            _write(results, node, spec, best)
        elif node in cells:
            _write(results, node, spec, _evaluated(plan, node))


def leave_provenance(plan: StudyPlan, results: Path, stage: str, **changes: Any) -> None:
    """Leave the provenance of all nodes of a stage."""
    for node in plan.nodes:
        if node.startswith(f"{stage}/"):
            provenance.leave(results / node, **changes)


def leave_study(folder: Path, found: Path, plan: StudyPlan) -> Path:
    """Leave a study's outputs below a results folder, with the scores and estimates of another folder.

    Return the path of plan.json.
    """
    outputs = folder / "results/studies" / plan.study / "one"
    outputs.mkdir(parents=True)
    for name in (scores.FILE, estimates.FILE):
        shutil.copyfile(found / name, outputs / name)
    leave(plan, folder / "results")
    leave_figures(outputs / "figures")
    (outputs / study_plan.FILE).write_text(study_plan.text(plan), encoding="utf-8")
    return outputs / study_plan.FILE


def leave_figures(folder: Path) -> None:
    """Draw a blank figure for each name."""
    folder.mkdir()
    figure = plt.figure(figsize=(2, 1))
    for name in FIGURES:
        for kind in ("pdf", "svg"):
            figure.savefig(folder / f"{name}.{kind}")
    plt.close(figure)


def _prepared(spec: PreparedSpec) -> PreparedResults:
    def split(rows: int, **more: Any) -> PreparedSplit:
        return PreparedSplit(rows=rows, labels={}, **more)

    if isinstance(spec, EvaluationDataSpec):
        official = {"split": "test", "official": True, "sample": False}
        return PreparedResults(splits={code: split(250, **official) for code in spec.languages}, left_out={})
    return PreparedResults(splits={"train": split(1500), "dev": split(100)}, left_out={}, sample=False)


def _evaluated(plan: StudyPlan, node: str) -> EvaluationResults:
    run = Run(steps_done=120, best_step=100, dev={}, tasks={}, collapsed=False)
    trained = [model for model in models_behind(plan, node) if isinstance(plan.nodes[model].spec, TrainingSpec)]
    splits = {"en": EvaluatedSplit(split="test", official=True, sample=False)}
    return EvaluationResults(fingerprint={}, training=dict.fromkeys(trained, run), collapsed=False, splits=splits)


def _write(results: Path, node: str, spec: Spec, stated: Results) -> None:
    path = manifest.path_of(results, node)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(manifest.text(spec, {}, stated))
