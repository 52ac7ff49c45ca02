"""The pretrained model under the heads. Heads and forms never ask what family it is of."""

import logging
from pathlib import Path

import torch
from safetensors import SafetensorError
from torch import nn

from xstilts.errors import UserError

log = logging.getLogger(__name__)


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
    import transformers

    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    try:
        body, report = transformers.AutoModel.from_pretrained(
            folder, local_files_only=True, trust_remote_code=False, use_safetensors=True, dtype=torch.float32,
            output_loading_info=True,
        )  # fmt: skip
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
        reason = str(error).strip().splitlines()[0]
        raise UserError(f"{folder}: not a model that can be loaded: {reason}") from None
    missing = sorted(key for key in report["missing_keys"] if not key.startswith("pooler."))
    if missing:
        raise UserError(f"{folder}: the weights lack {missing[0]} and {len(missing) - 1} more; not the right weights")
    # no form uses the pooler, and weights that nothing trains would only be saved again
    if getattr(body, "pooler", None) is not None:
        body.pooler = None
    return Backbone(body)
