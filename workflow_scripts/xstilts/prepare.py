"""Preparation: raw files become normalised Parquet, checked row by row.

One prepared node is the training data of a task in one language, with the parts ``train`` and ``dev``, or its
evaluation data, with a part for each language. A part is a file ``<part>.parquet``. Columns: ``example_id`` (the same
for an item in every language), ``cluster_id`` (the same for items that share a context), ``language``, ``split``, and
the fields of the form.
"""

import hashlib
import logging
import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet

from xstilts import forms, readers
from xstilts.errors import UserError
from xstilts.registry import Source

log = logging.getLogger(__name__)

# An evaluation split of this many rows with one label only has had its labels taken out.
_PLACEHOLDER_ROWS = 20
Row = dict[str, Any]


def prepare(
    spec: Mapping[str, Any], raw: Path, excluded: Iterable[Path]
) -> tuple[dict[str, pyarrow.Table], dict[str, Any]]:
    """Return the prepared rows by part, and the facts for the manifest.

    Args:
        spec: the node's spec.
        raw: folder of the raw files.
        excluded: prepared evaluation data whose contexts may not be in training data.

    Raises:
        UserError: naming file and row, if a row is not what its form needs, labels are placeholders, or the number
            of rows is not the one the source states.
    """
    source = _source(spec["reading"])
    if spec["part"] == "training":
        parts, facts = _training(spec, source, raw, excluded)
    else:
        parts, facts = _evaluation(spec, source, raw)
    columns = [(name, pyarrow.string()) for name in ("example_id", "cluster_id", "language", "split")]
    columns = pyarrow.schema([*columns, *forms.get(spec["form"]).FIELDS])
    return {part: pyarrow.Table.from_pylist(rows, columns) for part, rows in parts.items()}, facts


def _source(reading: Mapping[str, Any]) -> Source:
    blank = {"training": (), "training_languages": (), "dev": (), "evaluation": (), "repository": None}
    frozen = {key: tuple(value) if isinstance(value, list) else value for key, value in reading.items()}
    return Source(**frozen, **blank, revision=None)


def _training(
    spec: Mapping[str, Any], source: Source, raw: Path, excluded: Iterable[Path]
) -> tuple[dict[str, list[Row]], dict[str, Any]]:
    forbidden = _contexts(excluded)
    language = spec["language"]
    splits: dict[str, list[Row]] = {}
    left_out: Counter[str] = Counter()
    sample = False
    seen: Counter[str] = Counter()
    for split, files in spec["splits"].items():
        rows = []
        for number, entry in enumerate(files):
            read, count = _read(spec, source, raw, [entry["file"]], f"{split}{number or ''}", left_out, seen)
            _check_count(count, entry["rows"], entry["file"])
            sample = sample or entry["sample"]
            rows += [{**row, "language": language, "split": split} for row in read]
        splits[split] = rows
    for split, rows in splits.items():
        kept = [row for row in rows if _normal(row.get("context", "")) not in forbidden]
        left_out["context of an evaluation set"] += len(rows) - len(kept)
        splits[split] = kept
    if "dev" not in splits:
        splits["train"], splits["dev"] = _carve(splits["train"], spec["dev_rows"])
    splits["dev"] = _choose(splits["dev"], spec["dev_rows"], key="example_id")
    available = len(splits["train"])
    splits["train"] = _choose(splits["train"], spec["train_rows"], key="example_id")
    for split, rows in splits.items():
        if not rows:
            raise UserError(f"{spec['task']}: no {split} rows are left; raise the limits or give the source more rows")
    facts = {
        "parts": {split: {"rows": len(rows), "labels": _label_counts(spec, rows)} for split, rows in splits.items()},
        "available": available, "left_out": dict(left_out), "language": language, "sample": sample,
    }  # fmt: skip
    return splits, facts


def _evaluation(spec: Mapping[str, Any], source: Source, raw: Path) -> tuple[dict[str, list[Row]], dict[str, Any]]:
    everything: dict[str, list[Row]] = {}
    languages: dict[str, Any] = {}
    left_out: Counter[str] = Counter()
    for language, entry in spec["languages"].items():
        # where languages are not translations of each other, their items have nothing in common
        prefix = entry["split"] if spec["parallel"] else f"{language}.{entry['split']}"
        read, count = _read(spec, source, raw, entry["files"], prefix, left_out, Counter())
        _check_count(count, entry["rows"], ", ".join(entry["files"]))
        _refuse_placeholders(spec, read, ", ".join(entry["files"]))
        rows = _choose(read, spec["test_rows"], key="cluster_id")
        rows = [{**row, "language": language, "split": entry["split"]} for row in rows]
        if not rows:
            raise UserError(f"{', '.join(entry['files'])}: no rows to score")
        published = spec["published"].get(entry["split"])
        languages[language] = {
            "split": entry["split"], "official": entry["official"], "rows": len(rows), "available": len(read),
            "sample": entry["sample"] or (published is not None and len(rows) < published) or len(rows) < count,
            "labels": _label_counts(spec, rows),
        }  # fmt: skip
        everything[language] = rows
    return everything, {"parts": languages, "left_out": dict(left_out)}


