"""Data cards: rows, lengths of texts and labels of a task's prepared data, by split and language."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow

from xstilts.data import overlap
from xstilts.data.rows import labels_of
from xstilts.forms import FORMS
from xstilts.reporting import layout
from xstilts.store.manifest import PreparedResults
from xstilts.store.specs.data import Content, EvaluationDataSpec, TrainingDataSpec

# The texts of a form's rows, whose lengths are added up.
_HEADER = ["split", "language", "rows", "characters: median", "95 %", "longest", "words: median", "95 %", "longest"]
_LEGEND = "† not the official split; ‡ a sample of the published rows."
Row = Mapping[str, Any]


@dataclass(frozen=True)
class DataSet:
    """Prepared data of a task, or of one task of a union.

    Attributes:
        spec: the spec of the prepared node.
        tables: prepared rows by split or, of evaluation data, by language.
        metadata: what the node's manifest says of them.
        member: the task, where it is one of a union; else empty.
    """

    spec: TrainingDataSpec | EvaluationDataSpec
    tables: Mapping[str, pyarrow.Table]
    metadata: PreparedResults
    member: str

    @cached_property
    def _groups(self) -> dict[tuple[str, str], list[Row]]:
        """Rows by split, with the side of a pool they are on, and language.

        Training rows that were set aside for early stopping are training rows here.
        """
        set_aside = isinstance(self.spec, TrainingDataSpec) and "dev" not in self.spec.splits
        groups: dict[tuple[str, str], list[Row]] = {}
        for table in self.tables.values():
            for row in table.to_pylist():
                words = [self.member, "train" if set_aside else row["split"], _side(row)]
                groups.setdefault((" ".join(filter(None, words)), row["language"]), []).append(row)
        return groups

    @property
    def left_out(self) -> list[str]:
        """A line for each reason why rows were left out."""
        return [f"left out, {reason}: {count:,}" for reason, count in self.metadata.left_out.items() if count]

    @property
    def rows(self) -> list[list[str]]:
        """The rows of the card's table: how many rows there are, how long their texts are together, and marks."""
        rows = []
        for (split, language), group in self._groups.items():
            texts = [" ".join(_texts(row, self.spec.form)) for row in group]
            lengths = [*_quantiles([len(text) for text in texts]), *_quantiles([len(text.split()) for text in texts])]
            rows.append([f"{split}{self._marks(language)}", language, f"{len(group):,}", *lengths])
        return rows

    def _marks(self, language: str) -> str:
        if isinstance(self.spec, TrainingDataSpec):
            return "‡" if self.metadata.sample else ""
        split = self.metadata.splits[language]
        return ("" if split.official else "†") + ("‡" if split.sample else "")

    @property
    def labels(self) -> list[str]:
        """Lines of how often each label is there, for tagging by word; none for forms without labels."""
        names = self.spec.labels or self.metadata.labels or ()
        lines = []
        for (split, language), group in self._groups.items() if names else ():
            counts = Counter(label for row in group for label in labels_of(self.spec.form, row))
            shares = [f"{name} {counts[index]:,}" for index, name in enumerate(names) if counts[index]]
            lines.append(f"labels, {split}, {language}: {', '.join(shares)}")
        return lines


def table(data_sets: Sequence[DataSet]) -> list[str]:
    """Return the lines of the table of data sets and of their labels; none without data sets."""
    if not data_sets:
        return []
    rows = [row for data_set in data_sets for row in data_set.rows]
    labels = [line for data_set in data_sets for line in data_set.labels]
    return ["", *layout.columns((_HEADER, rows)), _LEGEND, "", *labels]


def equal_rows(data_sets: Sequence[DataSet]) -> list[str]:
    """Return a line for each set of training data that has rows with the texts of an evaluation row."""
    lines = []
    for training in data_sets:
        if not isinstance(training.spec, TrainingDataSpec):
            continue
        form = training.spec.form
        scored = [
            table
            for each in data_sets
            if isinstance(each.spec, EvaluationDataSpec) and each.spec.form == form
            for table in each.tables.values()
        ]
        number = overlap.equal_rows(overlap.texts(form, training.tables.values()), overlap.texts(form, scored))
        if number:
            name = " ".join(filter(None, [training.member, "train", training.spec.language]))
            lines.append(f"{name}: {number:,} rows have exactly the texts of an evaluation row")
    return lines


def origin(source: Content) -> str:
    """Return the line of where the raw files of a source are from."""
    where = "files" if source.repository is None else f"hub, {source.repository} at {source.revision}"
    return f"{where}: {', '.join(source.files)}"


def _side(row: Row) -> str:
    """Return on which side of a pool a row is; nothing where rows are pairs or stand alone."""
    if "query" not in row:
        return row.get("side", "")
    if row["query"] is None:
        return "candidates"
    return "queries" if row["text"] is None else ""


def _texts(row: Row, form: str) -> list[str]:
    """Return the texts of a row; a field may have one, several or none."""
    fields = [[row[name]] if isinstance(row[name], str) else row[name] or [] for name in FORMS[form].texts]
    return [text for field in fields for text in field]


def _quantiles(lengths: Sequence[int]) -> list[str]:
    """Return median, 95th percentile and maximum."""
    return [f"{value:,.0f}" for value in (*np.percentile(lengths, (50, 95)), max(lengths))]
