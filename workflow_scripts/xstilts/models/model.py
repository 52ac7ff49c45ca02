"""A model: a backbone with one head for each task; how it is made, read and saved."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from xstilts import forms
from xstilts.forms import FORMS
from xstilts.forms.heads import LanguageHead, with_initializer_range
from xstilts.models import adapters, distributed
from xstilts.models.backbone import Backbone, empty_language_head, language_head
from xstilts.store import lineage


class Model(nn.Module):
    """A backbone with one head for each task."""

    def __init__(self, backbone: Backbone, heads: Mapping[str, nn.Module], precision: str = "float32") -> None:
        """Join a backbone and heads by the tasks' names.

        Args:
            backbone: the backbone.
            heads: by the name of the task.
            precision: in which type matrices are multiplied, ``float32`` or ``bfloat16``.
        """
        super().__init__()
        self.backbone = backbone
        self.heads = nn.ModuleDict({_key(task): head for task, head in heads.items()})
        self._reduced = precision == "bfloat16"

    def forward(self, task: str, inputs: Mapping[str, torch.Tensor], instances: int) -> torch.Tensor:
        """Return the task's scores for a batch of instances, in float32."""
        with self._arithmetic(inputs):
            return self.heads[_key(task)](self.backbone(inputs), inputs, instances).float()

    def layers(self, inputs: Mapping[str, torch.Tensor]) -> Sequence[torch.Tensor]:
        """Return the vectors of all layers of the backbone, the embeddings first: (sequences, longest, width) each."""
        with self._arithmetic(inputs):
            return self.backbone.layers(inputs)

    def _arithmetic(self, inputs: Mapping[str, torch.Tensor]) -> torch.autocast:
        return torch.autocast(inputs["ids"].device.type, torch.bfloat16, enabled=self._reduced)


def _key(task: str) -> str:
    """Return the name of a task as a module's name, which may hold no dot."""
    return task.replace(".", "_")


def make_head(entry: Mapping[str, Any], backbone: Backbone, seed: int, base: Path | None) -> nn.Module:
    """Return the head with which the training of a task starts.

    It is fresh, with weights which the seed and the task's name alone decide, or the language-model head of the base
    model in the folder ``base``.
    """
    if FORMS[entry["form"]].pretrained_head:
        return language_head(base, backbone)
    torch.manual_seed(seed * 1_000_003 + sum(map(ord, entry["task"])))
    return with_initializer_range(
        forms.get(entry["form"]).head(backbone.width, entry["labels"], backbone.dropout), backbone.initializer_range
    )


def load_model(
    folders: Sequence[Path], entries: Sequence[Mapping[str, Any]], numerics: Mapping[str, Any], base: Path | None
) -> Model:
    """Read a trained model and the heads of tasks.

    Args:
        folders: that of the model, and where it is an adapter those below it, down to that of a whole model.
        entries: the tasks whose heads are read from the first folder.
        numerics: the spec's submodel, dtype and precision, as ``of_spec`` gives them.
        base: folder of the pretrained model, for tasks with its language-model head.
    """
    backbone = adapters.load(folders, numerics["submodel"], numerics["dtype"])
    frozen = adapters.is_adapter(folders[0])
    heads = {}
    for entry in entries:
        own = FORMS[entry["form"]].pretrained_head and not frozen
        heads[entry["task"]] = empty_language_head(backbone) if own else make_head(entry, backbone, 0, base)
    model = Model(backbone, heads, numerics["precision"])
    weights = _saved_heads(folders[0])
    # what is tied to the backbone's embeddings is not saved twice
    names = {name for name in model.heads.state_dict() if name in _own_weights(model)}
    # copies: a file's tensors may lie so in memory that products of them are rounded otherwise
    copies = {name: weights[name].clone() for name in names}
    model.heads.load_state_dict(copies, strict=False, assign=True)
    return model.eval()


def of_spec(spec: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a node's spec says of how a model is held and computed."""
    return {key: spec[key] for key in ("submodel", "dtype", "precision")}


def of_node(spec: Mapping[str, Any], results: Path) -> tuple[Model, dict[str, Any]]:
    """Return the model that a predictions node uses, and the entry of its task.

    A target without training is measured with the head of the base model on the backbone as it is.
    """
    folders = lineage.folders(spec, results)
    base = results / spec["parents"]["base"] if "base" in spec["parents"] else None
    entry = {"task": spec["trained_on"] or spec["form"]}
    entry |= {key: spec[key] for key in ("form", "labels", "decoding", "scoring")}
    if spec["trained_on"] is not None:
        return load_model(folders, [entry], of_spec(spec), base), entry
    model = without_heads(spec, results)
    return Model(
        model.backbone, {entry["task"]: make_head(entry, model.backbone, 0, base)}, spec["precision"]
    ).eval(), entry


def without_heads(spec: Mapping[str, Any], results: Path) -> Model:
    """Return the model that a node uses as it is."""
    backbone = adapters.load(lineage.folders(spec, results), spec["submodel"], spec["dtype"])
    return Model(backbone, {}, spec["precision"]).eval()


def load_head(model: Model, task: str, folder: Path, before: str) -> None:
    """Give a task's head the weights of the head that another task has in a node's folder."""
    prefix = f"{_key(before)}."
    weights = {name.removeprefix(prefix): value for name, value in _saved_heads(folder).items()
               if name.startswith(prefix)}  # fmt: skip
    model.heads[_key(task)].load_state_dict(weights)


def _saved_heads(folder: Path) -> dict[str, torch.Tensor]:
    from safetensors.torch import load_file

    return load_file(folder / "heads.safetensors")


def _own_weights(model: Model) -> set[str]:
    """Return the names of the heads' weights that are the node's own: trained, and not the backbone's embeddings.

    Beside an adapter the pretrained language-model head stays as it is.
    """
    embeddings = model.backbone.transformer.get_input_embeddings().weight
    lasting = {
        f"{name}." for name, head in model.heads.items()
        if isinstance(head, LanguageHead) and model.backbone.adapter is not None
    }  # fmt: skip
    return {
        name for name, value in model.heads.named_parameters(remove_duplicate=False)
        if value is not embeddings and not any(name.startswith(head) for head in lasting)
    }  # fmt: skip


def save_model(model: Model, folder: Path, group: distributed.Group) -> None:
    """Write what is a node's own of a model into a folder as safetensors: backbone or adapter, and heads.

    All processes must call it; the first one writes.
    """
    from safetensors.torch import save_file

    own, state = _own_weights(model), model.state_dict()
    if model.backbone.adapter is not None:
        # what stays as it was is read from where it stands
        trained = {name for name, value in model.named_parameters() if value.requires_grad}
        state = {name: value for name, value in state.items() if name in trained}
    state = distributed.gather(state, group)
    if group.leads:
        prefix = "backbone.transformer."
        backbone = {name.removeprefix(prefix): value for name, value in state.items() if name.startswith(prefix)}
        adapters.save(model.backbone, backbone, folder)
        save_file({name: state[f"heads.{name}"].clone().contiguous() for name in own}, folder / "heads.safetensors")
    group.wait()


def tensors(arrays: Mapping[str, np.ndarray], device: torch.device) -> dict[str, torch.Tensor]:
    """Return arrays as tensors on a device."""
    return {name: torch.from_numpy(array).to(device) for name, array in arrays.items()}
