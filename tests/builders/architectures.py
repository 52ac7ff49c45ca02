"""Tiny random models of the architectures of transformers that have no tests of their own in ``families.py``."""

from pathlib import Path
from typing import Any

import torch
import transformers

from tests.builders.families import FAMILIES, write_tokenizer

_SMALL = {"num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32, "hidden_size": 16}
_ENCODER = {**_SMALL, "max_position_embeddings": 64, "pad_token_id": 0}
_DECODER = {**_SMALL, "num_key_value_heads": 1, "head_dim": 8, "max_position_embeddings": 128, "pad_token_id": 1}
_T5 = {"d_model": 16, "num_layers": 2, "num_heads": 2, "d_kv": 8, "d_ff": 32, "dropout_rate": 0.0,
       "decoder_start_token_id": 0}  # fmt: skip
_BART = {"d_model": 16, "encoder_layers": 2, "decoder_layers": 2, "encoder_attention_heads": 2,
         "decoder_attention_heads": 2, "encoder_ffn_dim": 32, "decoder_ffn_dim": 32, "max_position_embeddings": 64,
         "dropout": 0.0, "attention_dropout": 0.0, "pad_token_id": 0, "bos_token_id": 0, "eos_token_id": 1}  # fmt: skip
_GEMMA = {**_DECODER, "pad_token_id": 0, "sliding_window": 16}
_GEMMA_4 = {**_GEMMA, "hidden_size_per_layer_input": 8, "global_head_dim": 8, "num_kv_shared_layers": 0}
_QWEN_3_5 = {**_DECODER, "linear_num_key_heads": 2, "linear_num_value_heads": 2, "linear_key_head_dim": 8,
             "linear_value_head_dim": 8, "layer_types": ["linear_attention", "full_attention"]}  # fmt: skip
_LLAMA_4 = {**_DECODER, "intermediate_size_mlp": 32, "num_local_experts": 2, "interleave_moe_layer_step": 2}
_MIXED = {**_DECODER, "num_experts_per_tok": 2}
_IMAGES = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2,
           "image_size": 16, "patch_size": 8}  # fmt: skip

# model type: the family whose tokenizer it has, and its configuration but for the number of tokens
ARCHITECTURES: dict[str, tuple[str, dict[str, Any]]] = {
    "deberta-v2": ("bert", _ENCODER),
    "eurobert": ("bert", {**_DECODER, "num_key_value_heads": 2, "pad_token_id": 0, "mask_token_id": 3}),
    "gte": ("bert", _ENCODER),
    "rembert": ("bert", {**_ENCODER, "input_embedding_size": 8, "output_embedding_size": 16}),
    "xlm-roberta-xl": ("xlm-r", {**_ENCODER, "pad_token_id": 1, "type_vocab_size": 1}),
    "m2m_100": ("mt5", _BART),
    "mbart": ("mt5", _BART),
    "t5gemma": ("mt5", {"encoder": _GEMMA, "decoder": _GEMMA}),
    "umt5": ("mt5", _T5),
    "apertus": ("qwen", _DECODER),
    "bloom": ("qwen", {"hidden_size": 16, "n_layer": 2, "n_head": 2}),
    "cohere": ("qwen", _DECODER),
    "cohere2": ("qwen", {**_DECODER, "sliding_window": 16}),
    "exaone4": ("qwen", {**_DECODER, "sliding_window": 16}),
    "gemma3": ("gemma", {"text_config": _GEMMA, "vision_config": _IMAGES}),
    "gemma3_text": ("gemma", _GEMMA),
    "gemma4": ("gemma", {"text_config": _GEMMA_4, "vision_config": _IMAGES, "audio_config": None}),
    "gemma4_text": ("gemma", _GEMMA_4),
    "gpt_oss": ("qwen", {**_MIXED, "num_local_experts": 4}),
    "granite": ("qwen", {**_DECODER, "logits_scaling": 8.0}),
    "jais2": ("qwen", _DECODER),
    "llama4": ("qwen", {"text_config": _LLAMA_4, "vision_config": {**_IMAGES, "intermediate_size": 64,
               "vision_output_dim": 16, "projector_input_dim": 16, "projector_output_dim": 16}}),
    "llama4_text": ("qwen", _LLAMA_4),
    "ministral3": ("qwen", _DECODER),
    "mistral": ("qwen", _DECODER),
    "mistral3": ("qwen", {"text_config": {**_DECODER, "model_type": "ministral3"},
                 "vision_config": {**_IMAGES, "model_type": "pixtral", "head_dim": 8}}),
    "olmo3": ("qwen", _DECODER),
    "phi3": ("qwen", {**_SMALL, "num_key_value_heads": 1, "pad_token_id": 1}),
    "qwen2": ("qwen", {**_SMALL, "num_key_value_heads": 1}),
    "qwen3_5": ("qwen", {"text_config": _QWEN_3_5, "vision_config": {"hidden_size": 16, "intermediate_size": 16,
                "depth": 1, "num_heads": 2, "out_hidden_size": 16}}),
    "qwen3_5_text": ("qwen", _QWEN_3_5),
    "qwen3_moe": ("qwen", {**_MIXED, "num_experts": 4, "moe_intermediate_size": 16}),
    "smollm3": ("qwen", _DECODER),
    "xglm": ("qwen", {"d_model": 16, "num_layers": 2, "attention_heads": 2, "ffn_dim": 32,
             "max_position_embeddings": 128, "pad_token_id": 1}),
}  # fmt: skip

# those for images and text
READ_IMAGES = [kind for kind, (_, settings) in ARCHITECTURES.items() if "text_config" in settings]


def write_architecture(kind: str, folder: Path) -> None:
    """Write a model of an architecture, as its published ones are, into a folder."""
    family, settings = ARCHITECTURES[kind]
    size = write_tokenizer(family, folder)
    torch.manual_seed(0)
    auto = "AutoModelForImageTextToText" if kind in READ_IMAGES else FAMILIES[family][1]
    getattr(transformers, auto).from_config(config_of(kind, size)).save_pretrained(folder)


def config_of(kind: str, size: int) -> Any:
    """Return the configuration of a model of an architecture with a number of tokens."""
    return transformers.AutoConfig.for_model(kind, **_with_size(ARCHITECTURES[kind][1], size))


def _with_size(settings: dict[str, Any], size: int) -> dict[str, Any]:
    """Return settings with the number of tokens, wherever a configuration has it."""
    nested = {key: value for key, value in settings.items() if key in ("text_config", "encoder", "decoder")}
    within = {key: _with_size(value, size) for key, value in nested.items()}
    layers = {"vocab_size_per_layer_input": size} if "hidden_size_per_layer_input" in settings else {}
    return {**settings, **within, **layers, "vocab_size": size}