def _read(
    spec: Mapping[str, Any],
    source: Source,
    raw: Path,
    names: list[str],
    split: str,
    left_out: Counter[str],
    seen: Counter[str],
) -> tuple[list[Row], int]:
    """Return the normalised rows of one file group, and how many rows the files have.

    Args:
        spec: the node's spec.
        source: how the files are read.
        raw: folder of the files.
        names: files that are read together.
        split: prefix of ids and clusters for rows that have none of their own.
        left_out: counts, by reason, the rows that are left out.
        seen: counts the ids so far; an id that repeats gets a number.
    """
    form = forms.get(spec["form"])
    labels = _label_index(spec["labels"], source)
    rows: list[Row] = []
    clusters: dict[Any, int] = {}
    count = 0
    for count, raw_row in enumerate(readers.read(source, raw, names), 1):
        place = f"{names[0]}, row {count}"
        record = {field: _column(raw_row, column, place) for field, column in source.columns.items()}
        identity = str(record.pop("id", f"{split}.{count - 1}"))
        if "label" in record:
            if record["label"] in source.drop_labels:
                left_out["no gold label"] += 1
                continue
            record["label"] = _label(record["label"], labels, place)
        elif "tags" in record:
            record["tags"] = [_label(tag, labels, place) for tag in record["tags"]]
        try:
            row = form.normalise(record, spec["labels"])
        except ValueError as error:
            raise UserError(f"{place}: {error}") from None
        if row.get("answers") == [] and spec["form"] == "span":
            if source.unanswerable == "refuse":
                raise UserError(f"{place}: the question has no answer, and this task must have one")
            left_out["unanswerable"] += 1
            continue
        seen[identity] += 1
        row["example_id"] = identity if seen[identity] == 1 else f"{identity}#{seen[identity]}"
        # rows of translated sets correspond by number, and so do their contexts, numbered as they come up
        context = row.get("context") or (count - 1) // spec.get("cluster_rows", 1)
        row["cluster_id"] = f"{split}.{clusters.setdefault(context, len(clusters))}"
        rows.append(row)
    return rows, count


def _column(row: Row, column: str, place: str) -> Any:
    try:
        return readers.value(row, column)
    except (KeyError, TypeError, IndexError):
        raise UserError(f"{place}: no column {column!r}; found {', '.join(map(str, row))}") from None


def _label_index(labels: list[str] | None, source: Source) -> dict[str | int, int]:
    values = source.labels if source.labels is not None else labels or ()
    return {value: number for number, value in enumerate(values)}


def _label(value: Any, labels: Mapping[str | int, int], place: str) -> int:
    if isinstance(value, (str, int)) and value in labels:
        return labels[value]
    known = ", ".join(map(str, labels))
    raise UserError(f"{place}: label {value!r} is none of {known}; placeholder labels cannot be trained on or scored")


def _refuse_placeholders(spec: Mapping[str, Any], rows: list[Row], files: str) -> None:
    counts = _label_counts(spec, rows)
    if len(rows) >= _PLACEHOLDER_ROWS and len(counts) == 1:
        raise UserError(f"{files}: all {len(rows)} rows have the label {next(iter(counts))!r}: placeholders, not gold")


def _label_counts(spec: Mapping[str, Any], rows: list[Row]) -> dict[str, int]:
    """Return how often each label is there; for tagging, by word."""
    if not spec["labels"]:
        return {}
    counts: Counter[int] = Counter()
    for row in rows:
        counts.update(row["tags"] if "tags" in row else [row["label"]])
    return {spec["labels"][label]: counts[label] for label in sorted(counts)}


def _check_count(found: int, stated: int | None, files: str) -> None:
    if stated is not None and found != stated:
        raise UserError(
            f"{files}: {found} rows, but its source states {stated}; index the mirror again if that is right"
        )


def _normal(text: str) -> str:
    """Return a context in the form in which two are compared: composed, case folded, white space collapsed."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def _contexts(prepared: Iterable[Path]) -> set[str]:
    contexts = set()
    for path in (path for folder in prepared for path in sorted(folder.glob("*.parquet"))):
        contexts.update(map(_normal, pyarrow.parquet.read_table(path, columns=["context"])["context"].to_pylist()))
    return contexts


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _choose(rows: list[Row], limit: int | None, key: str) -> list[Row]:
    """Return at most ``limit`` rows, chosen by a hash of a column, in their own order."""
    if limit is None or len(rows) <= limit:
        return rows
    ranked = sorted(range(len(rows)), key=lambda number: (_hash(rows[number][key]), number))
    return [rows[number] for number in sorted(ranked[:limit])]


def _carve(rows: list[Row], dev_rows: int) -> tuple[list[Row], list[Row]]:
    """Split training rows into train and dev by a hash of their context, so that no context is in both."""
    groups: dict[str, list[int]] = {}
    for number, row in enumerate(rows):
        context = row.get("context") or row.get("text_a") or " ".join(row.get("words", [])) or row["example_id"]
        groups.setdefault(_normal(context), []).append(number)
    chosen: set[int] = set()
    for key in sorted(groups, key=_hash):
        if len(chosen) >= min(dev_rows, len(rows) // 4):
            break
        chosen.update(groups[key])
    train = [row for number, row in enumerate(rows) if number not in chosen]
    dev = [{**rows[number], "split": "dev"} for number in sorted(chosen)]
    return train, dev
