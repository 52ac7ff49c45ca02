"""Specs: all that decides the result of a node and nothing else, one frozen dataclass a stage.

The planner makes them, the commands of rules read them. A field with a default was added after results existed: its
default is its neutral value, which means exactly what the code did before and never changes. JSON leaves such a field
out where it has that value, and the digest of a node is that of its JSON, so that a new setting moves no result.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, ClassVar, Literal

from pydantic import TypeAdapter, ValidationError

from xstilts.errors import UserError
from xstilts.phase import Optimisation
from xstilts.store.sampling import Sampling

# roles of parents
DATA, PREPARED, TOKENS, TOKENIZER, EMBEDDINGS = "data", "prepared", "tokens", "tokenizer", "embeddings"
# the model that a node starts from (below an adapter by level, ``model.1``), and the pretrained one whose head is used
MODEL, BASE = "model", "base"
LEARNING_RATE = "learning_rate"


def role(kind: str, name: object) -> str:
    """Return the role of one of several parents of a kind, such as ``tokens.mnli``."""
    return f"{kind}.{name}"


def is_kind(name: str, kind: str) -> bool:
    """Tell whether a role is of a kind."""
    return name == kind or name.startswith(f"{kind}.")


# roles of several parents: the members of a union, and evaluation data whose contexts may not be trained on
MEMBER, EXCLUDED = "member", "exclude"


@dataclass(frozen=True, kw_only=True)
class Spec:
    """What every spec has.

    Attributes:
        version: the stage's version when it was planned.
        parents: role of each parent, and its node id.
    """

    stage: ClassVar[str]

    version: int
    parents: Mapping[str, str]

    def parents_of(self, kind: str) -> list[str]:
        """Return the ids of the parents of a kind, in the order of their roles' names."""
        return [self.parents[name] for name in sorted(self.parents) if is_kind(name, kind)]


# Data


@dataclass(frozen=True, kw_only=True)
class Content:
    """What a source gives.

    Attributes:
        kind: ``mirror``, ``url``, ``hub``, ``folder``, ``miniature`` or ``tiny``.
        files: names, each with its SHA-256 where that is known beforehand.
        repository: hub only.
        revision: hub only.
        seed: of what is made up.
        generator: version of the code that makes a miniature world.
        shape: sizes of a model with random weights.
    """

    kind: str
    files: Mapping[str, str | None]
    repository: str | None = None
    revision: str | None = None
    seed: int | None = None
    generator: int | None = None
    shape: Mapping[str, int] | None = None


@dataclass(frozen=True, kw_only=True)
class DataSpec(Spec):
    """Raw files."""

    stage: ClassVar[str] = "data"

    source: Content


@dataclass(frozen=True, kw_only=True)
class Reading:
    """How raw files are read: the part of a task's source that decides its rows; see ``schemas/source.yaml``."""

    reader: str
    header: Sequence[str] | None
    columns: Mapping[str, str]
    values: Mapping[str, Mapping[str, str]]
    labels: Sequence[bool | int | str] | None
    drop_labels: Sequence[bool | int | str]
    unanswerable: str


@dataclass(frozen=True, kw_only=True)
class Where:
    """The rows of a file that are in a language: those whose column starts with a text."""

    column: str
    starts_with: str


@dataclass(frozen=True, kw_only=True)
class TrainingFile:
    """A file of training data, the number of its rows where its source states it, and whether it is a sample."""

    file: str
    rows: int | None
    sample: bool


@dataclass(frozen=True, kw_only=True)
class EvaluationFiles:
    """The files of one language of an evaluation set.

    Attributes:
        split: name of the split.
        official: whether published results are on it.
        files: names.
        threshold: files of another split, on which a threshold is chosen.
        where: the rows that are in the language; None for all.
        published: number of rows by the paper.
        rows: number of rows by the source.
        sample: whether these are not all rows.
    """

    split: str
    official: bool
    files: Sequence[str]
    threshold: Sequence[str]
    where: Where | None
    published: int | None
    rows: int | None
    sample: bool


@dataclass(frozen=True, kw_only=True)
class PreparedSpec(Spec):
    """Checked rows of a task in one form."""

    stage: ClassVar[str] = "prepared"

    task: str
    form: str
    labels: Sequence[str] | None


@dataclass(frozen=True, kw_only=True)
class TrainingDataSpec(PreparedSpec):
    """The training data of a task in one language, from raw files."""

    kind: Literal["training"] = "training"
    task_version: int
    reading: Reading
    language: str
    splits: Mapping[str, Sequence[TrainingFile]]
    where: Where | None
    train_rows: int | None
    dev_rows: int


