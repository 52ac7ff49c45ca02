"""XTREME's layout of predictions and labels: ``DIR/<folder of the task>/test-<language>.<suffix>`` on both sides.

A form declares its layout (``xtreme_layouts.py``) and the suffix of its files (``Form.xtreme``). A file becomes a table
in the notation of the form, so that the statistics and the metrics of the form do the rest.
"""

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from xstilts import forms
from xstilts.data.rows import PLACEHOLDER_ROWS
from xstilts.errors import UserError, counted
from xstilts.evaluation.xtreme_layouts import LAYOUTS, Layout, Rows, Table
from xstilts.forms import FORMS, scoring
from xstilts.forms.declaration import Xtreme


class Scored(Protocol):
    """What of a task decides how its files are read and scored; the registry's tasks have it."""

    @property
    def form(self) -> str:
        """Its form."""

    @property
    def labels(self) -> Sequence[str] | None:
        """Its label names."""

    @property
    def scoring(self) -> str | None:
        """The rules by which answers are compared, where its form has some."""


def declared(form: str) -> Xtreme:
    """Return how a form stands in files.

    Raises:
        UserError: if the form declares no layout.
    """
    xtreme = FORMS[form].xtreme
    if xtreme is None:
        raise UserError(f"the form {form} has no layout of files in XTREME")
    return xtreme


def layout_of(task: Scored) -> Layout:
    """Return how the files of a task are read and written.

    Raises:
        UserError: if its form declares no layout.
    """
    return LAYOUTS[declared(task.form).layout]


def file_name(form: str, language: str) -> str:
    """Return the name of the file of a language, the same on both sides.

    Raises:
        UserError: if the form declares no layout.
    """
    return f"test-{language}.{declared(form).suffix}"


def read_pairs(task: Scored, predictions: Path, labels: Path) -> list[tuple[str, str]]:
    """Return prediction and gold answer of every row, in the notation of the task's form and the order of the labels.

    Args:
        task: the task; its form decides how the files are read.
        predictions: the file of predictions.
        labels: the file of labels.

    Raises:
        UserError: naming the file and the row, if a file cannot be read, the two do not correspond, a label is unknown,
            or the labels are placeholders; or if the form declares no layout.
    """
    xtreme = declared(task.form)
    layout, item = LAYOUTS[xtreme.layout], xtreme.item
    predicted, gold = layout.read_predictions(predictions), layout.read_labels(labels)
    if not gold:
        raise UserError(f"{labels}: empty; there is nothing to score")
    if layout.sparse:
        _check_sides(predictions, predicted, labels, gold)
        return [(predicted.get(key, ""), gold.get(key, "")) for key in dict.fromkeys([*gold, *predicted])]
    _check_keys(item, predictions, predicted, labels, gold, layout.by_number)
    if layout.by_word:
        _check_lengths(item, predictions, predicted, labels, gold)
    if task.labels is not None:
        _check_labels(item, predictions, predicted, layout.by_word, task.labels)
        _check_labels(item, labels, gold, layout.by_word, task.labels)
    different = {label for value in gold.values() for label in _labels(value, layout.by_word)}
    if len(gold) >= PLACEHOLDER_ROWS and len(different) == 1:
        raise UserError(f"{labels}: all {len(gold)} {item}s have the same label: placeholders, not gold")
    return [(predicted[key], value) for key, value in gold.items()]


def score(task: Scored, pairs: Sequence[tuple[str, str]], language: str) -> dict[str, float]:
    """Return the scores of a language by metric: those of the task's form.

    Args:
        task: the task.
        pairs: prediction and gold answer of every row, in the form's notation.
        language: the language, on which MLQA's rules depend.
    """
    form = forms.get(task.form)
    predictions, gold = zip(*pairs, strict=True)
    columns = scoring.columns_of(form, predictions, gold, task.scoring, [language] * len(pairs))
    return scoring.scores(form.FORM, columns)


def doubt(task: Scored, pairs: Sequence[tuple[str, str]]) -> str | None:
    """Return what is odd about predictions that can be scored, or None: where items may lack, nothing may be right.

    Args:
        task: the task.
        pairs: prediction and gold answer of every row, in the form's notation.
    """
    if not layout_of(task).sparse:
        return None
    found = [prediction == gold for prediction, gold in pairs if prediction]
    if not found:
        return "empty: nothing is predicted, which scores 0"
    return None if any(found) else f"none of {len(found)} is right, which scores 0; are the ids those of the labels?"


def text_of(task: Scored, rows: Rows, side: str) -> str:
    """Return the text of a file of predictions or labels.

    Args:
        task: the task; its form decides how the file is written.
        rows: id, and prediction or gold answer in the form's notation.
        side: ``prediction`` or ``gold``.

    Raises:
        UserError: if the form declares no layout.
    """
    layout = layout_of(task)
    return layout.write_predictions(rows) if side == "prediction" else layout.write_labels(rows)


# What two files must have in common


def _check_keys(item: str, predictions: Path, predicted: Table, labels: Path, gold: Table, by_number: bool) -> None:
    lacking = [key for key in gold if key not in predicted]
    unknown = [key for key in predicted if key not in gold]
    if by_number:
        if lacking or unknown:
            raise UserError(f"{predictions}: {counted(len(predicted), item)}, but {len(gold)} in {labels}")
    elif lacking:
        raise UserError(f"{predictions}: no {item} {lacking[0]!r}{_more(lacking)}, which {labels} has")
    elif unknown:
        raise UserError(f"{predictions}: {item} {unknown[0]!r}{_more(unknown)} is not in {labels}")


def _check_sides(predictions: Path, predicted: Table, labels: Path, gold: Table) -> None:
    """Refuse ids that begin as no id on the same side of the labels does: columns swapped, or another language."""
    for side, name in enumerate(("foreign", "English")):
        beginnings = {_beginning(ids[side]) for ids in gold}
        for ids in predicted:
            if _beginning(ids[side]) not in beginnings:
                raise UserError(
                    f"{predictions}: {ids[side]!r:.60} is not the id of a sentence of the {name} side; in {labels} they"
                    f" begin with {' or '.join(sorted(beginnings))!r:.60}"
                )


def _beginning(identity: str) -> str:
    """Return what stands before the number of an id, as ``de-`` in ``de-000413461``."""
    return re.split("[0-9]", identity, maxsplit=1)[0]


def _more(keys: Sequence[str]) -> str:
    return f" (and {len(keys) - 1} more)" if len(keys) > 1 else ""


def _check_lengths(item: str, predictions: Path, predicted: Table, labels: Path, gold: Table) -> None:
    for key, value in gold.items():
        tags, expected = (len(_labels(text, by_word=True)) for text in (predicted[key], value))
        if tags != expected:
            raise UserError(f"{predictions}: {item} {key} has {counted(tags, 'tag')}, but {expected} in {labels}")


def _check_labels(item: str, path: Path, table: Table, by_word: bool, names: Sequence[str]) -> None:
    for key, value in table.items():
        for label in _labels(value, by_word):
            if label not in names:
                raise UserError(f"{path}: {item} {key}: {label!r:.60} is none of {', '.join(names)}")


def _labels(value: str, by_word: bool) -> list[str]:
    """Return the label of a row, or those of its words."""
    return value.split(" ") if by_word else [value]
