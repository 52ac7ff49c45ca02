"""Raw rows become rows of a form; an error is one line that names the file, the row and what is wrong with it."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow

from xstilts import forms
from xstilts.data import readers
from xstilts.errors import UserError
from xstilts.forms import FORMS
from xstilts.forms.declaration import Form, Role
from xstilts.store.specs.data import FileGroup, Reading

# An evaluation split of this many rows with one label only has had its labels taken out.
PLACEHOLDER_ROWS = 20
# what stands in place of a label where a split has none; nothing scores it
NO_LABEL = 0
Row = dict[str, Any]
# a value of a label in raw files
LabelValue = str | int | bool
# indices of labels by type and value: to Python, True equals 1
LabelIndex = Mapping[tuple[type, LabelValue], int]
_TYPES = {
    Role.TEXT: pyarrow.string(),
    Role.TEXTS: pyarrow.list_(pyarrow.string()),
    Role.LABEL: pyarrow.int32(),
    Role.LABELS: pyarrow.list_(pyarrow.int32()),
    Role.NUMBER: pyarrow.float64(),
    Role.ANSWERS: pyarrow.list_(pyarrow.struct([("text", pyarrow.string()), ("start", pyarrow.int32())])),
    Role.CATEGORY: pyarrow.string(),
    Role.ID: pyarrow.string(),
    Role.IDS: pyarrow.list_(pyarrow.string()),
}
_COMMON = ("example_id", "cluster_id", "language", "split")


def schema_of(form: str) -> pyarrow.Schema:
    """Return the columns of prepared rows of a form."""
    fields = [(name, _TYPES[field.role]) for name, field in FORMS[form].fields.items()]
    return pyarrow.schema([*((name, pyarrow.string()) for name in _COMMON), *fields])


def read_rows(group: FileGroup, raw: Path, left_out: Counter[str], seen: Counter[str]) -> tuple[list[Row], int]:
    """Return the normalised rows of one file group, and how many rows the files have.

    Args:
        group: the files.
        raw: their folder.
        left_out: counts, by reason, the rows that are left out.
        seen: counts the ids so far; an id that repeats gets a number.

    Raises:
        UserError: naming the file and the row that cannot be used.
    """
    form = forms.get(group.form)
    reading = group.reading if group.labelled else _without_labels(group.reading, group.form)
    (label,) = form.FORM.of_role(Role.LABEL) or (None,)
    (word_labels,) = form.FORM.of_role(Role.LABELS) or (None,)
    lists = form.FORM.of_role(Role.TEXTS, Role.LABELS, Role.IDS)
    labels = _label_index(reading.labels if reading.labels is not None else group.labels or ())
    dropped = _label_index(reading.drop_labels)
    rows: list[Row] = []
    clusters: dict[Any, int] = {}
    count = 0
    for count, raw_row in enumerate(readers.read(reading, raw, group.files), 1):
        place = f"{group.files[0]}, row {count}"
        if group.where is not None and not _text(raw_row, group.where.column, place).startswith(
            group.where.starts_with
        ):
            continue
        record = _record(raw_row, reading, lists, place)
        identity = str(_name(record.pop("id", f"{group.prefix}.{count - 1}"), "id", place))
        cluster = record.pop("cluster", None)
        if not group.labelled:
            record |= _no_gold(form.FORM, record)
        elif label is not None:
            if _key(record[label]) in dropped:
                left_out["no gold label"] += 1
                continue
            record[label] = _label(record[label], labels, place)
        if group.labelled and word_labels is not None:
            record[word_labels] = _labels_of_words(record[word_labels], word_labels, labels, place)
        try:
            row = form.normalise(record, group.labels)
        except ValueError as error:
            raise UserError(f"{place}: {error}") from None
        for field in form.FORM.fields:
            if field not in row:
                raise UserError(f"forms/{group.form}.py: normalise gives no {field!r}, which FORM declares")
        if group.labelled and row.get("answers") == [] and reading.unanswerable != "keep":
            if reading.unanswerable == "refuse":
                raise UserError(f"{place}: the question has no answer, and this task must have one")
            left_out["unanswerable"] += 1
            continue
        row["example_id"] = _unique(identity, seen)
        # rows of translated sets correspond by number, so a context is named by the first row that has it
        number = (count - 1) // group.cluster_rows
        if cluster is None:
            cluster = clusters.setdefault(row.get("context") or number, number)
        elif group.cluster_rows > 1:
            cluster = (_number(cluster, place) - 1) // group.cluster_rows
        row["cluster_id"] = f"{group.prefix}.{_name(cluster, 'cluster', place)}"
        rows.append(row)
    return rows, count


def _number(cluster: Any, place: str) -> int:
    """Return the number, from 1, that a column of clusters has where several numbers share one."""
    if not str(cluster).isdecimal() or int(cluster) < 1:
        raise UserError(f"{place}: cluster must be a number from 1 where `cluster_rows` is not 1: {cluster!r:.60}")
    return int(cluster)


def gold_fields(form: str) -> tuple[str, ...]:
    """Return the fields of a form that hold labels or answers."""
    return FORMS[form].of_role(Role.LABEL, Role.LABELS, Role.ANSWERS)


def _without_labels(reading: Reading, form: str) -> Reading:
    """Return how files are read without their labels, whether they have a column of these or not."""
    gold = gold_fields(form)
    return replace(reading, columns={field: name for field, name in reading.columns.items() if field not in gold})


def _no_gold(form: Form, record: Row) -> Row:
    """Return what stands in place of labels and answers in a row without them."""
    return {
        **dict.fromkeys(form.of_role(Role.LABEL), NO_LABEL),
        **{
            field: [NO_LABEL] * len(words) if isinstance(words := record.get(form.fields[field].of), list) else []
            for field in form.of_role(Role.LABELS)
        },
        **{field: {"text": [], "answer_start": []} for field in form.of_role(Role.ANSWERS)},
    }


def _record(row: Row, reading: Reading, lists: Sequence[str], place: str) -> Row:
    """Return the fields of a raw row, by the names of the form.

    Several columns of one field are a list where the field is one of ``lists``, and else one text.
    """
    record: Row = {}
    for field, column in reading.columns.items():
        names = column.split("+")
        value: Any = [_column(row, name, place) for name in names]
        if len(names) == 1:
            (value,) = value
        elif field not in lists:
            value = " ".join(str(_name(part, name, place)) for name, part in zip(names, value, strict=True))
        texts = reading.values.get(field)
        if texts is not None:
            if not isinstance(value, str) or value not in texts:
                raise UserError(f"{place}: {column} is {value!r:.60}, which is none of {', '.join(texts)}")
            value = texts[value]
        record[field] = value
    return record


def _text(row: Row, column: str, place: str) -> str:
    value = _column(row, column, place)
    if not isinstance(value, str):
        raise UserError(f"{place}: {column} is not text but {value!r:.60}")
    return value


def _name(value: Any, field: str, place: str) -> str | int:
    if type(value) not in (str, int):
        raise UserError(f"{place}: {field} is neither text nor a whole number but {value!r:.60}")
    return value


def _unique(identity: str, seen: Counter[str]) -> str:
    """Return an id that no row before has: where it repeats, with a number."""
    seen[identity] += 1
    return identity if seen[identity] == 1 else _unique(f"{identity}#{seen[identity]}", seen)


def _column(row: Row, column: str, place: str) -> Any:
    try:
        return readers.value(row, column)
    except (KeyError, TypeError, IndexError):
        raise UserError(f"{place}: no column {column!r}; found {', '.join(map(str, row))!r:.200}") from None


def _key(value: Any) -> tuple[type, LabelValue] | None:
    """Return type and value of what can be a label, so that true, 1 and "1" are three labels; None for all else."""
    return (type(value), value) if type(value) in (str, int, bool) else None


def _label_index(values: Iterable[LabelValue]) -> LabelIndex:
    return {(type(value), value): index for index, value in enumerate(values)}


def _label(value: Any, labels: LabelIndex, place: str) -> int:
    key = _key(value)
    if key is not None and key in labels:
        return labels[key]
    names = ", ".join(str(name).lower() if kind is bool else str(name) for kind, name in labels)
    raise UserError(
        f"{place}: label {value!r:.60} is none of {names}; placeholder labels cannot be trained on or scored"
    )


def _labels_of_words(values: Any, field: str, labels: LabelIndex, place: str) -> list[Any]:
    """Return the indices of labels, or the labels themselves where the data decide what labels there are."""
    if not isinstance(values, list):
        raise UserError(f"{place}: {field} is not a list but {values!r:.60}")
    return [_label(value, labels, place) for value in values] if labels else values


def refuse_placeholders(form: str, labels: Sequence[str] | None, rows: list[Row], files: str) -> None:
    """Refuse evaluation rows that all have the same label.

    Raises:
        UserError: naming the files and the label.
    """
    counts = label_counts(form, labels, rows)
    if len(rows) >= PLACEHOLDER_ROWS and len(counts) == 1:
        raise UserError(f"{files}: all {len(rows)} rows have the label {next(iter(counts))!r}: placeholders, not gold")


def label_counts(form: str, labels: Sequence[str] | None, rows: list[Row]) -> dict[str, int]:
    """Return how often each label occurs, where a task has label names."""
    if not labels:
        return {}
    counts = Counter(label for row in rows for label in labels_of(form, row))
    return {labels[label]: counts[label] for label in sorted(counts)}


def labels_of(form: str, row: Mapping[str, Any]) -> list[int]:
    """Return the labels of a row: one, or one for each word, or none where the form has no labels."""
    single, by_word = FORMS[form].of_role(Role.LABEL), FORMS[form].of_role(Role.LABELS)
    return [*(row[field] for field in single), *(label for field in by_word for label in row[field])]


def check_count(rows: int, stated: int | None, files: str) -> None:
    """Compare the number of rows that were read with the number that the source states, where it states one.

    Raises:
        UserError: naming the files and both numbers.
    """
    if stated is not None and rows != stated:
        raise UserError(
            f"{files}: {rows} rows, but its source states {stated}; index the mirror again if that is right"
        )
