"""The functions of a form's module, as protocols: every form, forms with a head, and forms evaluated by vectors."""

import inspect
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from xstilts.forms.declaration import Form
from xstilts.tokenization.tokenizer import ModelTokenizer
from xstilts.tokenization.tokens import Tokens

if TYPE_CHECKING:
    import torch
    from torch import nn

Row = Mapping[str, Any]
Arrays = dict[str, np.ndarray]


class AnyForm(Protocol):
    """The functions that every form has."""

    FORM: Form

    def normalise(self, record: dict[str, Any], labels: Sequence[str] | None) -> dict[str, Any]:
        """Return a raw record as a row with the declared fields; labels are indices in it.

        Raises:
            ValueError: saying what is wrong with the record.
        """

    def encode(self, rows: Sequence[Row], tokenizer: ModelTokenizer, lengths: Mapping[str, Any]) -> Arrays:
        """Return prepared rows as the arrays of ``tokens.py``, with instances in the rows' order."""

    def statistics(self, prediction: str, gold: str, scoring: Mapping[str, Any]) -> dict[str, float]:
        """Return the statistics of an example, from which metrics are computed.

        Args:
            prediction: as ``predict`` or ``retrieve`` gives it.
            gold: as ``gold`` or ``retrieve`` gives it.
            scoring: ``rules``, the task's ``scoring`` or None, and ``language``.
        """


class HeadForm(Protocol):
    """The functions of a form with a head, fresh or the model's own."""

    def batch(self, tokens: Tokens, instances: np.ndarray, key: int) -> tuple[Arrays, Arrays]:
        """Return the inputs of the model (``ids``, ``mask``) and the targets of the loss for some instances.

        What is drawn at random depends on the key alone.
        """

    def loss(self, outputs: "torch.Tensor", targets: Mapping[str, "torch.Tensor"]) -> "torch.Tensor":
        """Return the mean loss of a batch."""

    def terms(self, targets: Mapping[str, Any], instances: int) -> int:
        """Return the number of terms that this loss is the mean of."""

    def class_count(
        self, tokens: Tokens, labels: Sequence[str] | None, batch_size: int, vocabulary: int
    ) -> float | None:
        """Return the number of classes among which the head chooses; the loss of a guess is its logarithm.

        Args:
            tokens: of the training rows.
            labels: names of the labels.
            batch_size: instances of a batch.
            vocabulary: number of tokens that the model knows.

        Returns:
            The number; where it differs from instance to instance, the mean. None where the loss is no cross-entropy.
        """

    def outputs(self, raw: "torch.Tensor", targets: Mapping[str, "torch.Tensor"]) -> list[Any]:
        """Return what prediction needs of the head's outputs, one value for each instance of a batch."""

    def predict(
        self,
        rows: Sequence[Row],
        tokens: Tokens,
        kept: Sequence[Any],
        labels: Sequence[str] | None,
        decoding: Mapping[str, Any],
    ) -> list[str]:
        """Return a prediction as text for each row, from the outputs of all instances."""

    def gold(self, row: Row, labels: Sequence[str] | None) -> str:
        """Return the gold answer of a row, in the notation of predictions."""

    def collapsed(self, predictions: Sequence[str], gold: Sequence[str]) -> bool:
        """Tell whether a model predicts the same for all rows although their gold answers differ."""


class FreshHeadForm(Protocol):
    """The function of a form whose head is a fresh one in every phase."""

    def head(self, width: int, labels: Sequence[str] | None, dropout: float) -> "nn.Module":
        """Return a fresh head on a model with hidden vectors of a width."""


class EmbeddedForm(Protocol):
    """The function of a form that is evaluated by the vectors of texts."""

    def retrieve(
        self, rows: Mapping[str, Sequence[Row]], vectors: Mapping[str, np.ndarray], settings: Mapping[str, Any]
    ) -> dict[str, list[tuple[int, str, str]]]:
        """Return by language the scored rows: index, prediction and gold answer.

        Args:
            rows: prepared rows by language.
            vectors: by language, of shape (sequences, width), in the order in which ``encode`` gives the sequences.
            settings: those of ``Form.retrieval``.
        """


class SearchedForm(Protocol):
    """The functions of a form whose rows are queries and candidates."""

    def is_query(self, row: Row) -> bool:
        """Tell whether a row is a query; a limit on rows counts these."""

    def keys(self, row: Row) -> list[str]:
        """Return the keys of the candidates that a query asks for, or those of a candidate."""


class PromptedForm(Protocol):
    """The function of a form whose tasks a pretrained language model can answer as prompts."""

    FORM: Form

    def answers(self, row: Row, words: Sequence[str] | None) -> tuple[list[str], str]:
        """Return the answers among which one is chosen (none where it is written), and the gold one, empty without it.

        Args:
            row: the row.
            words: what stands for each label, where the task says so.
        """


class FormModule(AnyForm, HeadForm, FreshHeadForm, EmbeddedForm, SearchedForm, PromptedForm, Protocol):
    """The module of a form; which of these functions it has follows from its declaration."""


def required_functions(form: Form) -> list[str]:
    """Return the names of the functions that the module of a form must have."""
    protocols: list[type] = [AnyForm]
    protocols += [HeadForm] if form.trained else []
    protocols += [FreshHeadForm] if form.trained and not form.pretrained_head else []
    protocols += [EmbeddedForm] if form.embedded else []
    protocols += [SearchedForm] if form.searched else []
    protocols += [PromptedForm] if form.answering else []
    return [
        name
        for protocol in protocols
        for name, value in vars(protocol).items()
        if inspect.isfunction(value) and not name.startswith("_")
    ]
