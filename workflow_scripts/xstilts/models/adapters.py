"""How a model is tuned: all of its weights, or an adapter of the peft library beside weights that stay.

==========  ==========================================================================================
``full``    every weight (Phang et al. 2020)
``lora``    a matrix of low rank beside each linear layer (Hu et al. 2022, LoRA)
``prompt``  vectors before the text (Lester et al. 2021, The Power of Scale ...), at first those of pieces
``prefix``  keys and values before the text in every layer (Li and Liang 2021, Prefix-Tuning)
==========  ==========================================================================================

A phase after one with LoRA starts from the sum of the weights and the adapter, with a fresh adapter; one after a prompt
or a prefix goes on with it (Vu et al. 2022, SPoT), for neither can be added to the weights.
"""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from xstilts.errors import UserError
from xstilts.forms.heads import LanguageHead
from xstilts.models import backbone
from xstilts.models.backbone import Backbone

# a prompt or prefix in peft's file, and in the model
_PROMPT, _PROMPT_WEIGHT = "prompt_embeddings", "prompt_encoder.default.embedding.weight"
# peft's names of the methods
_METHODS = {"LORA": "lora", "PROMPT_TUNING": "prompt", "PREFIX_TUNING": "prefix"}
CONFIGURATION, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"


def begin(body: Backbone, chosen: Mapping[str, Any], seed: int) -> None:
    """Make a body ready for training: add an earlier adapter to the weights, and put a fresh one on.

    What is not trained needs no gradient afterwards. The adapter's weights depend on the seed alone.

    Args:
        body: as ``load`` gives it; changed in place.
        chosen: the tuning, as ``recipe.tuning`` gives it.
        seed: of the fresh weights.

    Raises:
        UserError: if the model does not take the adapter.
    """
    if body.adapter == "lora":
        body.body, body.adapter = body.body.merge_and_unload(), None
    if chosen["method"] == "full":
        # what an adapter stood on was not trained until now
        body.body.requires_grad_(True)
    if body.adapter is not None or chosen["method"] == "full":
        return
    torch.manual_seed(seed)
    _put_on(body, _configuration(chosen, body))
    if chosen["method"] == "prompt":
        # Lester et al. 2021, section 3.2: fresh vectors are those of pieces
        pieces = body.body.get_input_embeddings().weight
        prompt = body.body.prompt_encoder["default"].embedding.weight
        with torch.no_grad():
            prompt.copy_(pieces[torch.randperm(len(pieces))[: len(prompt)]])


def freeze(body: Backbone, heads: nn.ModuleDict, embeddings: bool) -> None:
    """Let a run train no weights that stay: the pretrained language-model head beside an adapter, and the embeddings.

    Args:
        body: the backbone, after ``begin``.
        heads: the tasks' heads.
        embeddings: whether the pieces' embeddings stay.
    """
    if embeddings:
        body.body.get_input_embeddings().requires_grad_(False)
    if body.adapter is not None:
        for head in heads.values():
            if isinstance(head, LanguageHead):
                head.requires_grad_(False)


def is_adapter(folder: Path) -> bool:
    """Tell whether a folder holds an adapter, and no whole model."""
    return (folder / CONFIGURATION).exists()


def save(body: Backbone, state: Mapping[str, torch.Tensor], folder: Path) -> None:
    """Write what was trained of a body into a folder: the adapter alone, or all of the model.

    Args:
        body: the backbone.
        state: its weights by name, whole.
        folder: where to.
    """
    if body.adapter is None:
        body.body.save_pretrained(folder, state_dict=dict(state))
        return
    import peft
    from safetensors.torch import save_file

    content = body.body.peft_config["default"].to_dict()
    # the folder that a model was read from, and the order of a set, are no part of a result
    content["base_model_name_or_path"] = None
    content = {key: sorted(value) if isinstance(value, set) else value for key, value in content.items()}
    (folder / CONFIGURATION).write_text(json.dumps(content, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    # peft would take a prompt from this process's own shard of the model
    own = {_PROMPT: state[_PROMPT_WEIGHT]} if body.virtual else None
    own = own or peft.get_peft_model_state_dict(body.body, state_dict=dict(state))
    save_file({name: value.clone().contiguous() for name, value in own.items()}, folder / WEIGHTS)


def load(folders: Sequence[Path], part: str | None, weights: str) -> Backbone:
    """Read a body from the folder of a whole model, with the adapters that stand above it.

    Args:
        folders: the uppermost first; all but the last hold adapters.
        part: ``encoder`` for the encoder alone of an encoder-decoder model.
        weights: the type in which the model's weights are held, ``float32`` or ``bfloat16``.
    """
    body = backbone.load(folders[-1], part, weights)
    for folder in reversed(folders[:-1]):
        attach(body, folder)
    return body


def attach(body: Backbone, folder: Path) -> None:
    """Put the adapter of a folder onto the body that it was trained on; an earlier one becomes part of the weights.

    Raises:
        UserError: if the adapter does not fit the body.
    """
    import peft
    from safetensors.torch import load_file

    if body.adapter == "lora":
        body.body = body.body.merge_and_unload()
    elif body.adapter is not None:
        # a later phase went on with this one
        body.body, body.virtual = body.body.get_base_model(), 0
    _put_on(body, peft.PeftConfig.from_pretrained(folder))
    # copies: a file's tensors may lie so in memory that products of them are rounded otherwise
    weights = {name: value.clone() for name, value in load_file(folder / WEIGHTS).items()}
    report = peft.set_peft_model_state_dict(body.body, weights)
    foreign = sorted(set(report.unexpected_keys) - {_PROMPT})
    if foreign:
        raise UserError(f"{folder}: the adapter has {foreign[0]}, which the model below it lacks")


def _configuration(chosen: Mapping[str, Any], body: Backbone) -> Any:
    """Return the configuration of peft for a method."""
    import peft

    kind = body.prefix_task() if chosen["method"] == "prefix" else "FEATURE_EXTRACTION"
    if chosen["method"] == "lora":
        return peft.LoraConfig(
            r=chosen["rank"], lora_alpha=chosen["alpha"], lora_dropout=chosen["dropout"],
            target_modules=chosen["modules"], task_type=kind,
        )  # fmt: skip
    if chosen["method"] == "prompt":
        return peft.PromptTuningConfig(num_virtual_tokens=chosen["tokens"], task_type=kind)
    return peft.PrefixTuningConfig(num_virtual_tokens=chosen["tokens"], task_type=kind)


def _put_on(body: Backbone, configuration: Any) -> None:
    import peft

    if configuration.task_type == "SEQ_2_SEQ_LM":
        # peft looks for what only a model with a language-model head has
        nn.Module.__setattr__(body.body, "prepare_inputs_for_generation", None)
        nn.Module.__setattr__(body.body, "_prepare_encoder_decoder_kwargs_for_generation", None)
    try:
        body.body = peft.get_peft_model(body.body, configuration)
    except ValueError as error:
        reason = str(error).strip().splitlines()[0]
        raise UserError(f"recipe: tuning: the model does not take this adapter: {reason}") from None
    body.adapter = _METHODS[configuration.peft_type.value]
    body.virtual = getattr(configuration, "num_virtual_tokens", 0)
