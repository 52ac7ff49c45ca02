"""Predictions and vectors made ahead, by the training job while the model is in memory: each at its own path.

Their jobs find them whole. What cannot be made ahead is left to its job: where its tokens are not there yet, where it
computes in another precision than the training, or where it fails.
"""

import logging
from collections.abc import Iterator
from pathlib import Path

from xstilts.errors import TerminatedError, UserError
from xstilts.evaluation import nodes
from xstilts.models.model import Model
from xstilts.store import lock, manifest, node, opening
from xstilts.store.specs.base import MODEL, TOKENS
from xstilts.store.specs.evaluation import EmbeddingsSpec, PredictionsSpec
from xstilts.store.specs.models import EvaluatedSpec, TrainingSpec
from xstilts.store.study_plan import StudyPlan
from xstilts.training.interruption import Interruption

log = logging.getLogger(__name__)


def predict(output: Path, spec: TrainingSpec, results: Path, model: Model, plan: StudyPlan) -> None:
    """Make the predictions and vectors that a plan asks of a model.

    Args:
        output: the manifest of the model's node.
        spec: its spec.
        results: the results folder.
        model: the model, in evaluation mode, as it is read from its files.
        plan: the study's plan.

    Raises:
        TerminatedError: if the process was asked to end; the model is complete, and the rest is left to its jobs.
    """
    with Interruption() as interruption:
        for path, asked in _asked(output, results, plan):
            if interruption.received:
                raise TerminatedError("interrupted; the model is complete, and predictions are left to their jobs")
            if node.is_whole(path.parent, asked) or not manifest.path_of(results, asked.parents[TOKENS]).exists():
                continue
            try:
                with lock.held(path.parent, wait=False) as alone:
                    # where another process makes it, this one does not wait for that
                    if alone:
                        _make(path, asked, spec, results, model)
            except (UserError, RuntimeError, OSError) as error:
                # its own job says so again, and fails
                log.warning("%s: %s", path.parent, error)


def _asked(output: Path, results: Path, plan: StudyPlan) -> Iterator[tuple[Path, PredictionsSpec | EmbeddingsSpec]]:
    """Yield manifest and spec of the nodes that a plan has of a model."""
    model_id = output.parent.relative_to(results).as_posix()
    for name, planned in plan.nodes.items():
        if planned.parents.get(MODEL) == model_id:
            spec = planned.spec
            if isinstance(spec, PredictionsSpec | EmbeddingsSpec):
                yield manifest.path_of(results, name), spec


def _make(path: Path, asked: PredictionsSpec | EmbeddingsSpec, spec: TrainingSpec, results: Path, model: Model) -> None:
    """Make one node, if the model in memory is computed as the node says and has the head that it needs."""
    trained = {task.task for task in spec.tasks}
    if asked.numerics != spec.numerics:
        return
    with opening.parents(asked, results, own=asked.parents[MODEL]):
        if isinstance(asked, EmbeddingsSpec):
            if asked.pooling.head is None:
                bare = Model(model.backbone, {}, spec.numerics.precision).eval()
                nodes.make_embeddings(path, asked, results, lambda: bare)
            elif asked.pooling.head in trained:
                nodes.make_embeddings(path, asked, results, lambda: model)
        elif asked.trained_on in trained:
            task = EvaluatedSpec(
                task=str(asked.trained_on),
                form=asked.form,
                labels=asked.labels,
                decoding=asked.decoding,
                scoring=asked.scoring,
            )
            nodes.make_predictions(path, asked, results, lambda: (model, task))
