"""Tiny models of every family, with random weights and no dropout, as whole models in folders."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from xstilts.models.backbone import ENCODER
from xstilts.training.gpu_checks.models import config_of, random_transformer

VOCABULARY, LONGEST = 96, 40
_SIZE = {"vocab_size": VOCABULARY, "num_hidden_layers": 2, "hidden_size": 32, "num_attention_heads": 2,
         "intermediate_size": 64, "pad_token_id": 0}  # fmt: skip
_ENCODER = {**_SIZE, "max_position_embeddings": 64, "hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
_DECODER = {**_SIZE, "num_key_value_heads": 1, "head_dim": 16, "max_position_embeddings": 64}
_MT5 = {"model_type": "mt5", "vocab_size": VOCABULARY, "num_layers": 2, "d_model": 32, "num_heads": 2, "d_kv": 16,
        "d_ff": 64, "dropout_rate": 0.0, "pad_token_id": 0, "decoder_start_token_id": 0}  # fmt: skip
# name: configuration, and the part of the model that is used; None for all of it
FAMILIES: Mapping[str, tuple[Mapping[str, Any], str | None]] = {
    "xlm-roberta": ({"model_type": "xlm-roberta", "type_vocab_size": 1, **_ENCODER}, None),
    "bert": ({"model_type": "bert", **_ENCODER}, None),
    "modernbert": ({"model_type": "modernbert", "local_attention": 16, "reference_compile": False, **_SIZE,
                    "max_position_embeddings": 64}, None),
    "mt5": (_MT5, None),
    "mt5's encoder": (_MT5, ENCODER),
    "llama": ({"model_type": "llama", **_DECODER}, None),
    "qwen3": ({"model_type": "qwen3", "tie_word_embeddings": True, **_DECODER}, None),
    "gemma2": ({"model_type": "gemma2", "query_pre_attn_scalar": 16, **_DECODER}, None),
}  # fmt: skip


def folder_of(family: str, within: Path) -> Path:
    """Return the folder of a family's model, which is written where it is not there."""
    config, _ = FAMILIES[family]
    folder = within / config["model_type"]
    if not folder.exists():
        random_transformer(config_of(config), "float32", torch.device("cpu")).save_pretrained(folder)
    return folder
