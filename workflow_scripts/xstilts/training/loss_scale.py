"""The factors of tasks' losses, so that tasks with many classes and tasks with few count alike.

A model that gives all classes the same probability has a cross-entropy of log n, where n is their number. Divided by
log n the loss of every task is 1 there (Muppet, Aghajanyan et al. 2021, https://aclanthology.org/2021.emnlp-main.468,
whose n is the number of labels, and the size of the vocabulary for a generated token). What n is in each form is said
by the form; it is one number for the whole task, so that the loss of a batch does not depend on how it is divided.
"""

import logging
import math
from collections.abc import Mapping, Sequence

from xstilts import forms
from xstilts.data.dataset import Split
from xstilts.errors import UserError
from xstilts.models.model import Model
from xstilts.store.sampling import AS_IT_IS, Sampling, examples_of_a_batch
from xstilts.store.specs.models import TaskSpec

log = logging.getLogger(__name__)


def factors(
    tasks: Sequence[TaskSpec], data: Sequence[Mapping[str, Split]], sampling: Sampling, model: Model
) -> list[float]:
    """Return for each task the factor of its loss.

    Args:
        tasks: what is trained on, with their labels.
        data: their splits.
        sampling: whether losses are scaled, and how many batches a step has.
        model: what is trained, whose vocabulary counts in language modelling.

    Raises:
        UserError: if a task has no number of classes, or a single one.
    """
    if sampling.loss_scale == AS_IT_IS:
        return [1.0] * len(tasks)
    vocabulary = len(model.backbone.transformer.get_input_embeddings().weight)
    found = []
    for task, splits in zip(tasks, data, strict=True):
        size = examples_of_a_batch(task.batch_size, sampling)
        classes = forms.get(task.form).class_count(splits["train"].tokens, task.labels, size, vocabulary)
        if classes is None or classes <= 1:
            why = "no cross-entropy" if classes is None else "of a single class"
            raise UserError(f"{task.task}: its loss is {why}; leave out the task, or the mixture's `loss_scale`")
        log.info("%s: its loss is divided by log %g", task.task, classes)
        found.append(1 / math.log(classes))
    return found
