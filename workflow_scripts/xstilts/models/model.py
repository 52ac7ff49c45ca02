"""A model: a backbone with one head for each task; how it is made, read and saved."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import nn

from xstilts import forms
from xstilts.errors import reading
from xstilts.forms import FORMS
from xstilts.forms.heads import LanguageHead, with_initializer_range
from xstilts.models import adapters, distributed
from xstilts.models.backbone import Backbone, empty_language_head, language_head
from xstilts.store import lineage
from xstilts.store.specs.base import BASE, Spec
from xstilts.store.specs.evaluation import PredictionsSpec
from xstilts.store.specs.models import EvaluatedSpec, HeadSpec, Numerics


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
        # whether matrices are multiplied in bfloat16
        self.reduced = precision == "bfloat16"

    def forward(self, task: str, inputs: Mapping[str, torch.Tensor], instances: int) -> torch.Tensor:
        """Return the task's scores for a batch of instances, in float32."""
        with self._arithmetic(inputs):
            return self.heads[_key(task)](self.backbone(inputs), inputs, instances).float()

    def layers(self, inputs: Mapping[str, torch.Tensor]) -> Sequence[torch.Tensor]:
        """Return the vectors of all layers of the backbone, the embeddings first: (sequences, longest, width) each."""
        with self._arithmetic(inputs):
            return self.backbone.layers(inputs)

    def _arithmetic(self, inputs: Mapping[str, torch.Tensor]) -> torch.autocast:
        return torch.autocast(inputs["ids"].device.type, torch.bfloat16, enabled=self.reduced)


def _key(task: str) -> str:
    """Return the name of a task as a module's name, which may hold no dot."""
    return task.replace(".", "_")


def make_head(head: HeadSpec, backbone: Backbone, seed: int, base: Path | None) -> nn.Module:
    """Return the head with which the training of a task starts.

    It is fresh, with weights which the seed and the task's name alone decide, or the language-model head of the
    pretrained model.

    Args:
        head: the task, its form and labels.
        backbone: the backbone that it stands on.
        seed: of fresh weights.
        base: folder of the pretrained model, where its head is used.
    """
    if FORMS[head.form].pretrained_head:
        assert base is not None, "a pretrained head has a pretrained model"
        return language_head(base, backbone)
    torch.manual_seed(seed * 1_000_003 + sum(map(ord, head.task)))
    fresh = forms.get(head.form).head(backbone.width, head.labels, backbone.dropout)
    return with_initializer_range(fresh, backbone.initializer_range)


def load_model(folders: Sequence[Path], heads: Sequence[HeadSpec], numerics: Numerics, base: Path | None) -> Model:
    """Read a trained model and the heads of tasks, in evaluation mode.

    Args:
        folders: that of the model, and where it is an adapter those below it, down to that of a whole model.
        heads: the heads that are read from the first folder.
        numerics: how the model is computed.
        base: folder of the pretrained model, for tasks with its language-model head.
    """
    backbone = adapters.load(folders, numerics)
    frozen = adapters.is_adapter(folders[0])
    weights = _saved_heads(folders[0])
    modules: dict[str, nn.Module] = {}
    for head in heads:
        if FORMS[head.form].pretrained_head and not frozen:
            modules[head.task] = empty_language_head(backbone, _of_head(weights, head.task))
        else:
            modules[head.task] = make_head(head, backbone, 0, base)
    model = Model(backbone, modules, numerics.precision)
    # what is tied to the backbone's embeddings is not saved twice
    names = {name for name in model.heads.state_dict() if name in _own_weights(model)}
    # copies: a file's tensors may lie so in memory that products of them are rounded otherwise
    copies = {name: weights[name].clone() for name in names}
    model.heads.load_state_dict(copies, strict=False, assign=True)
    return model.eval()


def base_of(spec: Spec, results: Path) -> Path | None:
    """Return the folder of the pretrained model whose language-model head a node uses; None where it uses none."""
    return results / spec.parents[BASE] if BASE in spec.parents else None


def for_predictions(spec: PredictionsSpec, results: Path) -> tuple[Model, EvaluatedSpec]:
    """Return the model that a predictions node uses, and the task of its head.

    A target without training is measured with the head of the pretrained model on the backbone as it is.
    """
    task = EvaluatedSpec(
        task=spec.trained_on or spec.form,
        form=spec.form,
        labels=spec.labels,
        decoding=spec.decoding,
        scoring=spec.scoring,
    )
    base = base_of(spec, results)
    if spec.trained_on is not None:
        return load_model(lineage.folders(spec, results), [task], spec.numerics, base), task
    backbone = adapters.load(lineage.folders(spec, results), spec.numerics)
    head = make_head(task, backbone, 0, base)
    return Model(backbone, {task.task: head}, spec.numerics.precision).eval(), task


def without_heads(folders: Sequence[Path], numerics: Numerics) -> Model:
    """Return a model as it is, in evaluation mode.

    Args:
        folders: as for ``load_model``.
        numerics: how the model is computed.
    """
    return Model(adapters.load(folders, numerics), {}, numerics.precision).eval()


def load_head(model: Model, task: str, folder: Path, before: str) -> None:
    """Give a task's head the weights of the head that another task has in a node's folder."""
    model.heads[_key(task)].load_state_dict(_of_head(_saved_heads(folder), before))


def _of_head(weights: Mapping[str, torch.Tensor], task: str) -> dict[str, torch.Tensor]:
    """Return those of several heads' weights that are the head's of a task, by their names in it."""
    prefix = f"{_key(task)}."
    return {name.removeprefix(prefix): value for name, value in weights.items() if name.startswith(prefix)}


def _saved_heads(folder: Path) -> dict[str, torch.Tensor]:
    from safetensors.torch import load_file

    path = folder / "heads.safetensors"
    with reading(path):
        return load_file(path)


def _own_weights(model: Model) -> set[str]:
    """Return the names of the heads' weights that are the node's own: trained, and not the backbone's embeddings.

    Beside an adapter the pretrained language-model head stays as it is.
    """
    embeddings = model.backbone.transformer.get_input_embeddings().weight
    frozen = {
        f"{name}."
        for name, head in model.heads.items()
        if isinstance(head, LanguageHead) and model.backbone.adapter is not None
    }
    return {
        name
        for name, value in model.heads.named_parameters(remove_duplicate=False)
        if value is not embeddings and not any(name.startswith(head) for head in frozen)
    }


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
    """Return arrays as tensors on a device, to which they may still be on the way."""
    found = {name: torch.from_numpy(array) for name, array in arrays.items()}
    if device.type == "cuda":
        # only out of pinned memory the copy is one that nothing waits for
        found = {name: value.pin_memory() for name, value in found.items()}
    return {name: value.to(device, non_blocking=True) for name, value in found.items()}
