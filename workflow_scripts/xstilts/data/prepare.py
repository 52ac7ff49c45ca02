"""Preparation: raw files become normalised Parquet, checked row by row.

One prepared node is the training data of a task in one language, with the splits ``train`` and ``dev``, or the union of
that of several tasks, or its evaluation data, with a split for each language. A split is a file ``<split>.parquet``.
Columns: ``example_id`` (the same for an item in every language), ``cluster_id`` (the same for items that share a
context), ``language``, ``split``, and the fields of the form.
"""

import hashlib
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

import pyarrow

from xstilts import forms
from xstilts.data import few_shot
from xstilts.data.prepared_rows import read_prepared
from xstilts.data.rows import (
    Row,
    check_count,
    label_counts,
    read_rows,
    refuse_placeholders,
    schema_of,
)
from xstilts.errors import UserError
from xstilts.forms import FORMS
from xstilts.forms.declaration import Role
from xstilts.references import in_language
from xstilts.store.manifest import PreparedResults, PreparedSplit
from xstilts.store.specs.data import EvaluationDataSpec, FileGroup, TrainingDataSpec, UnionSpec

# the split whose pairs a threshold is chosen on, where there is one
THRESHOLD = "threshold"


def prepare(
    spec: TrainingDataSpec | EvaluationDataSpec, raw: Path, excluded: Iterable[Path]
) -> tuple[dict[str, pyarrow.Table], PreparedResults]:
    """Return the prepared rows by split, and what the manifest says of them.

    Args:
        spec: the node's spec.
        raw: folder of the raw files.
        excluded: prepared evaluation data whose contexts may not be in training data.

    Raises:
        UserError: naming file and row, if a row is not what its form needs, labels are placeholders, or the number
            of rows is not the one the source states.
    """
    if isinstance(spec, TrainingDataSpec):
        splits, results = _training(spec, raw, excluded)
    else:
        splits, results = _evaluation(spec, raw)
    return _tables(spec.form, splits), results


def unite(
    spec: UnionSpec, members: Mapping[str, Path], results_of: Mapping[str, PreparedResults]
) -> tuple[dict[str, pyarrow.Table], PreparedResults]:
    """Return the union of the prepared training data of several tasks, by split, and what the manifest says of it.

    Args:
        spec: the node's spec.
        members: folder of the prepared data of each member.
        results_of: what the manifest of each member says.
    """
    splits: dict[str, list[Row]] = {"train": [], "dev": []}
    for member in spec.members:
        for split, rows in splits.items():
            for row in read_prepared(members[member] / f"{split}.parquet").to_pylist():
                ids = {key: f"{member}.{row[key]}" for key in ("example_id", "cluster_id")}
                rows.append({**row, **ids})
    left_out: Counter[str] = Counter()
    for results in results_of.values():
        left_out.update(results.left_out)
    sample = any(results.sample for results in results_of.values())
    limited, results = _limited(spec, spec.labels, splits, left_out, sample)
    if spec.shuffled_labels:
        limited["train"] = _shuffled(limited["train"], *FORMS[spec.form].of_role(Role.LABEL))
    return _tables(spec.form, limited), results


def _shuffled(rows: list[Row], field: str) -> list[Row]:
    """Return rows with each other's labels: a control, in which texts and labels are the same but have no relation."""
    labels = [row[field] for row in sorted(rows, key=lambda row: _hash(row["example_id"]))]
    return [{**row, field: label} for row, label in zip(rows, labels, strict=True)]


def _tables(form: str, splits: Mapping[str, list[Row]]) -> dict[str, pyarrow.Table]:
    return {split: pyarrow.Table.from_pylist(rows, schema_of(form)) for split, rows in splits.items()}


def _training(
    spec: TrainingDataSpec, raw: Path, excluded: Iterable[Path]
) -> tuple[dict[str, list[Row]], PreparedResults]:
    forbidden = _contexts(excluded)
    splits: dict[str, list[Row]] = {}
    left_out: Counter[str] = Counter()
    seen: Counter[str] = Counter()
    for split, files in spec.splits.items():
        rows = []
        for index, file in enumerate(files):
            prefix = f"{split}{index or ''}"
            group = FileGroup(
                form=spec.form,
                labels=spec.labels,
                reading=spec.reading,
                files=[file.file],
                prefix=prefix,
                where=spec.where,
            )
            read, count = read_rows(group, raw, left_out, seen)
            check_count(count, file.rows, file.file)
            rows += [{**row, "language": spec.language, "split": split} for row in read]
        splits[split] = rows
    labels = _inventory(splits, *FORMS[spec.form].of_role(Role.LABELS)) if spec.labels is None else spec.labels
    for split, rows in splits.items():
        kept = [row for row in rows if _normal(row.get("context") or "") not in forbidden]
        left_out["context of an evaluation set"] += len(rows) - len(kept)
        splits[split] = kept
    if "dev" not in splits:
        splits["train"], splits["dev"] = _carve(splits["train"], spec.dev_rows)
    sample = any(file.sample for files in spec.splits.values() for file in files)
    return _limited(spec, labels, splits, left_out, sample)


def _limited(
    spec: TrainingDataSpec | UnionSpec,
    labels: Sequence[str] | None,
    splits: Mapping[str, list[Row]],
    left_out: Mapping[str, int],
    sample: bool,
) -> tuple[dict[str, list[Row]], PreparedResults]:
    """Return the rows within the limits, and what the manifest says of them."""
    limited = {split: _within(spec, split, rows) for split, rows in splits.items()}
    for split, rows in limited.items():
        if not rows:
            raise UserError(f"{spec.task}: no {split} rows are left; raise the limits or give the source more rows")
    results = PreparedResults(
        splits={
            split: PreparedSplit(rows=len(rows), labels=label_counts(spec.form, labels, rows))
            for split, rows in limited.items()
        },
        available=len(splits["train"]),
        left_out=dict(left_out),
        language=spec.language,
        sample=sample,
        labels=labels,
    )
    return limited, results


