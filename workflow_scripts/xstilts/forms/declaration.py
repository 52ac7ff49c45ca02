"""What a form declares: its fields, its metrics, and what planning and preparation have to know of it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import numpy as np

PERCENT, NATS = "percent", "nats"

# by name: a form's statistics of each example (float64), and ``prediction`` and ``gold`` (text); of shape (examples,)
Columns = Mapping[str, np.ndarray]


class Role(StrEnum):
    """What a field is in a row; it decides the type of the column too."""

    TEXT = "text"
    TEXTS = "texts"  # a list of texts: words, or choices
    LABEL = "label"  # the index of a label or of a choice
    LABELS = "labels"  # a list of these, one for each word
    NUMBER = "number"
    ANSWERS = "answers"  # a list of answers: spans of a text, each with its start
    CATEGORY = "category"  # a name that the form itself gives
    ID = "id"  # the id of another row
    IDS = "ids"


@dataclass(frozen=True)
class Field:
    """A field of a form's rows.

    Attributes:
        role: what it is.
        required: whether the columns of a source must give it.
        of: the field that these answers are spans of, or whose words these labels are of; empty for other roles.
    """

    role: Role
    required: bool = True
    of: str = ""


@dataclass(frozen=True)
class Metric:
    """A score of any set of examples, by one of two functions.

    Attributes:
        of_sums: the score from the sums of the statistics over the examples, and their number. The bootstrap is fast,
            for the sums of all its draws are one product of matrices, and their scores are computed at once where the
            function takes arrays in place of numbers.
        of_examples: the scores from the statistics, predictions and gold answers of the examples, for several samples
            of them at once: an array of shape (samples, examples) says how often an example is in a sample, and the
            scores are of shape (samples,). For what is no function of sums, such as a correlation of ranks.
        unit: ``percent``, or ``nats``; tables average percents only.
        higher_is_better: the direction.
        chance: the score of guessing, from the number of labels or choices, or of sentences of which one is looked for;
            None where no such number decides it.
        lowest: the lowest score that there can be; the highest is 100 in percent, and nats have none.
    """

    of_sums: Callable[[Mapping[str, Any], Any], Any] | None = None
    of_examples: Callable[[Columns, np.ndarray], np.ndarray] | None = None
    unit: str = PERCENT
    higher_is_better: bool = True
    chance: Callable[[int], float] | None = None
    lowest: float = 0

    def __post_init__(self) -> None:
        """Refuse a metric that has not exactly one function, or another unit than tables know."""
        if (self.of_sums is None) == (self.of_examples is None):
            raise ValueError("a metric is computed by of_sums or by of_examples")
        if self.unit not in (PERCENT, NATS):
            raise ValueError(f"the unit of a metric is {PERCENT} or {NATS}, not {self.unit!r}")


class Notation(StrEnum):
    """What the text of a prediction stands for, and that of a gold answer."""

    LABEL = "label"  # a label
    CHOICE = "choice"  # a label, which stands for the choice in its place
    SPAN = "span"  # a text; gold is a JSON list of answers
    TAGS = "tags"  # a label for each word, separated by spaces
    RANKING = "ranking"  # a JSON list of ids of rows in any language, the best first; gold lists the relevant ones
    PAIR = "pair"  # the id of a row of the same language, or nothing
    INDEX = "index"  # the index of a row of the same language


class Answering(StrEnum):
    """How a pretrained language model answers a prompt."""

    CHOSEN = "chosen"  # the likeliest of several answers
    WRITTEN = "written"  # token by token, always the likeliest one


@dataclass(frozen=True)
class Judgement:
    """When a single prediction is right, for people who look at examples.

    Attributes:
        notation: what predictions and gold answers stand for.
        uses: the columns that say whether an example is right.
        is_right: whether each example is right, from these columns; bool of shape (examples,).
        meaning: the same in words, behind "right:".
    """

    notation: Notation
    uses: tuple[str, ...]
    is_right: Callable[[Columns], np.ndarray]
    meaning: str


@dataclass(frozen=True)
class Xtreme:
    """How predictions and labels of a form stand in the files of XTREME.

    Attributes:
        layout: a name of ``LAYOUTS`` in ``evaluation/xtreme_layouts.py``, which reads and writes these files.
        suffix: of the files' names.
        item: what one prediction is called in messages.
        sorted_by: the field by whose text, without white space at its ends, XTREME sorts the rows; empty where they
            stand as in the data set.
    """

    layout: str
    suffix: str
    item: str = "row"
    sorted_by: str = ""


@dataclass(frozen=True)
class Form:
    """What is declared of a form; the functions that go with it are in ``forms/interface.py``.

    Attributes:
        fields: the columns of prepared rows, in the order in which an example is shown.
        metrics: scores by name.
        trained: whether there is a head, so that the form can be trained.
        pretrained_head: whether this head is the model's own language-model head, never a fresh one.
        head_size: the number of parameters of a fresh head, from the width of the model and the number of labels.
        label_head: whether the label names decide the shape of the head.
        labels_from_data: whether the label names can be those that the training data have.
        embedded: whether it is evaluated by the vectors of texts, in place of predictions of a head.
        pooled: whether the candidates of all languages are one pool.
        searched: whether rows are queries and candidates, so that a limit on rows counts the queries.
        has_ids: whether the columns of a source must give ids, because rows name other rows.
        sequences: sequences that the model reads for a row of training data; None for one for each choice.
        separable: whether the loss of a batch is the mean of the losses of its instances, so that a batch can be split.
        rules: rules by which answers are compared, the default first; a task chooses with ``scoring``.
        retrieval: settings of the recipe's section ``bitext`` that decide what is retrieved.
        lengths: settings of the recipe's section of this form that decide how rows become sequences.
        decoding: settings of the same section that decide how outputs become predictions.
        neutral: those of these settings that were added after results existed, each with the value that means what the
            form did before. A spec leaves a setting out at that value; ``with_neutral`` puts it back.
        xtreme: how its files stand in XTREME's benchmarks; None where XTREME has no task of this form.
        judgement: when a prediction is right; None where predictions are neither right nor wrong.
        answering: how a pretrained language model answers prompts; None where it cannot.
        hub_task: what the hub of models calls tasks of this form: a task of https://huggingface.co/tasks.
    """

    fields: Mapping[str, Field]
    metrics: Mapping[str, Metric]
    trained: bool = True
    pretrained_head: bool = False
    head_size: Callable[[int, int], int] | None = None
    label_head: bool = False
    labels_from_data: bool = False
    embedded: bool = False
    pooled: bool = False
    searched: bool = False
    has_ids: bool = False
    sequences: int | None = 1
    separable: bool = True
    rules: tuple[str, ...] = ()
    retrieval: tuple[str, ...] = ()
    lengths: tuple[str, ...] = ()
    decoding: tuple[str, ...] = ()
    neutral: Mapping[str, float] = field(default_factory=dict)
    xtreme: Xtreme | None = None
    judgement: Judgement | None = None
    answering: Answering | None = None
    hub_task: str = "other"

    def with_neutral(self, settings: Mapping[str, Any]) -> dict[str, Any]:
        """Return settings of a spec with those that it leaves out."""
        return {**self.neutral, **settings}

    @property
    def required(self) -> tuple[str, ...]:
        """The fields that the columns of a source must give."""
        ids = ("id",) if self.has_ids else ()
        return (*ids, *(name for name, field in self.fields.items() if field.required))

    @property
    def optional(self) -> tuple[str, ...]:
        """The fields that the columns of a source can give beside these."""
        ids = ("cluster",) if self.has_ids else ("id", "cluster")
        return (*ids, *(name for name, field in self.fields.items() if not field.required))

    @property
    def texts(self) -> tuple[str, ...]:
        """The fields that are the text of an example."""
        return self.of_role(Role.TEXT, Role.TEXTS)

    @property
    def takes_labels(self) -> bool:
        """Whether a task of this form has label names; those of choices name their order."""
        return bool(self.of_role(Role.LABEL, Role.LABELS))

    @property
    def single_label(self) -> bool:
        """Whether an example has one label, so that labels can be shuffled among examples (a control)."""
        return bool(self.of_role(Role.LABEL))

    def of_role(self, *roles: Role) -> tuple[str, ...]:
        """Return the names of the fields with one of these roles."""
        return tuple(name for name, field in self.fields.items() if field.role in roles)
