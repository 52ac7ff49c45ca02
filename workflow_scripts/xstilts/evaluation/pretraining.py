"""Which languages a model was pretrained on, and on how much text: as registry, plan and manifests say."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from xstilts.evaluation.trainings import models_behind
from xstilts.store import manifest
from xstilts.store.manifest import PreparedResults, path_of
from xstilts.store.specs.base import MEMBER, PREPARED, TOKENS
from xstilts.store.specs.data import TrainingDataSpec
from xstilts.store.specs.models import ModelSpec, PretrainedSpec
from xstilts.store.study_plan import StudyPlan

YES, NO, UNKNOWN = "yes", "no", ""
TEXTS = "texts"


@dataclass(frozen=True)
class Text:
    """The text that a model was pretrained on.

    Attributes:
        known: whether it is known which languages it has.
        sizes: by language how much; None where that is not known.
        unit: of the sizes.
    """

    known: bool
    sizes: Mapping[str, float | None] = field(default_factory=dict)
    unit: str = ""

    def columns(self, language: str) -> dict[str, Any]:
        """Return what the table of features has of a language."""
        if not self.known:
            return {"in_pretraining": UNKNOWN, "pretraining_size": None, "pretraining_unit": ""}
        there = language in self.sizes
        size = self.sizes.get(language)
        unit = self.unit if size is not None else ""
        return {"in_pretraining": YES if there else NO, "pretraining_size": size, "pretraining_unit": unit}


def of_model(plan: StudyPlan, results: Path, model: str) -> Text:
    """Return the text that a model of a study was pretrained on.

    Args:
        plan: the study's plan.
        results: the results folder; of text that was pruned the size is not known.
        model: the study's name of the model.
    """
    node = pretrained(plan, next(cell.node for cell in plan.cells if cell.model == model))
    spec = plan.nodes[node].spec
    if isinstance(spec, PretrainedSpec):
        # without a step nothing was learnt from the text that the tokenizer is made of
        sizes = _sizes(plan, results, spec) if spec.sampling.steps else {}
        return Text(True, sizes, TEXTS)
    if isinstance(spec, ModelSpec) and spec.source.shape is not None:
        # random weights
        return Text(True)
    corpus = plan.corpora.get(model)
    return Text(True, corpus.sizes, corpus.unit) if corpus is not None else Text(False)


def pretrained(plan: StudyPlan, node: str) -> str:
    """Return the pretrained model behind a node of predictions."""
    *_, first = models_behind(plan, node)
    return first


def _sizes(plan: StudyPlan, results: Path, spec: PretrainedSpec) -> dict[str, float | None]:
    """Return the number of texts by language of a model that is pretrained here."""
    sizes: dict[str, float | None] = {}
    for tokens in spec.parents_of(TOKENS):
        data = plan.nodes[plan.nodes[tokens].parents[PREPARED]]
        members = data.spec.parents_of(MEMBER)
        for node in members or [plan.nodes[tokens].parents[PREPARED]]:
            read = plan.nodes[node].spec
            assert isinstance(read, TrainingDataSpec)
            sizes[read.language] = _rows(results, node)
    return sizes


def _rows(results: Path, node: str) -> float | None:
    if not path_of(results, node).exists():
        return None
    return float(manifest.results_of(results, node, PreparedResults).splits["train"].rows)
