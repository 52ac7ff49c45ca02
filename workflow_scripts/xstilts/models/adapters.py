"""Fine-tuning methods: all weights, or an adapter of the peft library beside frozen ones.

==========  ==========================================================================================
``full``    every weight (Phang et al. 2020)
``lora``    a matrix of low rank beside each linear layer (Hu et al. 2022, LoRA)
``prompt``  vectors before the text (Lester et al. 2021, The Power of Scale ...), initialised with those of tokens
``prefix``  keys and values before the text in every layer (Li and Liang 2021, Prefix-Tuning)
==========  ==========================================================================================

A phase after one with LoRA starts with a fresh adapter; the earlier one is merged into the weights, or stays unmerged
beside them. A phase after a prompt or a prefix trains it further (Vu et al. 2022, SPoT), for neither can be merged.

With earlier adapters A_i, B_i of scales s_i a linear layer of weights W gives (W + sum s_i B_i A_i) x where they are
merged, and W x + sum s_i B_i (A_i x) where they are not: the same in exact numbers, but weights of few bits round away
most of what is merged into them. Unmerged adapters are frozen, and without dropout, like the weights.
"""

import dataclasses
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import nn

from xstilts.errors import UserError, reading
from xstilts.forms.heads import LanguageHead
from xstilts.models import distributed
from xstilts.models.backbone import Backbone, load_backbone
from xstilts.models.quantisation import QuantisedLinear, quantise
from xstilts.store.specs.models import Method, Numerics

# a prompt or prefix in peft's file, and in the model
_PROMPT, _PROMPT_WEIGHT = "prompt_embeddings", "prompt_encoder.default.embedding.weight"
# peft's names of the methods
_METHODS = {"LORA": "lora", "PROMPT_TUNING": "prompt", "PREFIX_TUNING": "prefix"}
CONFIGURATION, WEIGHTS = "adapter_config.json", "adapter_model.safetensors"


def inject(backbone: Backbone, method: Method, seed: int, unmerged: bool = False) -> None:
    """Make a backbone ready for training: merge an earlier adapter into the weights, and inject a fresh one.

    What is not trained needs no gradient afterwards. The adapter's weights depend on the seed alone.

    Args:
        backbone: as ``load`` gives it; changed in place.
        method: the fine-tuning method, a spec's.
        seed: of the fresh weights.
        unmerged: whether earlier LoRA adapters stay beside the weights, frozen.

    Raises:
        UserError: if the model does not take the adapter.
    """
    if not unmerged:
        merge(backbone)
    if not method.is_adapter:
        # the weights below an adapter were frozen until now
        backbone.transformer.requires_grad_(True)
    # a prompt or prefix is trained further
    if backbone.virtual or not method.is_adapter:
        return
    torch.manual_seed(seed)
    _add_adapter(backbone, _configuration(method, backbone))
    if method.name == "prompt":
        # Lester et al. 2021, section 3.2: fresh vectors are those of tokens
        embeddings = backbone.transformer.get_input_embeddings().weight
        prompt = backbone.transformer.prompt_encoder["default"].embedding.weight
        with torch.no_grad():
            prompt.copy_(embeddings[torch.randperm(len(embeddings))[: len(prompt)]])


def merge(backbone: Backbone) -> None:
    """Add LoRA adapters to the weights that they stand on; any other model stays as it is."""
    if backbone.adapter == "lora":
        backbone.transformer, backbone.adapter = backbone.transformer.merge_and_unload(), None


def freeze(backbone: Backbone, heads: nn.ModuleDict, embeddings: bool) -> None:
    """Freeze what a run does not train: the pretrained language-model head beside an adapter, and the embeddings.

    Args:
        backbone: the backbone, after ``inject``.
        heads: the tasks' heads.
        embeddings: whether the token embeddings are frozen.
    """
    if embeddings:
        backbone.transformer.get_input_embeddings().requires_grad_(False)
    if backbone.adapter is not None:
        for head in heads.values():
            if isinstance(head, LanguageHead):
                head.requires_grad_(False)


def is_adapter(folder: Path) -> bool:
    """Tell whether a folder holds an adapter, and no whole model."""
    return (folder / CONFIGURATION).exists()


