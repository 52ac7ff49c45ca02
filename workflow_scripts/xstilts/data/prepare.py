"""Preparation: raw files become normalised Parquet, checked row by row.

One prepared node is the training data of a task in one language, with the parts ``train`` and ``dev``, or the union of
that of several tasks, or its evaluation data, with a part for each language. A part is a file ``<part>.parquet``.
Columns: ``example_id`` (the same for an item in every language), ``cluster_id`` (the same for items that share a
context), ``language``, ``split``, and the fields of the form.
"""

import hashlib
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet

from xstilts import forms
from xstilts.data.rows import Row, check_count, label_counts, read_rows, refuse_placeholders
from xstilts.errors import UserError
from xstilts.forms import FORMS


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
    if spec["kind"] == "training":
        parts, facts = _training(spec, raw, excluded)
    else:
        parts, facts = _evaluation(spec, raw)
    return _tables(spec["form"], parts), facts


def unite(
    spec: Mapping[str, Any], members: Mapping[str, Path], facts_of: Mapping[str, Mapping[str, Any]]
) -> tuple[dict[str, pyarrow.Table], dict[str, Any]]:
    """Return the union of the prepared training data of several tasks, by part, and the facts for the manifest.

    Args:
        spec: the node's spec.
        members: folder of the prepared data of each member.
        facts_of: the manifest of each member.
    """
    splits: dict[str, list[Row]] = {"train": [], "dev": []}
    for member in spec["members"]:
        for split, rows in splits.items():
            own = pyarrow.parquet.read_table(members[member] / f"{split}.parquet").to_pylist()
            rows += [
                {**row, "example_id": f"{member}.{row['example_id']}", "cluster_id": f"{member}.{row['cluster_id']}"}
                for row in own
            ]
    left_out: Counter[str] = Counter()
    for facts in facts_of.values():
        left_out.update(facts["left_out"])
    sample = any(facts["sample"] for facts in facts_of.values())
    parts, facts = _limited(spec, splits, left_out, sample)
    if spec["shuffled_labels"]:
        parts["train"] = _shuffled(parts["train"])
    return _tables(spec["form"], parts), facts


def _shuffled(rows: list[Row]) -> list[Row]:
    """Return rows with each other's labels: a control, in which texts and labels are the same but have no relation."""
    labels = [row["label"] for row in sorted(rows, key=lambda row: _hash(row["example_id"]))]
    return [{**row, "label": label} for row, label in zip(rows, labels, strict=True)]


def _tables(form: str, parts: Mapping[str, list[Row]]) -> dict[str, pyarrow.Table]:
    columns = [(name, pyarrow.string()) for name in ("example_id", "cluster_id", "language", "split")]
    columns = pyarrow.schema([*columns, *forms.get(form).FIELDS])
    return {part: pyarrow.Table.from_pylist(rows, columns) for part, rows in parts.items()}


def _training(
    spec: Mapping[str, Any], raw: Path, excluded: Iterable[Path]
) -> tuple[dict[str, list[Row]], dict[str, Any]]:
    forbidden = _contexts(excluded)
    splits: dict[str, list[Row]] = {}
    left_out: Counter[str] = Counter()
    sample = False
    seen: Counter[str] = Counter()
    for split, files in spec["splits"].items():
        rows = []
        for number, entry in enumerate(files):
            prefix = f"{split}{number or ''}"
            read, count = read_rows(spec, raw, [entry["file"]], prefix, spec["where"], left_out, seen)
            check_count(count, entry["rows"], entry["file"])
            sample = sample or entry["sample"]
            rows += [{**row, "language": spec["language"], "split": split} for row in read]
        splits[split] = rows
    labels = _inventory(splits) if spec["labels"] is None else spec["labels"]
    for split, rows in splits.items():
        kept = [row for row in rows if _normal(row.get("context") or "") not in forbidden]
        left_out["context of an evaluation set"] += len(rows) - len(kept)
        splits[split] = kept
    if "dev" not in splits:
        splits["train"], splits["dev"] = _carve(splits["train"], spec["dev_rows"])
    parts, facts = _limited({**spec, "labels": labels}, splits, left_out, sample)
    return parts, {**facts, "labels": labels}


def _limited(
    spec: Mapping[str, Any], splits: dict[str, list[Row]], left_out: Mapping[str, int], sample: bool
) -> tuple[dict[str, list[Row]], dict[str, Any]]:
    """Return the rows within the limits, and the facts for the manifest."""
    available = len(splits["train"])
    limited = {split: _choose(rows, spec[f"{split}_rows"], key="example_id") for split, rows in splits.items()}
    for split, rows in limited.items():
        if not rows:
            raise UserError(f"{spec['task']}: no {split} rows are left; raise the limits or give the source more rows")
    facts = {
        "splits": {split: {"rows": len(rows), "labels": label_counts(spec, rows)} for split, rows in limited.items()},
        "available": available, "left_out": dict(left_out), "language": spec["language"], "sample": sample,
        "labels": spec["labels"],
    }  # fmt: skip
    return limited, facts


