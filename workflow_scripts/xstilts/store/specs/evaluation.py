"""Specs of predictions, vectors and retrieval."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from xstilts.store.specs.base import Spec
from xstilts.store.specs.models import Numerics

# how the hidden states of a text become one vector
MEAN, CLS = "mean", "cls"


@dataclass(frozen=True, kw_only=True)
class Prompting:
    """How a pretrained language model answers prompts.

    Attributes:
        examples: number of examples in a prompt.
        seed: by which these are drawn; None without any.
        length_normalised: whether the log-likelihood of an answer is divided by its number of characters.
        max_answer_tokens: tokens of an answer that is written; None where one of several is chosen.
    """

    examples: int = 0
    seed: int | None = None
    length_normalised: bool = False
    max_answer_tokens: int | None = None


@dataclass(frozen=True, kw_only=True)
class PredictionsSpec(Spec):
    """Predictions with a head, or answers to prompts.

    Attributes:
        form: the task's form.
        labels: the task's labels.
        trained_on: the task whose head it is; None for the pretrained one.
        decoding: how outputs become predictions.
        scoring: the rules by which answers are compared.
        numerics: how the model is computed.
        prompting: how prompts are answered; None for predictions of a head.
    """

    stage: ClassVar[str] = "predictions"

    form: str
    labels: Sequence[str] | None
    trained_on: str | None
    decoding: Mapping[str, int | float]
    scoring: str | None
    numerics: Numerics
    prompting: Prompting | None = None


@dataclass(frozen=True, kw_only=True)
class Pooling:
    """What the vector of a text is.

    Attributes:
        head: the task whose trained head gives it; None for a hidden state, pooled.
        layer: the hidden state by number, counted from the last where negative; None for one by ``layer_fraction``.
        layer_fraction: the hidden state as a fraction of the depth.
        sweep: whether all hidden states are pooled beside it.
        pooler: ``mean``, of all positions that are no padding, or ``cls``, the position that stands for a text.
    """

    head: str | None = None
    layer: int | None = None
    layer_fraction: float | None = None
    sweep: bool = False
    pooler: str = MEAN


@dataclass(frozen=True, kw_only=True)
class EmbeddingsSpec(Spec):
    """Vectors of texts."""

    stage: ClassVar[str] = "embeddings"

    form: str
    pooling: Pooling
    numerics: Numerics


@dataclass(frozen=True, kw_only=True)
class RetrievalSpec(Spec):
    """What belongs together by the vectors of texts."""

    stage: ClassVar[str] = "retrieval"

    form: str
    settings: Mapping[str, str]
