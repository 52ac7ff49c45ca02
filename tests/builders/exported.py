"""Finished studies that can be exported: predictions by hand, where their data are from, provenance and scores."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from xstilts.evaluation import predictions, scores
from xstilts.store import manifest, study_plan
from xstilts.store.documentation import Documentation, Registered, Setting, Works
from xstilts.store.files import file_sha256
from xstilts.store.manifest import File
from xstilts.store.specs import to_json
from xstilts.store.specs.data import Content, DataSpec, EvaluationDataSpec
from xstilts.store.specs.models import ModelSpec
from xstilts.store.study_plan import PlannedNode, PlannedTarget

from tests.builders import provenance
from tests.builders.predicted import Predicted, correct

TARGETS = {
    "xnli": PlannedTarget("xnli", "classification", "accuracy", "en", "download", ("mnli",)),
    "xquad": PlannedTarget("xquad", "span", "f1", "en", "download", ("squad_v1",)),
    "tatoeba": PlannedTarget("tatoeba", "bitext", "accuracy", "en", "mirror"),
    "lm_loss": PlannedTarget("lm_loss", "mlm", "loss", "en", "mirror"),
}
HUB = Content(kind="hub", repository="facebook/xnli", revision="b" * 40, files={"de/test": None, "en/test": None})
MIRROR = Content(kind="mirror", files={"tatoeba/de": "a" * 64})
SQUAD = {"f1": [1.0, 0.5], "exact_match": [1.0, 0.0], "prediction": ["Ulm", "in Ulm"], "gold": ['["Ulm"]', '["Ulm"]']}
DOCUMENTATION = Documentation(
    settings={"r": (Setting(key="target.epochs", value=3, origin="jiant"),)},
    works=Works(
        tasks={"xnli": Registered(title="XNLI", licence="CC BY-NC 4.0")},
        models={"s": Registered(title="XLM-R", parameters=7)},
    ),
)  # fmt: skip


def finished(folder: Path, **changes: Any) -> Path:
    """Write a study of one model, without and with MNLI, and return the folder of its outputs.

    XNLI has two runs an arm, one of them collapsed; XQuAD has one; Tatoeba is not trained, so without MNLI its two runs
    are the same; the language model's loss is neither right nor wrong.

    Args:
        folder: where ``results`` is made.
        changes: of the plan.
    """
    made = Predicted(folder / "results", TARGETS, {"none": (), "mnli": ("mnli",)})
    for mixture in ("none", "mnli"):
        for seed, right in {1: 6, 2: 8}.items():
            answers = {"de": correct(10, right), "en": correct(10, 10)}
            made.add(("s", mixture), seed, "xnli", answers, collapsed=seed == 2)
            made.add(("s", mixture), seed, "tatoeba", {"de": correct(4, 1)}, dev=None)
        made.add(("s", mixture), 1, "xquad", {"de": SQUAD})
        made.add(("s", mixture), 1, "lm_loss", {"de": {"loss": [2.0, 4.0], "positions": [1.0, 2.0]}}, dev=None)
    _checkpoint(made)
    for target in TARGETS:
        _from(made, target, HUB if target == "xnli" else MIRROR)
    for cell in made.cells:
        provenance.leave(made.results / cell.node, versions={"transformers": "5.23.0", "numpy": "2.4"})
    return outputs(made, **changes)


def outputs(made: Predicted, study: str = "test", **changes: Any) -> Path:
    """Write plan and scores of a study, and return the folder of its outputs."""
    plan = made.plan(study=study, **{"documentation": DOCUMENTATION} | changes)
    for cell in made.cells:
        _state_files(made.results / cell.node)
    there = made.results / "studies" / study / "01234567"
    there.mkdir(parents=True)
    (there / study_plan.FILE).write_text(study_plan.text(plan), encoding="utf-8")
    scores.write(scores.collect(plan, made.results), there / scores.FILE)
    return there


def _state_files(folder: Path) -> None:
    """Have a node say what its predictions are."""
    said, path = manifest.of_node(folder), folder / predictions.FILE
    files = {predictions.FILE: File(sha256=file_sha256(path), bytes=path.stat().st_size)}
    (folder / manifest.MANIFEST).write_text(manifest.text(said.spec, files, said.results))


def _checkpoint(made: Predicted) -> None:
    """Have the model from the hub."""
    source = Content(kind="hub", repository="FacebookAI/xlm-roberta-base", revision="c" * 40, files={})
    spec = ModelSpec(version=1, parents={}, source=source)
    made.nodes["models/s"] = PlannedNode("", ("s",), to_json(spec))


def _from(made: Predicted, target: str, content: Content) -> None:
    """Have the test data of a target from somewhere, a file for each language."""
    raw, prepared = f"data/{target}", f"prepared/{target}"
    made.nodes[raw] = PlannedNode("", (raw,), to_json(DataSpec(version=1, parents={}, source=content)))
    spec = made.nodes[prepared].spec
    assert isinstance(spec, EvaluationDataSpec)
    languages: Mapping[str, Any] = {
        code: replace(files, files=(f"{code}/test",) if content.kind == "hub" else ("tatoeba/de",))
        for code, files in spec.languages.items()
    }
    changed = replace(spec, parents={"data": raw}, languages=languages)
    made.nodes[prepared] = PlannedNode("", (target,), to_json(changed))
