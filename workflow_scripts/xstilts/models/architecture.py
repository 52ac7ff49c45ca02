"""Architectures of transformers: the family of each, the model in it that reads text, and what cannot be used."""

import json
import re
from pathlib import Path
from typing import Any

import transformers

from xstilts.errors import UserError, reading
from xstilts.model_config import why_not_both_ways

# architectures that transformers has and that cannot be used, and why
_REFUSED = {
    "t5gemma2": "its encoder has a part for images, which cannot be left out",
    "xmod": "its layers have a part for each language, and nothing tells it the language of a text",
}


def family(config: Any) -> str:
    """Return the family of a model by its configuration.

    It is ``masked``, ``encoder`` (that of an encoder-decoder model alone), ``decoder`` or ``encoder_decoder``. A model
    for images and text counts as the language model in it.

    Raises:
        UserError: if it is neither a masked nor a causal language model, nor an encoder-decoder of text.
    """
    from transformers.models.auto import modeling_auto

    if config.is_encoder_decoder:
        others = (
            modeling_auto.MODEL_FOR_SPEECH_SEQ_2_SEQ_MAPPING_NAMES,
            modeling_auto.MODEL_FOR_IMAGE_TEXT_TO_TEXT_MAPPING_NAMES,
        )
        of_text = (modeling_auto.MODEL_MAPPING_NAMES, modeling_auto.MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING_NAMES)
        kind = config.model_type
        if all(kind in names for names in of_text) and not any(kind in names for names in others):
            return "encoder_decoder"
        raise UserError(f"model type {kind!r}: no encoder-decoder that reads and writes text alone")
    kind = config.text_config.model_type if reads_images(config) else config.model_type
    if kind in modeling_auto.MODEL_FOR_SEQ_TO_SEQ_CAUSAL_LM_MAPPING_NAMES:
        return "encoder"
    if kind in modeling_auto.MODEL_FOR_MASKED_LM_MAPPING_NAMES:
        return "masked"
    if kind in modeling_auto.MODEL_FOR_CAUSAL_LM_MAPPING_NAMES:
        return "decoder"
    raise UserError(f"model type {kind!r}: neither a masked nor a causal language model, nor an encoder-decoder")


def reads_images(config: Any) -> bool:
    """Tell whether a model is one for images and text, whose language model is alone used."""
    return not config.is_encoder_decoder and getattr(config, "text_config", None) is not None


def text_model(transformer: Any) -> Any:
    """Return the language model of a model for images and text; any other model as it is."""
    if not reads_images(transformer.config):
        return transformer
    inside = transformer.get_decoder()
    # Llama 4 has its language model with the head
    return getattr(inside, "model", inside)


def attend_both_ways(transformer: Any) -> None:
    """Let the positions of a decoder see all others, in place of those before them alone; changed in place.

    In transformers one attribute of the configuration decides which mask all layers have, and one of each attention
    whether a kernel without a mask looks back alone. A sliding window reaches as far ahead as back.

    Raises:
        UserError: if it is no decoder, or one that looks back for another reason than its mask.
    """
    reason = why_not_both_ways(transformer.config.model_type)
    if reason is not None:
        raise UserError(f"recipe: {reason}; leave it out for this model")
    transformer.config.is_causal = False
    for layer in transformer.modules():
        if hasattr(layer, "is_causal"):
            layer.is_causal = False


def recompute_layers(transformer: Any, again: bool = True) -> None:
    """Have layers computed again in the backward pass, in place of keeping what they gave; changed in place.

    transformers 5.17 has the older of the two names alone.

    Args:
        transformer: the model of transformers, or of peft around it.
        again: False for a model that keeps what its layers give.
    """
    if again == any(getattr(module, "gradient_checkpointing", False) for module in transformer.modules()):
        return
    action = "enable" if again else "disable"
    names = (f"activation_checkpointing_{action}", f"gradient_checkpointing_{action}")
    next(getattr(transformer, name) for name in names if hasattr(transformer, name))()


def configuration(folder: Path, place: str | None = None) -> Any:
    """Return the configuration of a model, of transformers.

    Args:
        folder: the model's folder.
        place: what to call its config.json in an error; None for its path.

    Raises:
        UserError: if its architecture is not known here, or its config.json is not one of this architecture.
    """
    path = folder / "config.json"
    place = place or str(path)
    with reading(Path(place), "save the model anew"):
        content = {**json.loads(path.read_text(encoding="utf-8"))}
    kind = content.get("model_type")
    if not isinstance(kind, str):
        found = "no model_type" if kind is None else f"model_type {kind!r} is no name"
        raise UserError(f"{place}: {found}, so its architecture is not known; save the model anew")
    if kind not in transformers.CONFIG_MAPPING:
        raise UserError(f"{place}: {_unknown(kind, content.get('transformers_version'))}")
    try:
        return transformers.AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    # of a configuration that is wrong, each architecture says it its own way
    except Exception as error:
        reason = " ".join(str(error).split()) or type(error).__name__
        raise UserError(f"{place}: not a configuration of {kind!r}: {reason}; save the model anew") from None


def check(folder: Path, place: str | None = None) -> Any:
    """Return the configuration of a model whose architecture can be used, by its config.json alone.

    Args:
        folder: the model's folder.
        place: as for ``configuration``.

    Raises:
        UserError: as ``configuration``; and if it is of no family, or its weights are quantised.
    """
    config = configuration(folder, place)
    reason = _REFUSED.get(config.model_type)
    if getattr(config, "quantization_config", None) is not None:
        reason = "their weights are quantised, and cannot be trained here"
    if reason is None:
        try:
            family(config)
        except UserError as error:
            reason = str(error)
    if reason is not None:
        place = place or str(folder / "config.json")
        raise UserError(f"{place}: models like this cannot be used: {reason}; use another model")
    return config


def _unknown(kind: object, written: object) -> str:
    """Return what to say of an architecture that the transformers library here does not know.

    Args:
        kind: the model type.
        written: the version of transformers by which config.json says that it was written.
    """
    here = transformers.__version__
    said = f"the architecture {kind!r} is not known to transformers {here}; "
    if _numbers(written) > _numbers(here):
        return f"{said}the file was written by {written}: install that version or a later one"
    return f"{said}which version has it is not known, and code that comes with a model is never run; use another model"


def _numbers(version: object) -> list[int]:
    return [int(number) for number in re.findall(r"\d+", str(version))]
