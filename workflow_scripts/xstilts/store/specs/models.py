"""Specs of models and tokenizers, and of all that is trained."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

from xstilts.phase import Optimisation
from xstilts.store.sampling import Sampling
from xstilts.store.specs.base import MEMBER, MODEL, Spec, role
from xstilts.store.specs.data import Content


@dataclass(frozen=True, kw_only=True)
class ModelSpec(Spec):
    """A pretrained model as it is published, or with random weights."""

    stage: ClassVar[str] = "models"

    source: Content


@dataclass(frozen=True, kw_only=True)
class TokenizerSpec(Spec):
    """A tokenizer that is made from text."""

    stage: ClassVar[str] = "tokenizers"

    vocabulary_size: int
    positions: int


@dataclass(frozen=True, kw_only=True)
class Method:
    """The fine-tuning method: ``full``, ``lora``, ``prompt`` or ``prefix``, and the settings of this method alone."""

    name: str
    rank: int | None = None
    alpha: float | None = None
    dropout: float | None = None
    modules: str | Sequence[str] | None = None
    prompt_length: int | None = None

    @property
    def is_adapter(self) -> bool:
        """Whether an adapter is trained, beside weights that stay as they are."""
        return self.name != "full"


# a decoder whose positions see those behind them, too
BIDIRECTIONAL = "bidirectional"


@dataclass(frozen=True, kw_only=True)
class Numerics:
    """How a model is computed.

    Attributes:
        submodel: ``encoder`` for the encoder alone of an encoder-decoder model; None for the whole.
        dtype: that of the weights, ``float32`` or ``bfloat16``.
        precision: in which dtype matrices are multiplied.
        attention: ``bidirectional`` for a decoder whose positions see all others; None for the model's own attention.
        unmerged: whether all LoRA adapters stay beside the pretrained weights; else those below another one become part
            of these.
        quantised: ``nf4`` for linear layers in 4-bit NormalFloat, over which adapters are trained; None for none.
    """

    submodel: str | None
    dtype: str
    precision: str
    attention: str | None = None
    unmerged: bool = False
    quantised: str | None = None


@dataclass(frozen=True, kw_only=True)
class HeadSpec:
    """The head of a task.

    Attributes:
        task: the task's reference.
        form: its form.
        labels: names; None where the form has none, or the data bring them.
    """

    task: str
    form: str
    labels: Sequence[str] | None


@dataclass(frozen=True, kw_only=True)
class EvaluatedSpec(HeadSpec):
    """A task that is predicted and scored.

    Attributes:
        decoding: how outputs become predictions.
        scoring: the rules by which answers are compared.
    """

    decoding: Mapping[str, int | float]
    scoring: str | None


@dataclass(frozen=True, kw_only=True)
class TaskSpec(EvaluatedSpec):
    """One task of a training.

    Attributes:
        metric: the headline metric.
        epochs: passes over its rows.
        batch_size: examples of a step.
        weight: factor on its probability of being drawn.
    """

    metric: str
    epochs: int
    batch_size: int
    weight: float


@dataclass(frozen=True, kw_only=True)
class EarlyStopping:
    """When a training is evaluated on dev rows, of which the best step is kept, and when it ends.

    Attributes:
        evaluate_every: steps from one evaluation to the next.
        patience: evaluations without a gain after which it ends; None for a training that goes on to its last step.
    """

    evaluate_every: int
    patience: int | None


@dataclass(frozen=True, kw_only=True)
class TrainingSpec(Spec):
    """A training, of whatever phase.

    Attributes:
        tasks: what is trained on.
        sampling: how tasks are drawn.
        learning_rate: the peak; None where a parent has searched it.
        optimisation: the other settings.
        method: what is trained.
        numerics: how the model is computed.
        early_stopping: None for a training whose last step is kept.
        warm_start_head: the task whose head, beside the model that is started from, is trained further.
        seed: decides fresh weights, dropout and the order of examples.
    """

    tasks: Sequence[TaskSpec]
    sampling: Sampling
    learning_rate: float | None
    optimisation: Optimisation
    method: Method
    numerics: Numerics
    early_stopping: EarlyStopping | None
    warm_start_head: str | None
    seed: int

    @property
    def adapters(self) -> int:
        """How many adapters are computed beside the weights: 1, and where they stay unmerged the earlier ones too."""
        return len(self.parents_of(MODEL)) if self.numerics.unmerged else 1


@dataclass(frozen=True, kw_only=True)
class Shape:
    """The sizes of a model of XLM-R's architecture that is made from text."""

    layers: int
    hidden_size: int
    heads: int
    intermediate_size: int
    initializer_range: float
    dropout: float


@dataclass(frozen=True, kw_only=True)
class PretrainedSpec(TrainingSpec):
    """A masked language model that is pretrained here."""

    stage: ClassVar[str] = "pretrained"

    shape: Shape


@dataclass(frozen=True, kw_only=True)
class LearningRatesSpec(TrainingSpec):
    """The search for the best learning rate of a grid.

    Attributes:
        learning_rates: the grid.
        budget: steps of the search in all, as a share of those of one training, which successive halving spends
            (``store/halving.py``); None for a whole training with each rate.
    """

    stage: ClassVar[str] = "learning_rates"

    learning_rates: Sequence[float]
    budget: float | None = None

    @property
    def trainings(self) -> float:
        """Of how many whole trainings the search has the steps."""
        return len(self.learning_rates) if self.budget is None else self.budget


@dataclass(frozen=True, kw_only=True)
class IntermediateSpec(TrainingSpec):
    """The intermediate phase."""

    stage: ClassVar[str] = "intermediate"


# ways to merge models
LINEAR, TASK_ARITHMETIC, TIES = "linear", "task_arithmetic", "ties"


@dataclass(frozen=True, kw_only=True)
class Merging:
    """How several models become one; the formulas are in ``models/merging.py``.

    Attributes:
        method: LINEAR, TASK_ARITHMETIC or TIES.
        factors: one for each model, in the order of their roles' numbers.
        scale: factor on what is added to the pretrained weights; 1 for LINEAR.
        density: the share of each model's differences from the pretrained weights that is kept; 1 but for TIES.
    """

    method: str
    factors: Sequence[float]
    scale: float = 1.0
    density: float = 1.0


@dataclass(frozen=True, kw_only=True)
class MergedSpec(Spec):
    """One model of several that were trained from the same one; its parents are that one and these, by number.

    Attributes:
        merging: how they are merged.
        numerics: how they were computed.
    """

    stage: ClassVar[str] = "merged"

    merging: Merging
    numerics: Numerics

    @property
    def members(self) -> list[str]:
        """The ids of the models that are merged, in the order of their numbers."""
        return [self.parents[role(MEMBER, number)] for number in range(len(self.merging.factors))]


@dataclass(frozen=True, kw_only=True)
class TargetSpec(TrainingSpec):
    """A stage of the target phase."""

    stage: ClassVar[str] = "targets"
