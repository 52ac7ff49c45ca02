"""What a model's config.json says, for planning and jobs alike."""

from collections.abc import Iterable, Mapping
from typing import Any

# the padding token of models of the RoBERTa family, where their config.json does not name one
_PADDING = 1
# the architecture of the models that are made here
MADE_HERE = "xlm-roberta"
# how the weights begin that a masked model's language-model head has beside the matrix of the embeddings, by
# ``model_type`` (the models ``...ForMaskedLM`` of transformers)
_HEADS = {
    **dict.fromkeys(("roberta", "xlm-roberta", "xlm-roberta-xl", "camembert"), "lm_head."),
    "bert": "cls.predictions.",
    "distilbert": "vocab_transform.",
    "modernbert": "head.",
    "albert": "predictions.",
}
# decoders whose attention can be made to look both ways: in transformers all layers take their mask from one function.
# Others look back for another reason: layers that are recurrent (Qwen 3.5), chunks (Llama 4), distances (BLOOM)
BOTH_WAYS = (
    "apertus",
    "cohere",
    "cohere2",
    "exaone4",
    "gemma2",
    "gemma3_text",
    "gemma4_text",
    "gpt_oss",
    "granite",
    "jais2",
    "llama",
    "ministral3",
    "mistral",
    "olmo3",
    "phi3",
    "qwen2",
    "qwen3",
    "qwen3_moe",
    "smollm3",
)


def why_not_both_ways(kind: str) -> str | None:
    """Return why attention cannot be made to look both ways in models of a type; None where it can."""
    if kind in BOTH_WAYS:
        return None
    return f"attention: bidirectional is for decoders such as Qwen 3 and Gemma 3, and this is a model of type {kind}"


def predicts_masked(kind: str) -> bool:
    """Tell whether models of a type are known to predict masked tokens, so that they continue no text."""
    return kind in _HEADS or kind == "eurobert"


def text_model(config: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what a config.json says of the model that reads text: of one for images and text, its part."""
    return config.get("text_config") or config


def positions(config: Mapping[str, Any]) -> int | None:
    """Return how many tokens a model reads by its config.json; None where it has no limit."""
    config = text_model(config)
    places: int | None = config.get("max_position_embeddings")
    if places is None:
        return None
    # models of the RoBERTa family count positions from behind the padding token
    return places - (config.get("pad_token_id", _PADDING) + 1 if "roberta" in config["model_type"] else 0)


def has_language_head(config: Mapping[str, Any], weights: Iterable[str]) -> bool | None:
    """Tell whether the weights of a model have its language-model head, by their names; None where that is not known.

    Models of other families have one as a rule: theirs is the matrix of their embeddings, or a matrix of its own.
    """
    prefix = _HEADS.get(str(config.get("model_type")))
    return None if prefix is None else any(name.startswith(prefix) for name in weights)
