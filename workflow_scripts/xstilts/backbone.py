"""The pretrained model under the heads. Heads and forms never ask what family it is of."""

from pathlib import Path

import torch
from safetensors import SafetensorError
from torch import nn

from xstilts import heads
from xstilts.errors import UserError


class Backbone(nn.Module):
    """A multilingual encoder: piece ids to one vector for every position."""

    def __init__(self, body: nn.Module) -> None:
        """Wrap a model of transformers."""
        super().__init__()
        self.body = body

    @property
    def width(self) -> int:
        """Size of a hidden vector."""
        return self.body.config.hidden_size

    @property
    def depth(self) -> int:
        """Number of layers."""
        return self.body.config.num_hidden_layers

    @property
    def dropout(self) -> float:
        """Probability of dropout that the model was trained with, for the heads."""
        return float(getattr(self.body.config, "hidden_dropout_prob", 0.0))

    def forward(self, ids: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Return the last layer's vectors: (sequences, longest, width)."""
        return self.body(input_ids=ids, attention_mask=mask).last_hidden_state

    def layer(self, ids: torch.Tensor, mask: torch.Tensor, number: int) -> torch.Tensor:
        """Return the vectors of one layer, 0 for the embeddings: (sequences, longest, width)."""
        return self.body(input_ids=ids, attention_mask=mask, output_hidden_states=True).hidden_states[number]

    def save(self, folder: Path) -> None:
        """Write configuration and safetensors into the folder."""
        self.body.save_pretrained(folder)


def load(folder: Path) -> Backbone:
    """Read a backbone from a model folder; float32 on the CPU.

    Raises:
        UserError: if the folder holds no model of a known architecture, or its weights do not fit its configuration.
    """
    body = _read(folder, "AutoModel")
    # no form uses the pooler, and weights that nothing trains would only be saved again
    if getattr(body, "pooler", None) is not None:
        body.pooler = None
    return Backbone(body)


def language_head(folder: Path, body: Backbone) -> heads.LanguageHead:
    """Read the language-model head of a pretrained model, tied to the embeddings of a body.

    Args:
        folder: the pretrained model's folder.
        body: the backbone that the head is put on: the pretrained one, or one that was trained further.

    Raises:
        UserError: if the model has no such head, or its weights are not in the folder.
    """
    return _head_on(_read(folder, "AutoModelForMaskedLM"), body)


def empty_language_head(body: Backbone) -> heads.LanguageHead:
    """Return a language-model head for a body, whose weights have yet to be read."""
    import transformers

    with torch.device("meta"):
        model = transformers.AutoModelForMaskedLM.from_config(body.body.config)
    return _head_on(model, body)


def _head_on(model: nn.Module, body: Backbone) -> heads.LanguageHead:
    layers = [layer for name, layer in model.named_children() if name != model.base_model_prefix]
    if model.config.tie_word_embeddings:
        model.get_output_embeddings().weight = body.body.get_input_embeddings().weight
    return heads.LanguageHead(layers[0] if len(layers) == 1 else nn.Sequential(*layers))


def _read(folder: Path, kind: str) -> nn.Module:
    """Read a model of transformers; ``kind`` is one of its Auto classes."""
    import transformers

    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    try:
        model, report = getattr(transformers, kind).from_pretrained(
            folder, local_files_only=True, trust_remote_code=False, use_safetensors=True, dtype=torch.float32,
            output_loading_info=True,
        )  # fmt: skip
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
        reason = str(error).strip().splitlines()[0]
        raise UserError(f"{folder}: not a model that can be loaded: {reason}") from None
    missing = sorted(key for key in report["missing_keys"] if "pooler." not in key)
    if missing:
        what = "no language-model head in them" if kind == "AutoModelForMaskedLM" else "not the right weights"
        raise UserError(f"{folder}: the weights lack {missing[0]} and {len(missing) - 1} more; {what}")
    return model
