"""Prediction by a trained model. Instances of similar length share a batch; results are in the order of the rows.

Where memory lacks for a batch, it is computed in halves: the same results, but for what the padding of a smaller batch
does to how sums are rounded.
"""

import logging
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, Protocol, TypeVar

import numpy as np
import torch
from torch import nn

from xstilts import forms
from xstilts.data.dataset import Split
from xstilts.errors import UserError, counted
from xstilts.forms import scoring
from xstilts.forms.interface import Arrays, FormModule
from xstilts.models import distributed
from xstilts.models.device_memory import Lacked, tried
from xstilts.models.model import Model, tensors
from xstilts.store.specs.models import EvaluatedSpec
from xstilts.tokenization.tokens import Tokens

log = logging.getLogger(__name__)

# tokens in one batch, padding included. It decides memory and time, not results; on a CPU a larger batch has more
# padding and is no faster.
_BATCH_TOKENS = {"cpu": 2048, "cuda": 16384}
V = TypeVar("V")


def batches(tokens: Tokens) -> list[np.ndarray]:
    """Return all instances in batches of similar length, the longest first."""
    most = _BATCH_TOKENS[distributed.device().type]
    order = np.argsort(-tokens.lengths, kind="stable")
    sequences = np.diff(tokens.arrays["instances"])
    result, start = [], 0
    while start < len(order):
        stop, width, used = start, int(tokens.lengths[order[start]]), 0
        while stop < len(order) and (stop == start or used + width * sequences[order[stop]] <= most):
            # the head for choices needs as many sequences from every instance of a batch
            if sequences[order[stop]] != sequences[order[start]]:
                break
            used += width * sequences[order[stop]]
            stop += 1
        result.append(order[start:stop])
        start = stop
    return result


def in_batches(compute: Callable[[np.ndarray], V], tokens: Tokens, what: str) -> Iterator[tuple[np.ndarray, V]]:
    """Yield all instances in batches, the longest first, each with what is computed of it.

    A batch for which memory lacks is computed again in halves, and those that follow are no larger than a half.

    Args:
        compute: from the numbers of instances to what is kept of them, in main memory.
        tokens: the instances.
        what: what is computed, such as the name of a task, for an error.

    Raises:
        UserError: if memory lacks for one instance. And where processes compute together, for any batch: the others
            would go on without this one.
    """
    waiting, most = batches(tokens)[::-1], math.inf
    while waiting:
        instances = waiting.pop()
        size = int(tokens.lengths[instances].max()) * len(tokens.sequences(instances))
        if size <= most or len(instances) == 1:
            found = tried(partial(compute, instances))
            if not isinstance(found, Lacked):
                yield instances, found
                continue
            if len(instances) == 1 or distributed.has_others():
                remedy = "use a larger GPU, or a shorter max_length in the recipe"
                raise UserError(f"{what}: {_counted(instances, size)}: {found.said}; {remedy}")
            most = size // 2
            log.warning("%s: %s: %s; from here on in halves", what, _counted(instances, size), found.said)
        middle = len(instances) // 2
        waiting += [instances[middle:], instances[:middle]]


def _counted(instances: np.ndarray, size: int) -> str:
    return f"{counted(len(instances), 'instance')} of {counted(size, 'token')} in all, with padding"


class Outputs(Protocol):
    """What prediction needs of a form, or of prompts."""

    def batch(self, tokens: Tokens, instances: np.ndarray, key: int) -> tuple[Arrays, Arrays]:
        """Return inputs and targets, as ``HeadForm.batch``."""

    def outputs(self, raw: torch.Tensor, targets: Mapping[str, torch.Tensor]) -> list[Any]:
        """Return a value for each instance of a batch, as ``HeadForm.outputs``."""


@torch.inference_mode()
def outputs(model: nn.Module, task: str, form: Outputs, tokens: Tokens, device: torch.device) -> list[Any]:
    """Return what a form keeps of a model's outputs for each instance, in their order.

    Args:
        model: in evaluation mode, on the device.
        task: the task of the head.
        form: makes batches, and reads outputs.
        tokens: the instances.
        device: where the model is.

    Raises:
        UserError: as ``in_batches``.
    """

    def compute(instances: np.ndarray) -> list[Any]:
        inputs, targets = (tensors(arrays, device) for arrays in form.batch(tokens, instances, 0))
        return form.outputs(model(task, inputs, len(instances)), targets)

    kept: list[Any] = [None] * len(tokens)
    for instances, values in in_batches(compute, tokens, task):
        for instance, value in zip(instances, values, strict=True):
            kept[instance] = value
    return kept


def predict(model: Model, task: EvaluatedSpec, split: Split, device: torch.device) -> list[str]:
    """Return a prediction as text for each prepared row of a split.

    Args:
        model: in evaluation mode, on the device.
        task: the task of the head.
        split: tokens and rows.
        device: where the model is.
    """
    form = forms.get(task.form)
    kept = outputs(model, task.task, form, split.tokens, device)
    return form.predict(split.rows, split.tokens, kept, task.labels, form.FORM.with_neutral(task.decoding))


def gold_answers(form: FormModule, split: Split, labels: Sequence[str] | None) -> list[str]:
    """Return the gold answer as text for each prepared row of a split."""
    return [form.gold(row, labels) for row in split.rows]


def evaluate(model: Model, task: EvaluatedSpec, split: Split, device: torch.device) -> tuple[dict[str, float], bool]:
    """Return the scores of a split by every metric of the form, and whether the model collapsed on it."""
    form = forms.get(task.form)
    was_training = model.training
    model.eval()
    predictions = predict(model, task, split, device)
    model.train(was_training)
    distributed.keep_shards_alone(model)
    gold = gold_answers(form, split, task.labels)
    languages = [row["language"] for row in split.rows]
    columns = scoring.columns_of(form, predictions, gold, task.scoring, languages)
    return scoring.scores(form.FORM, columns), form.collapsed(predictions, gold)
