"""Scores on dev rows: by what a training keeps its best step, and by what learning rates are compared."""

import logging
from collections.abc import Mapping, Sequence

import torch

from xstilts.data.dataset import Split
from xstilts.evaluation import prediction
from xstilts.forms import FORMS
from xstilts.forms.declaration import PERCENT
from xstilts.models.model import Model
from xstilts.store.manifest import DevScores
from xstilts.store.specs.models import TaskSpec

log = logging.getLogger(__name__)


def macro_score(tasks: Sequence[TaskSpec], scores: Mapping[str, Mapping[str, float]]) -> float:
    """Return the one number by which models are compared on dev rows: the higher, the better.

    It is the mean over tasks of their headline metrics (jiant's ``EqualMetricAggregator``), with a minus where less is
    better. Units cannot be averaged: percents count where there are any.

    Args:
        tasks: what is trained on.
        scores: the scores of each task by metric.
    """
    metrics = {task.task: FORMS[task.form].metrics[task.metric] for task in tasks}
    counted = [task for task in tasks if metrics[task.task].unit == PERCENT] or tasks
    signed = [scores[task.task][task.metric] * (1 if metrics[task.task].higher_is_better else -1) for task in counted]
    return sum(signed) / len(signed)


def dev_scores(
    tasks: Sequence[TaskSpec], data: Sequence[Mapping[str, Split]], model: Model, device: torch.device
) -> dict[str, DevScores]:
    """Return for each task its scores on dev rows, and whether the model collapsed on them."""
    found = {}
    for task, splits in zip(tasks, data, strict=True):
        scores, collapsed = prediction.evaluate(model, task, splits["dev"], device)
        rounded = {name: round(value, 4) for name, value in scores.items()}
        found[task.task] = DevScores(scores=rounded, collapsed=collapsed)
        if collapsed:
            log.warning("%s: the model collapsed: it predicts one and the same for all dev rows", task.task)
    return found
