"""Prediction: a trained model over tokens, in order of length to pad little, and back in the data's order."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import torch
from torch import nn

from xstilts import backbone, forms
from xstilts.dataset import Part
from xstilts.tokens import Tokens

# pieces in one batch, padding included; memory, not results, depends on it
_BATCH_PIECES = 8192


class Model(nn.Module):
    """A backbone with one head for each task."""

    def __init__(self, body: backbone.Backbone, heads: Mapping[str, nn.Module]) -> None:
        """Join a backbone and heads by the tasks' names."""
        super().__init__()
        self.body = body
        self.heads = nn.ModuleDict({_key(task): head for task, head in heads.items()})

    def forward(self, task: str, ids: torch.Tensor, mask: torch.Tensor, units: int) -> torch.Tensor:
        """Return the task's scores for a batch of units."""
        return self.heads[_key(task)](self.body(ids, mask), mask, units)


def _key(task: str) -> str:
    """Return the name of a task as a module's name, which may hold no dot."""
    return task.replace(".", "_")


def fresh_head(entry: Mapping[str, Any], body: backbone.Backbone, seed: int) -> nn.Module:
    """Return a head with new weights, which the seed and the task's name alone decide."""
    torch.manual_seed(seed * 1_000_003 + sum(map(ord, entry["task"])))
    return forms.get(entry["form"]).head(body.width, entry["labels"], body.dropout)


def load(folder: Path, entries: Sequence[Mapping[str, Any]]) -> Model:
    """Read a trained model and the heads of tasks from a node's folder."""
    from safetensors.torch import load_file

    body = backbone.load(folder)
    model = Model(body, {entry["task"]: fresh_head(entry, body, 0) for entry in entries})
    model.heads.load_state_dict(load_file(folder / "heads.safetensors"))
    return model.eval()


def save(model: Model, folder: Path) -> None:
    """Write backbone and heads as safetensors into a folder."""
    from safetensors.torch import save_file

    model.body.save(folder)
    save_file(
        {name: value.contiguous() for name, value in model.heads.state_dict().items()}, folder / "heads.safetensors"
    )


def tensors(arrays: Mapping[str, np.ndarray], device: torch.device) -> dict[str, torch.Tensor]:
    """Return arrays as tensors on a device."""
    return {name: torch.from_numpy(array).to(device) for name, array in arrays.items()}


def batches(tokens: Tokens) -> list[np.ndarray]:
    """Return all units in batches of similar length, the longest first."""
    order = np.argsort(-tokens.lengths, kind="stable")
    sequences = np.diff(tokens.arrays["units"])
    result, start = [], 0
    while start < len(order):
        stop, width, used = start, int(tokens.lengths[order[start]]), 0
        while stop < len(order) and (stop == start or used + width * sequences[order[stop]] <= _BATCH_PIECES):
            # a batch's units have the same number of sequences: a row of choices is as long as the others
            if sequences[order[stop]] != sequences[order[start]]:
                break
            used += width * sequences[order[stop]]
            stop += 1
        result.append(order[start:stop])
        start = stop
    return result


@torch.inference_mode()
def predict(model: Model, entry: Mapping[str, Any], part: Part, device: torch.device) -> list[str]:
    """Return a prediction as text for each prepared row of a part.

    Args:
        model: in evaluation mode, on the device.
        entry: the task: its name, form, labels and decoding.
        part: tokens and rows.
        device: where the model is.
    """
    form = forms.get(entry["form"])
    kept: list[Any] = [None] * len(part.tokens)
    for units in batches(part.tokens):
        inputs = tensors(part.tokens.inputs(units), device)
        targets = tensors(form.targets(part.tokens, units), device)
        raw = model(entry["task"], inputs["ids"], inputs["mask"], len(units))
        for unit, value in zip(units, form.outputs(raw, targets), strict=True):
            kept[unit] = value
    return form.predict(part.rows, part.tokens, kept, entry["labels"], entry["decoding"])


def golds(form: ModuleType, part: Part, labels: Sequence[str] | None) -> list[str]:
    """Return the right answer as text for each prepared row of a part."""
    return [form.gold(row, labels) for row in part.rows]


def evaluate(model: Model, entry: Mapping[str, Any], part: Part, device: torch.device) -> tuple[dict[str, float], bool]:
    """Return the scores of a part in percent, and whether the model collapsed on it."""
    form = forms.get(entry["form"])
    was_training = model.training
    model.eval()
    predictions = predict(model, entry, part, device)
    model.train(was_training)
    right = golds(form, part, entry["labels"])
    sums: Counter[str] = Counter()
    for prediction, gold in zip(predictions, right, strict=True):
        sums.update(form.statistics(prediction, gold))
    return form.score(sums, len(right)), form.collapsed(predictions, right)