@dataclass(frozen=True, kw_only=True)
class UnionSpec(PreparedSpec):
    """The training data of several tasks or languages as one, or of one task with shuffled labels."""

    kind: Literal["union"] = "union"
    language: str
    members: Sequence[str]
    train_rows: int | None
    dev_rows: int
    shuffled_labels: bool


@dataclass(frozen=True, kw_only=True)
class EvaluationDataSpec(PreparedSpec):
    """The evaluation data of a task in several languages."""

    kind: Literal["evaluation"] = "evaluation"
    task_version: int
    reading: Reading
    languages: Mapping[str, EvaluationFiles]
    test_rows: int | None
    cluster_rows: int
    parallel: bool


@dataclass(frozen=True, kw_only=True)
class TokensSpec(Spec):
    """Token ids of prepared rows, for the models of one tokenizer."""

    stage: ClassVar[str] = "tokens"

    form: str
    lengths: Mapping[str, int | float]


# Models


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


@dataclass(frozen=True, kw_only=True)
class Numerics:
    """How a model is computed.

    Attributes:
        submodel: ``encoder`` for the encoder alone of an encoder-decoder model; None for the whole.
        dtype: that of the weights, ``float32`` or ``bfloat16``.
        precision: in which dtype matrices are multiplied.
    """

    submodel: str | None
    dtype: str
    precision: str


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
    """When a training is evaluated on dev rows (in steps), and after how many evaluations without a gain it ends."""

    evaluate_every: int
    patience: int


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
    """The search for the best learning rate of a grid."""

    stage: ClassVar[str] = "learning_rates"

    learning_rates: Sequence[float]


@dataclass(frozen=True, kw_only=True)
class IntermediateSpec(TrainingSpec):
    """The intermediate phase."""

    stage: ClassVar[str] = "intermediate"


@dataclass(frozen=True, kw_only=True)
class TargetSpec(TrainingSpec):
    """A stage of the target phase."""

    stage: ClassVar[str] = "targets"


# Evaluation


@dataclass(frozen=True, kw_only=True)
class PredictionsSpec(Spec):
    """Predictions with a head; ``trained_on`` is the task whose head it is, None for the pretrained one."""

    stage: ClassVar[str] = "predictions"

    form: str
    labels: Sequence[str] | None
    trained_on: str | None
    decoding: Mapping[str, int | float]
    scoring: str | None
    numerics: Numerics


@dataclass(frozen=True, kw_only=True)
class Pooling:
    """What the vector of a text is: a trained head's, or the mean of a hidden state by number or fraction of the depth.

    ``sweep`` asks for the means of all hidden states beside it.
    """

    head: str | None = None
    layer: int | None = None
    layer_fraction: float | None = None
    sweep: bool = False


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


ModelUser = PredictionsSpec | EmbeddingsSpec | TrainingSpec
_SPECS: dict[str, Any] = {
    cls.stage: cls
    for cls in (
        DataSpec,
        TokensSpec,
        ModelSpec,
        TokenizerSpec,
        PretrainedSpec,
        LearningRatesSpec,
        IntermediateSpec,
        TargetSpec,
        PredictionsSpec,
        EmbeddingsSpec,
        RetrievalSpec,
    )
} | {PreparedSpec.stage: TrainingDataSpec | UnionSpec | EvaluationDataSpec}


_adapter: Callable[[Any], TypeAdapter[Any]] = cache(TypeAdapter)


def to_json(spec: Spec) -> dict[str, Any]:
    """Return a spec as JSON values, its stage with it, and without what has its neutral value."""
    content = _adapter(type(spec)).dump_python(spec, mode="json", exclude_defaults=True, warnings="none")
    kind = {"kind": spec.kind} if hasattr(spec, "kind") else {}
    return _one_spelling({"stage": spec.stage, **kind, **content})


def from_json(content: Any) -> Spec:
    """Return the spec that JSON values state.

    Raises:
        UserError: if they state none.
    """
    stage = content.get("stage") if isinstance(content, dict) else None
    if stage not in _SPECS:
        raise UserError(f"spec: its stage is {stage!r}; it must be one of {', '.join(_SPECS)}")
    try:
        spec: Spec = _adapter(_SPECS[stage]).validate_python(content)
    except ValidationError as error:
        first = error.errors()[0]
        path = ".".join(map(str, first["loc"]))
        raise UserError(f"spec of the stage {stage}: {path}: {first['msg']}") from None
    return spec


def _one_spelling(value: Any) -> Any:
    """Return JSON values in which whole numbers are integers, so that 1 and 1.0 have one digest."""
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, dict):
        return {key: _one_spelling(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_one_spelling(item) for item in value]
    return value
