"""Specs of raw data, prepared rows and tokens."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Literal

from xstilts.relative_path import RelativePath
from xstilts.store.specs.base import Spec


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
        architecture: of this model, by its type in transformers; None for the encoder.
    """

    kind: str
    files: Mapping[RelativePath, str | None]
    repository: str | None = None
    revision: str | None = None
    seed: int | None = None
    generator: int | None = None
    shape: Mapping[str, int] | None = None
    architecture: str | None = None


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
class FileGroup:
    """Files that are read together, and what decides their rows.

    Attributes:
        form: the form of the rows.
        labels: the task's labels.
        reading: how the files are read.
        files: their names.
        prefix: of ids and clusters for rows that have none in the file.
        where: which rows are in the language that is read; None for all.
        cluster_rows: number of neighbouring rows, or of successive numbers in a column ``cluster``, in one cluster.
        labelled: whether labels and answers are read; without, rows have none.
    """

    form: str
    labels: Sequence[str] | None
    reading: Reading
    files: Sequence[RelativePath]
    prefix: str
    where: Where | None
    cluster_rows: int = 1
    labelled: bool = True


@dataclass(frozen=True, kw_only=True)
class TrainingFile:
    """A file of training data, the number of its rows where its source states it, and whether it is a sample."""

    file: RelativePath
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
        reading: how the files are read, where not as the spec says.
        labelled: whether labels and answers are read; rows without are predicted for export, and not scored, and their
            contexts can be left out of training data.
    """

    split: str
    official: bool
    files: Sequence[RelativePath]
    threshold: Sequence[RelativePath]
    where: Where | None
    published: int | None
    rows: int | None
    sample: bool
    reading: Reading | None = None
    labelled: bool = True


@dataclass(frozen=True, kw_only=True)
class PreparedSpec(Spec):
    """Checked rows of a task in one form."""

    stage: ClassVar[str] = "prepared"

    task: str
    form: str
    labels: Sequence[str] | None


@dataclass(frozen=True, kw_only=True)
class TrainingDataSpec(PreparedSpec):
    """The training data of a task in one language, from raw files.

    Attributes:
        seed: by which ``train_rows`` rows are drawn, evenly over labels, for a training on a few of them; None
            for at most ``train_rows`` rows, the same for every seed.
    """

    kind: Literal["training"] = "training"
    task_version: int
    reading: Reading
    language: str
    splits: Mapping[str, Sequence[TrainingFile]]
    where: Where | None
    train_rows: int | None
    dev_rows: int
    seed: int | None = None


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
class Prompt:
    """How rows become prompts; see ``prompt`` in ``schemas/task.yaml`` and ``forms/prompting.py``.

    Attributes:
        context: template of what a model reads before the answer.
        answer: template of the answer.
        words: what stands for each label in the answer, in their order; None where the row has the answers.
        examples: number of training rows before the row, each with its answer.
        seed: by which these are drawn; None without any.
    """

    context: str
    answer: str
    words: Sequence[str] | None = None
    examples: int = 0
    seed: int | None = None


@dataclass(frozen=True, kw_only=True)
class TokensSpec(Spec):
    """Token ids of prepared rows, for the models of one tokenizer.

    Attributes:
        form: the form of the rows.
        lengths: what decides how long they may become.
        prompt: how rows become prompts; None for inputs of a model that is trained.
    """

    stage: ClassVar[str] = "tokens"

    form: str
    lengths: Mapping[str, int | float]
    prompt: Prompt | None = None
