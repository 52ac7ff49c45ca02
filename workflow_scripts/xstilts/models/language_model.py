"""A pretrained language model with its own head, as it is: scores of tokens, and text that it writes."""

import inspect
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from transformers import GenerationConfig

from xstilts.errors import UserError
from xstilts.models import architecture
from xstilts.models.backbone import Backbone, whole_language_model
from xstilts.store.specs.models import Numerics

# families whose models continue a text
_PROMPTED = ("decoder", "encoder_decoder")


class LanguageModel(Backbone):
    """A decoder or an encoder-decoder model with its language-model head; ``transformer`` has both."""

    def __init__(self, transformer: Any, precision: str) -> None:
        """Wrap a model of transformers.

        Args:
            transformer: the model with its head.
            precision: in which type matrices are multiplied, ``float32`` or ``bfloat16``.
        """
        super().__init__(transformer)
        # whether matrices are multiplied in bfloat16
        self.reduced = precision == "bfloat16"

    def forward(self, task: str, inputs: Mapping[str, torch.Tensor], instances: int) -> torch.Tensor:  # type: ignore[override]
        """Return the scores of all tokens at the labelled positions, in float32: (positions, tokens).

        Args:
            task: not read; ``Model`` has heads by task.
            inputs: as ``prompting.batch`` gives them.
            instances: not read.
        """
        labelled = inputs["labelled"]
        columns = labelled.any(0).nonzero()[:, 0]
        with self._arithmetic(labelled):
            if self.family == "decoder" and "logits_to_keep" in self._parameters_of_forward:
                scores = self.transformer(**self._arguments(inputs), logits_to_keep=columns).logits
                return scores[labelled[:, columns]].float()
            return self.transformer(**self._arguments(inputs)).logits[labelled].float()

    @torch.inference_mode()
    def write(self, inputs: Mapping[str, torch.Tensor], most: int, ends: Sequence[int], pad: int) -> list[list[int]]:
        """Return the tokens that the model writes behind each text, always the likeliest one; an end is the last.

        Args:
            inputs: ``ids`` and ``mask``, (texts, longest).
            most: number of tokens at most.
            ends: tokens with which a text ends.
            pad: the token of padding.
        """
        ids, mask = inputs["ids"], inputs["mask"]
        if self.family == "decoder":
            # a decoder writes behind the last column, so padding stands before the text
            shifts = mask.shape[1] - mask.sum(1)
            ids, mask = (
                torch.stack([row.roll(int(by)) for row, by in zip(matrix, shifts, strict=True)])
                for matrix in (ids, mask)
            )
        # what the model's own file says of sampling and penalties does not hold here
        self.transformer.generation_config = GenerationConfig()
        settings = GenerationConfig(
            max_new_tokens=most,
            do_sample=False,
            num_beams=1,
            eos_token_id=list(ends),
            pad_token_id=pad,
            decoder_start_token_id=self._start if self.family == "encoder_decoder" else None,
        )
        with self._arithmetic(ids):
            written = self.transformer.generate(input_ids=ids, attention_mask=mask, generation_config=settings)
        behind = ids.shape[1] if self.family == "decoder" else 1
        return [_up_to(row[behind:].tolist(), ends) for row in written]

    @property
    def _parameters_of_forward(self) -> Mapping[str, Any]:
        return inspect.signature(self.transformer.forward).parameters

    def _arithmetic(self, where: torch.Tensor) -> torch.autocast:
        return torch.autocast(where.device.type, torch.bfloat16, enabled=self.reduced)


def _up_to(ids: list[int], ends: Sequence[int]) -> list[int]:
    """Return tokens up to the first end, and without the padding behind it."""
    last = next((place for place, token in enumerate(ids) if token in ends), len(ids))
    return ids[: last + 1]


def load_language_model(folder: Path, numerics: Numerics) -> LanguageModel:
    """Read a pretrained language model, in evaluation mode.

    Args:
        folder: the model's folder.
        numerics: how it is computed.

    Raises:
        UserError: if it cannot continue a text, or is no model with a language-model head.
    """
    family = architecture.family(architecture.configuration(folder))
    if family not in _PROMPTED:
        raise UserError(f"{folder}: the model predicts masked tokens, so it cannot be prompted; use a decoder")
    return LanguageModel(whole_language_model(folder, numerics.dtype), numerics.precision).eval()
