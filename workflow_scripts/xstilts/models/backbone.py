"""The pretrained model under the heads, of whatever family. Heads and forms never ask which.

=================  ========================================  ===========================================
family             a position's vector                       the sentence's vector
=================  ========================================  ===========================================
encoder            its last hidden state                     that of the first position
decoder            its last hidden state                     that of the last position that is no padding
encoder-decoder    the decoder's last hidden state, where    that of the last position that is no padding
                   the decoder reads the text moved by one
its encoder alone  the encoder's last hidden state           that of the last position that is no padding
=================  ========================================  ===========================================

A decoder whose positions see all others (``attention: bidirectional``) has for a sentence the mean of its positions'
vectors. A causal model's weights take to it in fine-tuning (BehnamGhader et al. 2024, LLM2Vec, section 2).

The decoder of an encoder-decoder model reads the text itself, as in transformers' classes for classification and
question answering with BART and T5 (Lewis et al. 2020, BART, section 3).
"""

import inspect
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import nn

from xstilts.errors import UserError, reading
from xstilts.forms import heads
from xstilts.forms.heads import BackboneOutput
from xstilts.model_config import positions
from xstilts.models import architecture
from xstilts.store.specs.models import BIDIRECTIONAL

# the part of an encoder-decoder model that can be used alone
ENCODER = "encoder"


