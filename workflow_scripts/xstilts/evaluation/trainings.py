"""The models and trainings behind a study's cells, from the specs of its plan."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from xstilts.store import manifest
from xstilts.store.manifest import LearningRatesResults, path_of
from xstilts.store.specs.base import EMBEDDINGS, LEARNING_RATE, MODEL
from xstilts.store.specs.evaluation import PredictionsSpec
from xstilts.store.specs.models import (
    IntermediateSpec,
    LearningRatesSpec,
    MergedSpec,
    ModelSpec,
    PretrainedSpec,
    TargetSpec,
)
from xstilts.store.study_plan import StudyPlan

PRETRAINING, INTERMEDIATE, TARGET = "pretraining", "intermediate", "target"
# phase of a training by its stage
_PHASES = {PretrainedSpec.stage: PRETRAINING, IntermediateSpec.stage: INTERMEDIATE, TargetSpec.stage: TARGET}
_MODELS = {ModelSpec.stage, MergedSpec.stage, *_PHASES}


@dataclass(frozen=True)
class Training:
    """A training behind a model.

    Attributes:
        node: its id.
        phase: PRETRAINING, INTERMEDIATE or TARGET.
        search: id of the node that searched its learning rate; None where the recipe gives the rate.
    """

    node: str
    phase: str
    search: str | None


def behind(plan: StudyPlan, node: str) -> list[Training]:
    """Return the trainings behind predictions, the last one first.

    Args:
        plan: the study's plan.
        node: id of the node with the predictions.
    """
    return [
        Training(model, _PHASES[stage], plan.nodes[model].parents.get(LEARNING_RATE))
        for model in models_behind(plan, node)
        if (stage := model.partition("/")[0]) in _PHASES
    ]


def varies(plan: StudyPlan, node: str) -> bool:
    """Tell whether a cell's node differs from seed to seed: by a training of the run's own, or by drawn examples.

    A model that is pretrained here is the same for all runs.

    Args:
        plan: the study's plan.
        node: id of the cell's node.
    """
    spec = plan.nodes[node].spec
    if isinstance(spec, PredictionsSpec) and spec.prompting is not None:
        return spec.prompting.seed is not None
    return any(training.phase != PRETRAINING for training in behind(plan, node))


def models_behind(plan: StudyPlan, node: str) -> Iterator[str]:
    """Yield the ids of the models behind predictions, vectors or what was retrieved, the nearest first.

    Behind a merged model are those that it was merged of, and then the one that all of these start from.
    """
    while node in plan.nodes:
        if node.partition("/")[0] in _MODELS:
            yield node
        if node.partition("/")[0] == MergedSpec.stage:
            spec = plan.nodes[node].spec
            assert isinstance(spec, MergedSpec)
            yield from spec.members
        parents = plan.nodes[node].parents
        node = parents.get(EMBEDDINGS) or parents.get(MODEL, "")


def merged(plan: StudyPlan) -> dict[str, MergedSpec]:
    """Return the mixtures whose models are merged, each with its node's spec in the first arm that has it."""
    found: dict[str, MergedSpec] = {}
    for cell in plan.cells:
        for node in models_behind(plan, cell.node):
            if isinstance(spec := plan.nodes[node].spec, MergedSpec):
                found.setdefault(cell.mixture, spec)
    return found


def best_rates(plan: StudyPlan, results: Path) -> dict[str, float]:
    """Return the learning rate that each search has found, by node id; those that are not there are left out.

    Args:
        plan: the study's plan.
        results: the results folder.
    """
    return {
        node: manifest.results_of(results, node, LearningRatesResults).best
        for node, entry in plan.nodes.items()
        if isinstance(entry.spec, LearningRatesSpec) and path_of(results, node).exists()
    }