def save(backbone: Backbone, state: Mapping[str, torch.Tensor], folder: Path) -> None:
    """Write what was trained of a backbone into a folder: the adapter alone, or all of the model.

    Args:
        backbone: the backbone.
        state: its weights by name, whole.
        folder: where to.
    """
    if backbone.adapter is None:
        backbone.transformer.save_pretrained(folder, state_dict=dict(state))
        return
    import peft
    from safetensors.torch import save_file

    name = _names(backbone)[-1]
    content = backbone.transformer.peft_config[name].to_dict()
    # the folder that a model was read from, and the order of a set, are no part of a result
    content["base_model_name_or_path"] = None
    content = {key: sorted(value) if isinstance(value, set) else value for key, value in content.items()}
    (folder / CONFIGURATION).write_text(json.dumps(content, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    # peft would take a prompt from this process's own shard of the model
    own = {_PROMPT: state[_PROMPT_WEIGHT]} if backbone.virtual else None
    own = own or peft.get_peft_model_state_dict(backbone.transformer, state_dict=dict(state), adapter_name=name)
    save_file({name: value.clone().contiguous() for name, value in own.items()}, folder / WEIGHTS)


def load(folders: Sequence[Path], numerics: Numerics, as_stored: bool = False) -> Backbone:
    """Read a backbone from the folder of a whole model, with the adapters that stand above it.

    Args:
        folders: the uppermost first; all but the last hold adapters.
        numerics: how the model is computed.
        as_stored: as for ``load_backbone``.

    Raises:
        UserError: if an adapter does not fit, or weights cannot be quantised here.
    """
    backbone = load_backbone(folders[-1], numerics.submodel, numerics.dtype, numerics.attention, as_stored)
    if numerics.quantised is not None:
        quantise(backbone.transformer, distributed.device())
    for folder in reversed(folders[:-1]):
        load_adapter(backbone, folder, numerics.unmerged)
    return backbone


def load_adapter(backbone: Backbone, folder: Path, unmerged: bool = False) -> None:
    """Load the adapter of a folder onto the backbone that it was trained on.

    Args:
        backbone: changed in place; an earlier adapter is merged into its weights.
        folder: the adapter's.
        unmerged: whether an earlier LoRA adapter stays beside the weights instead.

    Raises:
        UserError: if the adapter does not fit the backbone.
    """
    import peft
    from safetensors.torch import load_file

    if not unmerged:
        merge(backbone)
    if backbone.virtual:
        # a later phase trained this one further
        backbone.transformer, backbone.adapter, backbone.virtual = backbone.transformer.get_base_model(), None, 0
    with reading(folder / "adapter_config.json"):
        configuration = peft.PeftConfig.from_pretrained(str(folder))
    _add_adapter(backbone, configuration)
    with reading(folder / WEIGHTS):
        # copies: a file's tensors may lie so in memory that products of them are rounded otherwise
        weights = {name: value.clone() for name, value in load_file(folder / WEIGHTS).items()}
    report: Any = peft.set_peft_model_state_dict(backbone.transformer, weights, _names(backbone)[-1])
    foreign = sorted(set(report.unexpected_keys) - {_PROMPT})
    if foreign:
        raise UserError(f"{folder}: the adapter has {foreign[0]}, which the model below it lacks")


def _configuration(method: Method, backbone: Backbone) -> Any:
    """Return the configuration of peft for a method."""
    import peft

    settings: dict[str, Any] = dataclasses.asdict(method)

    kind = backbone.prefix_task() if method.name == "prefix" else "FEATURE_EXTRACTION"
    if method.name == "lora":
        return peft.LoraConfig(
            r=settings["rank"],
            lora_alpha=settings["alpha"],
            lora_dropout=settings["dropout"],
            target_modules=settings["modules"],
            exclude_modules=_routers(backbone),
            task_type=kind,
        )
    if method.name == "prompt":
        backbone.check_prompt()
        return peft.PromptTuningConfig(num_virtual_tokens=settings["prompt_length"], task_type=kind)
    return peft.PrefixTuningConfig(num_virtual_tokens=settings["prompt_length"], task_type=kind)


def _routers(backbone: Backbone) -> list[str] | None:
    """Return the layers that are linear ones but give more than a product, as the routers of Llama 4; None for none."""
    transformer = backbone.transformer if backbone.adapter is None else backbone.transformer.get_base_model()
    plain = (nn.Linear, QuantisedLinear)
    layers = ((name, type(layer)) for name, layer in transformer.named_modules())
    return [name for name, kind in layers if issubclass(kind, nn.Linear) and kind not in plain] or None


def _names(backbone: Backbone) -> list[str]:
    """Return peft's names of the adapters on a backbone, the uppermost last."""
    return list(backbone.transformer.peft_config)


def _add_adapter(backbone: Backbone, configuration: Any) -> None:
    """Put a fresh adapter onto a backbone, beside the frozen LoRA adapters that are on it."""
    import peft

    if configuration.task_type == "SEQ_2_SEQ_LM":
        # peft looks for what only a model with a language-model head has
        for name in ("prepare_inputs_for_generation", "_prepare_encoder_decoder_kwargs_for_generation"):
            object.__setattr__(backbone.transformer, name, None)
    try:
        if backbone.adapter is None:
            backbone.transformer = peft.get_peft_model(backbone.transformer, configuration)
        else:
            _add_beside(backbone, configuration)
    except ValueError as error:
        reason = str(error).strip().splitlines()[0]
        remedy = "name some of the model's layers in `modules`" if configuration.peft_type == "LORA" else "use lora"
        raise UserError(f"recipe: method: the model does not take this adapter: {reason}; {remedy}") from None
    backbone.adapter = _METHODS[configuration.peft_type.value]
    backbone.virtual = getattr(configuration, "num_virtual_tokens", 0)


def _add_beside(backbone: Backbone, configuration: Any) -> None:
    """Put a fresh LoRA adapter beside others, which become fixed weights: without gradients and without dropout."""
    from peft.tuners.lora import LoraLayer

    earlier = _names(backbone)
    fresh = f"above_{len(earlier)}"
    for layer in backbone.transformer.modules():
        if isinstance(layer, LoraLayer):
            layer.lora_dropout.update({name: nn.Identity() for name in layer.lora_dropout})
    backbone.transformer.add_adapter(fresh, configuration)
    # in this order their products are added
    backbone.transformer.base_model.set_adapter([*earlier, fresh])
    backbone.transformer.base_model.set_requires_grad(earlier, requires_grad=False)
