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
from xstilts.forms import FORMS
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

    def forward(self, task: str, inputs: Mapping[str, torch.Tensor], units: int) -> torch.Tensor:
        """Return the task's scores for a batch of units."""
        return self.heads[_key(task)](self.body(inputs["ids"], inputs["mask"]), inputs, units)


def _key(task: str) -> str:
    """Return the name of a task as a module's name, which may hold no dot."""
    return task.replace(".", "_")


def make_head(entry: Mapping[str, Any], body: backbone.Backbone, seed: int, base: Path | None) -> nn.Module:
    """Return the head with which the training of a task starts.

    It is fresh, with weights which the seed and the task's name alone decide, or the language-model head of the base
    model in the folder ``base``.
    """
    if FORMS[entry["form"]].pretrained_head:
        return backbone.language_head(base, body)
    torch.manual_seed(seed * 1_000_003 + sum(map(ord, entry["task"])))
    return forms.get(entry["form"]).head(body.width, entry["labels"], body.dropout)


def load(folder: Path, entries: Sequence[Mapping[str, Any]]) -> Model:
    """Read a trained model and the heads of tasks from a node's folder."""
    body = backbone.load(folder)
    model = Model(body, {entry["task"]: _empty_head(entry, body) for entry in entries})
    weights = _saved_heads(folder)
    # what is tied to the body's embeddings is not saved twice
    wanted = {name for name in model.heads.state_dict() if name not in _tied(model)}
    # copies: a file's tensors may lie so in memory that products of them are rounded otherwise
    copies = {name: weights[name].clone() for name in wanted}
    model.heads.load_state_dict(copies, strict=False, assign=True)
    return model.eval()


def of_node(spec: Mapping[str, Any], results: Path) -> tuple[Model, dict[str, Any]]:
    """Return the model that a predictions node uses, and the entry of its task.

    A target without training is measured with the head of the base model on the body as it is.
    """
    folder = results / spec["parents"]["model"]
    entry = {"task": spec["trained_on"] or spec["form"]}
    entry |= {key: spec[key] for key in ("form", "labels", "decoding", "scoring")}
    if spec["trained_on"] is not None:
        return load(folder, [entry]), entry
    body = backbone.load(folder)
    return Model(body, {entry["task"]: make_head(entry, body, 0, results / spec["parents"]["base"])}).eval(), entry


def carry_head(model: Model, task: str, folder: Path, before: str) -> None:
    """Give a task's head the weights of the head that another task has in a node's folder."""
    prefix = f"{_key(before)}."
    weights = {name.removeprefix(prefix): value for name, value in _saved_heads(folder).items()
               if name.startswith(prefix)}  # fmt: skip
    model.heads[_key(task)].load_state_dict(weights)


def _saved_heads(folder: Path) -> dict[str, torch.Tensor]:
    from safetensors.torch import load_file

    return load_file(folder / "heads.safetensors")


def _empty_head(entry: Mapping[str, Any], body: backbone.Backbone) -> nn.Module:
    if FORMS[entry["form"]].pretrained_head:
        return backbone.empty_language_head(body)
    return make_head(entry, body, 0, None)


def _tied(model: Model) -> set[str]:
    """Return the names of the heads' weights that are the body's embeddings."""
    embeddings = model.body.body.get_input_embeddings().weight
    return {name for name, value in model.heads.named_parameters(remove_duplicate=False) if value is embeddings}


def save(model: Model, folder: Path) -> None:
    """Write backbone and heads as safetensors into a folder."""
    from safetensors.torch import save_file

    model.body.save(folder)
    tied = _tied(model)
    own = {name: value.clone().contiguous() for name, value in model.heads.state_dict().items() if name not in tied}
    save_file(own, folder / "heads.safetensors")


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
        entry: the task: its name, form, labels, decoding and scoring.
        part: tokens and rows.
        device: where the model is.
    """
    form = forms.get(entry["form"])
    kept: list[Any] = [None] * len(part.tokens)
    for units in batches(part.tokens):
        inputs, targets = (tensors(arrays, device) for arrays in form.batch(part.tokens, units, 0))
        raw = model(entry["task"], inputs, len(units))
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
    for row, prediction, gold in zip(part.rows, predictions, right, strict=True):
        sums.update(form.statistics(prediction, gold, {"rules": entry["scoring"], "language": row["language"]}))
    return form.score(sums, len(right)), form.collapsed(predictions, right)