def _inventory(splits: Mapping[str, list[Row]]) -> list[str] | None:
    """Number the tags of rows that have them as text, in alphabetical order, and return their names."""
    rows = [row for part in splits.values() for row in part if "tags" in row]
    names = sorted({tag for row in rows for tag in row["tags"]})
    numbers = {name: number for number, name in enumerate(names)}
    for row in rows:
        row["tags"] = [numbers[tag] for tag in row["tags"]]
    return names or None


def _evaluation(spec: Mapping[str, Any], raw: Path) -> tuple[dict[str, list[Row]], dict[str, Any]]:
    everything: dict[str, list[Row]] = {}
    available: dict[str, int] = {}
    left_out: Counter[str] = Counter()
    for language, entry in spec["languages"].items():
        # where languages are not translations of each other, their items have nothing in common
        prefix = "" if spec["parallel"] else f"{language}."
        rows: list[Row] = []
        for split, files in ((entry["split"], entry["files"]), ("threshold", entry["threshold"])):
            if files:
                read, count = read_rows(spec, raw, files, f"{prefix}{split}", entry["where"], left_out, Counter())
                rows += [{**row, "language": language, "split": split} for row in read]
            if split == entry["split"]:
                check_count(count, entry["rows"], ", ".join(files))
                refuse_placeholders(spec, read, ", ".join(files))
                available[language] = len(read)
        everything[language] = rows
    everything = _choose_evaluation(spec, everything)
    languages = {}
    for language, rows in everything.items():
        entry = spec["languages"][language]
        published = entry["published"]
        scored = sum(row["split"] == entry["split"] for row in rows)
        if not scored:
            raise UserError(f"{', '.join(entry['files'])}: no rows to score in {language}")
        languages[language] = {
            "split": entry["split"], "official": entry["official"], "rows": scored, "available": available[language],
            "sample": entry["sample"] or (published is not None and scored < published) or scored < available[language],
            "labels": label_counts(spec, rows),
        }  # fmt: skip
    return everything, {"splits": languages, "left_out": dict(left_out)}


def _choose_evaluation(spec: Mapping[str, Any], everything: Mapping[str, list[Row]]) -> dict[str, list[Row]]:
    """Return at most ``test_rows`` rows of each language, the same items in every language.

    Where items are looked for in a pool, the limit counts those that look for one. What they look for stays in the
    pool, in whatever language where that is pooled.
    """
    form, limit = forms.get(spec["form"]), spec["test_rows"]
    if limit is None or not FORMS[spec["form"]].searched:
        return {language: _choose(rows, limit, key="cluster_id") for language, rows in everything.items()}
    kept = {language: _with_queries(rows, form.is_query, limit) for language, rows in everything.items()}
    sought = {
        language: {key for row in (everything[language][place] for place in places) if form.is_query(row)
                   for key in form.keys(row)}
        for language, places in kept.items()
    }  # fmt: skip
    if FORMS[spec["form"]].pooled:
        sought = dict.fromkeys(sought, set().union(*sought.values()))
    return {
        language: [
            row for place, row in enumerate(rows)
            if place in kept[language] or not (form.is_query(row) or sought[language].isdisjoint(form.keys(row)))
        ]
        for language, rows in everything.items()
    }  # fmt: skip


def _with_queries(rows: Sequence[Row], is_query: Callable[[Row], bool], limit: int) -> set[int]:
    """Return the places of at most ``limit`` queries, by a hash of their clusters, and as large a part of the pool."""
    hashes = [_hash(row["cluster_id"]) for row in rows]
    queries = sorted((hashes[place], place) for place, row in enumerate(rows) if is_query(row))
    if len(queries) <= limit:
        return set(range(len(rows)))
    last, _ = queries[limit - 1]
    pool = {place for place, row in enumerate(rows) if hashes[place] <= last and not is_query(row)}
    return pool | {place for _, place in queries[:limit]}


def _normal(text: str) -> str:
    """Return a context in the form in which two are compared: composed, case folded, white space collapsed."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def _contexts(prepared: Iterable[Path]) -> set[str]:
    contexts = set()
    for path in (path for folder in prepared for path in sorted(folder.glob("*.parquet"))):
        texts = pyarrow.parquet.read_table(path, columns=["context"])["context"].drop_null().to_pylist()
        contexts.update(map(_normal, texts))
    return contexts - {""}


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
        words = " ".join(row.get("words", []))
        context = row.get("context") or row.get("text_a") or words or row.get("text") or row["example_id"]
        groups.setdefault(_normal(context), []).append(number)
    chosen: set[int] = set()
    for key in sorted(groups, key=_hash):
        if len(chosen) >= min(dev_rows, len(rows) // 4):
            break
        chosen.update(groups[key])
    train = [row for number, row in enumerate(rows) if number not in chosen]
    dev = [{**rows[number], "split": "dev"} for number in sorted(chosen)]
    return train, dev
