"""Raw rows become rows of a form, each checked: one line names the file and the row that is not what it should be."""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from xstilts import forms
from xstilts.data import readers
from xstilts.errors import UserError
from xstilts.store.specs import EvaluationDataSpec, Reading, TrainingDataSpec, Where

# An evaluation split of this many rows with one label only has had its labels taken out.
PLACEHOLDER_ROWS = 20
Row = dict[str, Any]


def read_rows(
    spec: TrainingDataSpec | EvaluationDataSpec,
    raw: Path,
    names: list[str],
    split: str,
    where: Where | None,
    left_out: Counter[str],
    seen: Counter[str],
) -> tuple[list[Row], int]:
    """Return the normalised rows of one file group, and how many rows the files have.

    Args:
        spec: the node's spec.
        raw: folder of the files.
        names: files that are read together.
        split: prefix of ids and clusters for rows that have none of their own.
        where: the rows that are meant; the others are another language's.
        left_out: counts, by reason, the rows that are left out.
        seen: counts the ids so far; an id that repeats gets a number.
    """
    reading, form = spec.reading, forms.get(spec.form)
    labels = _label_index(spec.labels, reading)
    cluster_rows = spec.cluster_rows if isinstance(spec, EvaluationDataSpec) else 1
    rows: list[Row] = []
    clusters: dict[Any, int] = {}
    count = 0
    for count, raw_row in enumerate(readers.read(reading, raw, names), 1):
        place = f"{names[0]}, row {count}"
        if where is not None and not _text(raw_row, where.column, place).startswith(where.starts_with):
            continue
        record = _record(raw_row, reading, place)
        identity = str(_name(record.pop("id", f"{split}.{count - 1}"), "id", place))
        cluster = record.pop("cluster", None)
        if "label" in record and _is_one_of(record["label"], reading.drop_labels):
            left_out["no gold label"] += 1
            continue
        if "label" in record:
            record["label"] = _label(record["label"], labels, place)
        if "tags" in record:
            record["tags"] = _tags(record["tags"], labels, place)
        try:
            row = form.normalise(record, spec.labels)
        except ValueError as error:
            raise UserError(f"{place}: {error}") from None
        if row.get("answers") == [] and reading.unanswerable != "keep":
            if reading.unanswerable == "refuse":
                raise UserError(f"{place}: the question has no answer, and this task must have one")
            left_out["unanswerable"] += 1
            continue
        row["example_id"] = _unique(identity, seen)
        # rows of translated sets correspond by number, so a context is named by the first row that has it
        group = (count - 1) // cluster_rows
        if cluster is None:
            cluster = clusters.setdefault(row.get("context") or group, group)
        row["cluster_id"] = f"{split}.{_name(cluster, 'cluster', place)}"
        rows.append(row)
    return rows, count


def _record(row: Row, reading: Reading, place: str) -> Row:
    """Return the fields of a raw row, by the names of the form."""
    record = {}
    for field, column in reading.columns.items():
        parts = [_column(row, part, place) for part in column.split("+")]
        record[field] = parts if len(parts) > 1 else parts[0]
        texts = reading.values.get(field)
        if texts is not None:
            if not _is_one_of(record[field], texts):
                raise UserError(f"{place}: {column} is {record[field]!r:.60}, which is none of {', '.join(texts)}")
            record[field] = texts[record[field]]
    return record


def _is_one_of(value: Any, known: Collection[str | int]) -> bool:
    """Tell whether a value is among texts and numbers; to Python, True would be 1 and 1.0 too."""
    return type(value) in (str, int) and value in known


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


def _label_index(labels: Sequence[str] | None, reading: Reading) -> dict[str | int, int]:
    values = reading.labels if reading.labels is not None else labels or ()
    return {value: number for number, value in enumerate(values)}


def _label(value: Any, labels: Mapping[str | int, int], place: str) -> int:
    if _is_one_of(value, labels):
        return labels[value]
    known = ", ".join(map(str, labels))
    raise UserError(
        f"{place}: label {value!r:.60} is none of {known}; placeholder labels cannot be trained on or scored"
    )


def _tags(values: Any, labels: Mapping[str | int, int], place: str) -> list[Any]:
    """Return the numbers of tags, or the tags themselves where the data decide what labels there are."""
    if not isinstance(values, list):
        raise UserError(f"{place}: tags is not a list but {values!r:.60}")
    return [_label(value, labels, place) for value in values] if labels else values


def refuse_placeholders(labels: Sequence[str] | None, rows: list[Row], files: str) -> None:
    """Refuse evaluation rows that all have the same label.

    Raises:
        UserError: naming the files and the label.
    """
    counts = label_counts(labels, rows)
    if len(rows) >= PLACEHOLDER_ROWS and len(counts) == 1:
        raise UserError(f"{files}: all {len(rows)} rows have the label {next(iter(counts))!r}: placeholders, not gold")


def label_counts(labels: Sequence[str] | None, rows: list[Row]) -> dict[str, int]:
    """Return how often each label is there; for tagging, by word."""
    if not labels:
        return {}
    counts: Counter[int] = Counter()
    for row in rows:
        counts.update(row["tags"] if "tags" in row else [row["label"]])
    return {labels[label]: counts[label] for label in sorted(counts)}


def check_count(found: int, stated: int | None, files: str) -> None:
    """Compare the number of rows that were read with the one that the source states, where it states one.

    Raises:
        UserError: naming the files and both numbers.
    """
    if stated is not None and found != stated:
        raise UserError(
            f"{files}: {found} rows, but its source states {stated}; index the mirror again if that is right"
        )
