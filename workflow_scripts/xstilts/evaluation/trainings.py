"""The trainings behind a study's cells, from the specs of its plan."""

from dataclasses import dataclass

from xstilts.store.specs.base import EMBEDDINGS, LEARNING_RATE, MODEL
from xstilts.store.specs.models import IntermediateSpec, PretrainedSpec, TargetSpec
from xstilts.store.study_plan import StudyPlan

PRETRAINING, INTERMEDIATE, TARGET = "pretraining", "intermediate", "target"
# phase of a training by its stage
_PHASES = {PretrainedSpec.stage: PRETRAINING, IntermediateSpec.stage: INTERMEDIATE, TargetSpec.stage: TARGET}


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
    parents = plan.nodes[node].parents
    if EMBEDDINGS in parents:
        parents = plan.nodes[parents[EMBEDDINGS]].parents
    found = []
    while (model := parents.get(MODEL, "")) in plan.nodes:
        parents = plan.nodes[model].parents
        phase = _PHASES.get(model.partition("/")[0])
        if phase is not None:
            found.append(Training(model, phase, parents.get(LEARNING_RATE)))
    return found