class Backbone(nn.Module):
    """A multilingual model: token ids to vectors."""

    def __init__(self, transformer: nn.Module, attention: str | None = None) -> None:
        """Wrap a model of transformers.

        Args:
            transformer: the model.
            attention: ``bidirectional`` for a decoder whose positions see all others; None for its own attention.

        Raises:
            UserError: if it is neither a masked nor a causal language model, nor an encoder-decoder.
        """
        super().__init__()
        # of transformers, or of peft around it: neither has types
        self.transformer: Any = transformer
        self.family = architecture.family(transformer.config)
        self._bidirectional = attention == BIDIRECTIONAL
        if self._bidirectional:
            architecture.attend_both_ways(transformer)
        # the method of the adapter that is on it, and the positions that this puts before the text (``adapters.py``)
        self.adapter: str | None = None
        self.virtual = 0

    @property
    def _config(self) -> Any:
        return self._config_of("encoder" if self.family == "encoder" else "decoder")

    def _config_of(self, submodel: str) -> Any:
        """Return the configuration of encoder or decoder: that of both, but where each has its own (T5Gemma)."""
        return getattr(self.transformer.config, submodel, None) or self.transformer.config

    @property
    def width(self) -> int:
        """Size of a hidden vector."""
        return self._config.hidden_size

    @property
    def depth(self) -> int:
        """Number of layers; of an encoder-decoder model, those of its encoder."""
        return self._config_of("encoder").num_hidden_layers

    @property
    def initializer_range(self) -> float:
        """Standard deviation of the model's own fresh weights, which fresh heads have too."""
        return getattr(self._config, "initializer_range", heads.INITIALIZER_RANGE)

    @property
    def dropout(self) -> float:
        """Probability of dropout that the model was trained with, for the heads."""
        for name in ("hidden_dropout_prob", "dropout_rate", "classifier_dropout"):
            if getattr(self._config, name, None) is not None:
                return float(getattr(self._config, name))
        return 0.0

    def forward(self, inputs: Mapping[str, torch.Tensor]) -> BackboneOutput:
        """Return the last layer's vectors of a batch, as ``tokens.Tokens.inputs`` gives it.

        ``decoder_ids`` and ``decoder_mask``, where there are such, are what the decoder has to predict.
        """
        positions = self.transformer(**self._arguments(inputs)).last_hidden_state
        mask = inputs.get("decoder_mask", inputs["mask"])
        positions = positions[:, positions.shape[1] - mask.shape[1] :]
        return BackboneOutput(positions, self.pooled(positions, mask))

    def pooled(self, positions: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Return the vector of the position that stands for a text: (sequences, width).

        Args:
            positions: vectors of one layer, (sequences, longest, width).
            mask: 1 where there is no padding, (sequences, longest).
        """
        if self._bidirectional:
            return mean_vectors(positions, mask).to(positions.dtype)
        if self.family == "masked":
            return positions[:, 0]
        last = mask.sum(1) - 1
        return positions[torch.arange(len(last), device=last.device), last]

    def layers(self, inputs: Mapping[str, torch.Tensor]) -> Sequence[torch.Tensor]:
        """Return the vectors of all layers, the embeddings first: (sequences, longest, width) each.

        Those of an encoder-decoder model are its encoder's.
        """
        out = self.transformer(**self._arguments(inputs), output_hidden_states=True)
        states = out.encoder_hidden_states if self.family == "encoder_decoder" else out.hidden_states
        width = inputs["mask"].shape[1]
        return [state[:, state.shape[1] - width :] for state in states]

    def _arguments(self, inputs: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor | bool]:
        """Return the arguments of the model of transformers."""
        self._check_length(inputs["ids"].shape[1])
        arguments: dict[str, torch.Tensor | bool] = {"input_ids": inputs["ids"]}
        if not self._sees_no_padding(inputs["ids"].device.type):
            arguments["attention_mask"] = inputs["mask"]
        if self.family == "encoder_decoder":
            decoder_ids = inputs.get("decoder_ids", inputs["ids"])
            start = decoder_ids.new_full((len(decoder_ids), 1), self._start)
            arguments["decoder_input_ids"] = torch.cat([start, decoder_ids[:, :-1]], dim=1)
            arguments["decoder_attention_mask"] = inputs.get("decoder_mask", inputs["mask"])
        # virtual positions are of no segment
        if "segments" in inputs and getattr(self._config, "type_vocab_size", 0) > 1 and not self.virtual:
            arguments["token_type_ids"] = inputs["segments"]
        if self.family in ("decoder", "encoder_decoder"):
            arguments["use_cache"] = False
        return arguments

    def _sees_no_padding(self, device: str) -> bool:
        """Tell whether no text sees the padding behind it, so that a mask would only keep faster kernels away.

        It is so in a decoder that looks back. On a CPU outputs without a mask are the same bit for bit, but gradients
        are rounded otherwise, and trained models there would be others.
        """
        looks_back = self.family == "decoder" and not self._bidirectional and not self.virtual
        return looks_back and (device != "cpu" or not self.training)

    @property
    def _start(self) -> int:
        """The token before the text of a decoder beside an encoder; T5Gemma and BART begin with that of every text."""
        named = [getattr(self._config, role, None) for role in ("decoder_start_token_id", "bos_token_id")]
        return next(token for token in named if token is not None)

    def prefix_task(self) -> str:
        """Return peft's name for what a model with a prefix does.

        Raises:
            UserError: if the layers take no keys and values from outside.
        """
        takes = "past_key_values" in inspect.signature(self.transformer.forward).parameters
        # layers without attention have no keys and values (Qwen 3.5)
        layers = getattr(self._config, "layer_types", None) or ()
        if self.family == "encoder" or not takes or "linear_attention" in layers:
            raise UserError(
                f"recipe: method: a prefix needs a model whose layers take keys and values from outside, which"
                f" {self.transformer.config.model_type} does not; use lora or prompt"
            )
        return "SEQ_2_SEQ_LM" if self.family == "encoder_decoder" else "FEATURE_EXTRACTION"

    def check_prompt(self) -> None:
        """Refuse a prompt where vectors cannot stand in place of tokens.

        Raises:
            UserError: if the embeddings are narrower than hidden vectors (RemBERT), or layers look tokens up, too
                (Gemma 4 E2B and E4B).
        """
        narrow = self.transformer.get_input_embeddings().weight.shape[1] != self.width
        if narrow or getattr(self._config, "hidden_size_per_layer_input", 0):
            raise UserError(
                "recipe: method: a prompt needs a model that reads vectors in place of tokens, which"
                f" {self.transformer.config.model_type} does not; use lora"
            )

    def _check_length(self, tokens: int) -> None:
        """Refuse a text that has no room beside the virtual positions.

        Raises:
            UserError: if the model has fewer positions.
        """
        room = positions(self._config.to_dict())
        if self.virtual and room is not None and tokens + self.virtual > room:
            raise UserError(
                f"recipe: {tokens} tokens and the {self.virtual} of the adapter are more than the {room} positions of"
                " the model; lower max_length or method.prompt_length"
            )


# the class of transformers that reads a family's model with its language-model head
_WITH_HEAD = {
    "masked": "AutoModelForMaskedLM",
    "decoder": "AutoModelForCausalLM",
    "encoder_decoder": "AutoModelForSeq2SeqLM",
}


def mean_vectors(positions: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """Return the means of vectors over all positions that are no padding, in float32: (sequences, width).

    Args:
        positions: (sequences, longest, width).
        mask: 1 where there is no padding, (sequences, longest).
    """
    counted = mask.unsqueeze(-1).float()
    return (positions.float() * counted).sum(1) / counted.sum(1)


def load_backbone(
    folder: Path,
    submodel: str | None = None,
    dtype: str = "float32",
    attention: str | None = None,
    as_stored: bool = False,
) -> Backbone:
    """Read a backbone from a folder that holds a whole model.

    Args:
        folder: the model's folder.
        submodel: ``encoder`` for the encoder alone of an encoder-decoder model; None for the whole.
        dtype: the type of the weights, ``float32`` or ``bfloat16``.
        attention: as for ``Backbone``.
        as_stored: whether weights that are stored in bfloat16 stay so, to be converted to float32 later.

    Raises:
        UserError: if the folder holds no model of a known architecture, or its weights do not fit its configuration.
    """
    read = _read_as_stored if as_stored and dtype == "float32" and _stored_dtype(folder) != dtype else _read
    if submodel == ENCODER:
        transformer = read(folder, "AutoModelForTextEncoding", dtype, is_encoder_decoder=False)
    else:
        transformer = architecture.text_model(read(folder, "AutoModel", dtype))
    # no form uses the pooler, and weights that nothing trains would only be saved again
    if getattr(transformer, "pooler", None) is not None:
        transformer.pooler = None
    return Backbone(transformer, attention)


def language_head(folder: Path, backbone: Backbone) -> heads.LanguageHead:
    """Read the language-model head of a pretrained model, tied to the embeddings of a backbone.

    Args:
        folder: the pretrained model's folder.
        backbone: the backbone below the head: the pretrained one, or one that was trained further.

    Raises:
        UserError: if the model has no such head, or its weights are not in the folder.
    """
    kind = _class_with_head(backbone)
    if backbone.family == "decoder" and architecture.reads_images(architecture.configuration(folder)):
        kind = "AutoModelForImageTextToText"
    # in the type of the file, of which only what is used is then in memory: the rest of the model is here already
    head = _head_on(_read(folder, kind, _stored_dtype(folder)), backbone)
    embeddings = backbone.transformer.get_input_embeddings().weight
    for weight in head.parameters():
        if weight is not embeddings:
            weight.data = weight.data.float()
    return head


def whole_language_model(folder: Path, dtype: str) -> Any:
    """Read a pretrained model with its language-model head, as transformers has it.

    Args:
        folder: the model's folder.
        dtype: the type of the weights, ``float32`` or ``bfloat16``.

    Raises:
        UserError: if the model has no such head, or its weights are not in the folder.
    """
    config = architecture.configuration(folder)
    images = architecture.reads_images(config)
    return _read(folder, "AutoModelForImageTextToText" if images else _WITH_HEAD[architecture.family(config)], dtype)


def empty_language_head(backbone: Backbone, saved: Collection[str]) -> heads.LanguageHead:
    """Return a language-model head for a backbone, whose weights have yet to be read.

    Args:
        backbone: the backbone.
        saved: the names of the head's weights that will be read. Its matrix of scores is that of the embeddings where
            it is not among them. Configurations cannot tell: that of mT5 says so of published weights that are not.
    """
    import transformers

    with torch.device("meta"):
        model = getattr(transformers, _class_with_head(backbone)).from_config(backbone.transformer.config)
    out = model.get_output_embeddings()
    out.weight = nn.Parameter(out.weight)
    head = _head_on(model, backbone)
    scores = next(name for name, value in head.named_parameters() if value is out.weight)
    if scores not in saved:
        out.weight = backbone.transformer.get_input_embeddings().weight
    return head


def _class_with_head(backbone: Backbone) -> str:
    if backbone.family not in _WITH_HEAD:
        raise UserError("the encoder of an encoder-decoder model has no language-model head; use the whole model")
    return _WITH_HEAD[backbone.family]


def _head_on(model: Any, backbone: Backbone) -> heads.LanguageHead:
    out = model.get_output_embeddings()
    if out.weight is model.get_input_embeddings().weight:
        out.weight = backbone.transformer.get_input_embeddings().weight
    layers = [out]
    if backbone.family == "masked":
        layers = [layer for name, layer in model.named_children() if name != model.base_model_prefix]
    config = model.config.get_text_config()
    # the factors of T5 (``scale_decoder_outputs``), Cohere and Granite, and the bound of Gemma's scores
    factor = config.hidden_size**-0.5 if getattr(config, "scale_decoder_outputs", False) else 1.0
    factor *= getattr(config, "logit_scale", 1.0) / getattr(config, "logits_scaling", 1.0)
    bound = getattr(config, "final_logit_softcapping", None)
    return heads.LanguageHead(layers[0] if len(layers) == 1 else nn.Sequential(*layers), factor, bound)


def _stored_dtype(folder: Path) -> str:
    """Return the type in which a model's weights are read as they are: ``bfloat16`` where all are in it."""
    found = set()
    for path in folder.glob("*.safetensors"):
        with reading(path), safe_open(path, framework="pt") as weights:
            names = weights.keys()
            found |= {weights.get_slice(name).get_dtype() for name in names}
    return "bfloat16" if found == {"BF16"} else "float32"


def _read(folder: Path, kind: str, dtype: str = "float32", **settings: bool) -> Any:
    """Read a model of transformers, shard by shard; ``kind`` is one of its Auto classes."""
    import transformers

    transformers.logging.set_verbosity_error()
    transformers.logging.disable_progress_bar()
    try:
        model, report = getattr(transformers, kind).from_pretrained(
            folder,
            local_files_only=True,
            trust_remote_code=False,
            use_safetensors=True,
            weights_only=True,
            dtype=getattr(torch, dtype),
            output_loading_info=True,
            **settings,
        )
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
        reason = str(error).strip().splitlines()[0]
        raise UserError(f"{folder}: not a model that can be loaded: {reason}; delete it and run again") from None
    missing = sorted(key for key in report["missing_keys"] if "pooler." not in key)
    if missing:
        what = "no language-model head in them" if kind in _WITH_HEAD.values() else "not the right weights"
        raise UserError(f"{folder}: the weights lack {missing[0]} and {len(missing) - 1} more; {what}")
    return model


def _read_as_stored(folder: Path, kind: str, dtype: str, **settings: bool) -> Any:
    """Read a model with weights in bfloat16, and what is computed in place of stored as in a model of another type."""
    import accelerate

    model = _read(folder, kind, "bfloat16", **settings)
    with accelerate.init_empty_weights(include_buffers=False):
        computed = type(model)._from_config(model.config, dtype=getattr(torch, dtype))
    for module, other in zip(model.modules(), computed.modules(), strict=True):
        # such as the factor of Gemma's embeddings, which bfloat16 would round
        for name in module._non_persistent_buffers_set:
            setattr(module, name, getattr(other, name))
    return model