def _within(spec: TrainingDataSpec | UnionSpec, split: str, rows: list[Row]) -> list[Row]:
    """Return the rows of a split within its limit; of the training data of a few shots those that its seed draws."""
    if split == "train" and isinstance(spec, TrainingDataSpec) and spec.seed is not None:
        assert spec.train_rows is not None
        what = in_language(spec.task, spec.language)
        return few_shot.drawn(rows, spec.train_rows, spec.seed, spec.form, what)
    return _choose(rows, {"train": spec.train_rows, "dev": spec.dev_rows}[split], key="example_id")


def _inventory(splits: Mapping[str, list[Row]], *fields: str) -> list[str] | None:
    """Replace the labels of words, which are text here, by indices in alphabetical order, and return the labels."""
    rows = [row for of_split in splits.values() for row in of_split]
    names = sorted({label for row in rows for field in fields for label in row[field]})
    indices = {name: index for index, name in enumerate(names)}
    for row in rows:
        row.update({field: [indices[label] for label in row[field]] for field in fields})
    return names or None


def _evaluation(spec: EvaluationDataSpec, raw: Path) -> tuple[dict[str, list[Row]], PreparedResults]:
    everything: dict[str, list[Row]] = {}
    available: dict[str, int] = {}
    left_out: Counter[str] = Counter()
    for language, source in spec.languages.items():
        # where languages are not translations of each other, their items have nothing in common
        prefix = "" if spec.parallel else f"{language}."
        rows: list[Row] = []
        for split, files in ((source.split, list(source.files)), (THRESHOLD, list(source.threshold))):
            if files:
                group = FileGroup(
                    form=spec.form,
                    labels=spec.labels,
                    reading=source.reading or spec.reading,
                    files=files,
                    prefix=f"{prefix}{split}",
                    where=source.where,
                    cluster_rows=spec.cluster_rows,
                    labelled=source.labelled,
                )
                read, count = read_rows(group, raw, left_out, Counter())
                rows += [{**row, "language": language, "split": split} for row in read]
            if split == source.split:
                check_count(count, source.rows, ", ".join(files))
                if source.labelled:
                    refuse_placeholders(spec.form, spec.labels, read, ", ".join(files))
                available[language] = len(read)
        everything[language] = rows
    everything = _choose_evaluation(spec, everything)
    splits = {language: _evaluated(spec, language, rows, available[language]) for language, rows in everything.items()}
    return everything, PreparedResults(splits=splits, left_out=dict(left_out))


def _evaluated(spec: EvaluationDataSpec, language: str, rows: list[Row], available: int) -> PreparedSplit:
    """Return what the manifest says of the rows of a language."""
    source = spec.languages[language]
    scored = sum(row["split"] == source.split for row in rows)
    if not scored:
        raise UserError(f"{', '.join(source.files)}: no rows to score in {language}")
    fewer = source.published is not None and scored < source.published
    return PreparedSplit(
        rows=scored,
        labels=label_counts(spec.form, spec.labels, rows) if source.labelled else {},
        available=available,
        split=source.split,
        official=source.official,
        sample=source.sample or fewer or scored < available,
        labelled=source.labelled,
    )


def _choose_evaluation(spec: EvaluationDataSpec, everything: Mapping[str, list[Row]]) -> dict[str, list[Row]]:
    """Return at most ``test_rows`` rows of each language, the same items in every language.

    Where items are looked for in a pool, the limit counts those that look for one. What they look for stays in the
    pool, in whatever language where that is pooled.
    """
    form, limit = forms.get(spec.form), spec.test_rows
    if limit is None or not FORMS[spec.form].searched:
        return {language: _choose(rows, limit, key="cluster_id") for language, rows in everything.items()}
    kept = {language: _with_queries(rows, form.is_query, limit) for language, rows in everything.items()}
    sought = {
        language: {
            key
            for index in indices
            if form.is_query(everything[language][index])
            for key in form.keys(everything[language][index])
        }
        for language, indices in kept.items()
    }
    if FORMS[spec.form].pooled:
        sought = dict.fromkeys(sought, set().union(*sought.values()))

    def stays(language: str, index: int, row: Row) -> bool:
        found = not form.is_query(row) and not sought[language].isdisjoint(form.keys(row))
        return index in kept[language] or found

    return {
        language: [row for index, row in enumerate(rows) if stays(language, index, row)]
        for language, rows in everything.items()
    }


def _with_queries(rows: Sequence[Row], is_query: Callable[[Row], bool], limit: int) -> set[int]:
    """Return the indices of at most ``limit`` queries, by a hash of clusters, and as large a share of the pool."""
    hashes = [_hash(row["cluster_id"]) for row in rows]
    queries = sorted((hashes[index], index) for index, row in enumerate(rows) if is_query(row))
    if len(queries) <= limit:
        return set(range(len(rows)))
    last, _ = queries[limit - 1]
    pool = {index for index, row in enumerate(rows) if hashes[index] <= last and not is_query(row)}
    return pool | {index for _, index in queries[:limit]}


def _normal(text: str) -> str:
    """Return a context in the form in which two are compared: composed, case folded, white space collapsed."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def _contexts(prepared: Iterable[Path]) -> set[str]:
    contexts: set[str] = set()
    for path in (path for folder in prepared for path in sorted(folder.glob("*.parquet"))):
        texts = read_prepared(path, ["context"])["context"].drop_null().to_pylist()
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
