"""Odd values in every field of every form: the row is prepared as it is, or one line names it."""

import datetime
import decimal
import itertools
import json
from collections import Counter

import pyarrow
import pyarrow.parquet
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from xstilts import forms
from xstilts.data.prepare import prepare
from xstilts.errors import UserError
from xstilts.store.specs.data import EvaluationDataSpec, EvaluationFiles, Reading, TrainingDataSpec, TrainingFile

from tests.builders.mirrors import jsonl

READING = {
    "reader": "jsonl", "header": None, "columns": {}, "values": {}, "labels": None, "drop_labels": [],
    "unanswerable": "keep",
}  # fmt: skip
ANSWERS = {"text": ["cat", "cat", "a"], "answer_start": [2, 2, 0]}
# form, label names, what the reading says, a right row
FORMS = {
    "classification": (
        "classification", ["no", "yes"],
        {"labels": [0, 1], "columns": {"text_a": "a", "text_b": "b", "label": "label"}},
        {"id": "1", "a": "a cat", "b": "a dog", "label": 1},
    ),
    "multiple_choice": (
        "multiple_choice", ["A", "B"],
        {"columns": {"context": "c", "question": "q", "choices": "one+two", "label": "label"}},
        {"id": 1, "c": "", "q": "where", "one": "here", "two": "there", "label": "B"},
    ),
    "span": (
        "span", None, {"columns": {"context": "c", "question": "q", "answers": "answers"}},
        {"id": "1", "c": "a cat .", "q": "who", "answers": ANSWERS},
    ),
    "tagging": (
        "tagging", ["N", "V"], {"labels": [5, 6], "columns": {"words": "words", "tags": "tags"}},
        {"id": "1", "words": ["a", "cat", ""], "tags": [5, 6, 5]},
    ),
    "tagging with the labels of its data": (
        "tagging", None, {"columns": {"words": "words", "tags": "tags"}},
        {"id": "1", "words": ["a", "cat"], "tags": ["D", "N"]},
    ),
    "bitext": (
        "bitext", None, {"columns": {"text": "a", "translation": "b"}}, {"id": "1", "a": "eine Katze", "b": "a cat"},
    ),
    "mining": (
        "mining", None, {"columns": {"text": "a", "side": "side", "match": "match"}},
        {"id": "1", "a": "a cat", "side": "foreign", "match": "en-1"},
    ),
    "retrieval": (
        "retrieval", None,
        {"columns": {"query": "q", "text": "a", "context": "c", "keys": "keys", "cluster": "cluster"}},
        {"id": "1", "q": "who", "a": "a cat", "c": "a cat", "keys": ["k", "l"], "cluster": 3},
    ),
    "mlm": ("mlm", None, {"columns": {"text": "a"}}, {"id": "1", "a": "a cat"}),
}  # fmt: skip


def spec_of(name, kind, file, **reading):
    """Return the spec of training or evaluation data in one file, which stands for dev rows too."""
    form, labels, own, row = FORMS[name]
    own = {**READING, **own, **reading}
    columns = own["columns"] if "id" not in row else {"id": "id", **own["columns"]}
    common = {
        "version": 1, "parents": {}, "task": "task", "task_version": 1, "form": form, "labels": labels,
        "reading": Reading(**{**own, "columns": columns}),
    }  # fmt: skip
    if kind == "training":
        entry = TrainingFile(file=file, rows=None, sample=False)
        return TrainingDataSpec(
            **common, language="en", splits={"train": [entry], "dev": [entry]}, where=None, train_rows=None,
            dev_rows=100,
        )  # fmt: skip
    language = EvaluationFiles(
        split="test", official=True, files=[file], threshold=[], where=None, published=None, rows=None, sample=False
    )
    return EvaluationDataSpec(**common, languages={"en": language}, test_rows=None, cluster_rows=1, parallel=True)


def part_of(name):
    """Return the part in which a form is tried: labels are those of the data in training alone."""
    return "training" if name == "tagging with the labels of its data" else "evaluation"


def same(name, raw, row, labels):
    """Tell whether a prepared row has exactly what the raw one has; in JSON, true is not 1 and 1.0 is not 1."""
    form, names, own, _ = FORMS[name]
    values = own.get("labels") or names or labels
    expected = {}
    for field, column in own["columns"].items():
        parts = [raw.get(part) for part in column.split("+")]
        expected[field] = parts if len(parts) > 1 else parts[0]
    found = {field: row[field] for field in forms.FORMS[form].fields}
    if "label" in found:
        found["label"] = values[found["label"]]
    if "tags" in found:
        found["tags"] = [values[tag] for tag in found["tags"]]
    if "answers" in found:
        pairs = zip(expected["answers"]["text"], expected["answers"]["answer_start"], strict=True)
        expected["answers"] = [{"text": text, "start": start} for text, start in dict.fromkeys(pairs)]
    if expected.pop("cluster", None) is not None:
        assert row["cluster_id"]
    if "keys" in found:
        expected["keys"] = [] if expected["keys"] is None else expected["keys"]
    return json.dumps(found, sort_keys=True) == json.dumps({key: expected[key] for key in found}, sort_keys=True)


ODD = [
    None, True, False, -1, 0, 1, 2, 5, 10**30, 1.0, 0.5, -2.0, "", " ", "\0", "x\0", "\n", "\u2028", "1", "V", "B",
    "cat", "x" * 100_000, [], [None], [[None, [None]]], ["a"], ["a", None], [1, 2], [True], {}, {"text": None},
    {"text": "cat", "answer_start": "234"}, {"text": ["cat"], "answer_start": [2.0]}, {"text": [], "answer_start": []},
    {"text": ["cat"], "answer_start": [True]}, {"text": ["cat"], "answer_start": [-5]}, {"text": ["cat"]}, ["a b"],
    [["N"]], {"a": {"a": [None]}},
]  # fmt: skip


def places(content, place=()):
    """Return where values stand in nested lists and objects."""
    inside = content.items() if isinstance(content, dict) else enumerate(content) if isinstance(content, list) else ()
    return [place, *itertools.chain.from_iterable(places(value, (*place, key)) for key, value in inside)]


def changed(content, place, how, value):
    """Return a copy in which a value is replaced, taken out, or has another one behind it."""
    if not place:
        return content + [value] if how == "more" and isinstance(content, list) else value
    copy = content.copy()
    if how == "less" and len(place) == 1:
        del copy[place[0]]
        return copy
    copy[place[0]] = changed(content[place[0]], place[1:], how, value)
    return copy


@st.composite
def odd_rows(draw, row):
    """Draw four rows, of which one or two have a value or two that do not belong there."""
    rows = [{**row, "id": f"{number}"} for number in range(4)]
    for _ in range(draw(st.integers(1, 2))):
        number = draw(st.integers(0, 3))
        for _ in range(draw(st.integers(1, 2))):
            there = [place for place in places(rows[number]) if place]
            if there:
                how = draw(st.sampled_from(["other", "other", "other", "less", "more"]))
                rows[number] = changed(rows[number], draw(st.sampled_from(there)), how, draw(st.sampled_from(ODD)))
    return rows


def check(name, folder, rows):
    """Prepare rows: all of them are there, as they are, or there is one line that names the file and the row."""
    # a new file: some file systems wait for the disk where an old one is cut and written again
    (folder / "rows.jsonl").unlink(missing_ok=True)
    (folder / "rows.jsonl").write_text(jsonl(*rows), encoding="utf-8")
    try:
        parts, stated = prepare(spec_of(name, part_of(name), "rows.jsonl"), folder, ())
    except UserError as error:
        message = str(error)
        assert len(message.splitlines()) == 1, message
        assert len(message) < 400, message
        assert message.startswith("rows.jsonl, row "), message
        return False
    prepared = parts["en" if part_of(name) == "evaluation" else "train"].to_pylist()
    assert len(prepared) == len(rows) - sum(stated.left_out.values())
    assert len({row["example_id"] for row in prepared}) == len(prepared)
    for raw, row in zip(rows, prepared, strict=True):
        assert same(name, raw, row, getattr(stated, "labels", None)), (raw, row)
    return True


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("odd")


@pytest.mark.parametrize("name", FORMS)
def test_right_rows_are_prepared(name, folder):
    row = FORMS[name][3]
    assert check(name, folder, [{**row, "id": number} for number in range(4)])


@pytest.mark.parametrize("name", FORMS)
def test_every_odd_value_in_every_field(name, folder):
    row = FORMS[name][3]
    outcomes = Counter(
        check(name, folder, [row, changed(row, place, how, value)])
        for place, value, how in itertools.product(places(row)[1:], ODD, ("other", "more"))
        if how == "other" or isinstance(value, (str, type(None)))
    )
    assert outcomes[False] > 20


@pytest.mark.parametrize("name", FORMS)
def test_odd_rows(name, folder):
    @settings(max_examples=60, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow])
    @given(odd_rows(FORMS[name][3]))
    def prepare_them(rows):
        check(name, folder, rows)

    prepare_them()


TYPES = {
    "bytes": b"a cat", "date": datetime.date(2020, 1, 1), "decimal": decimal.Decimal("1.5"), "float": 1.0, "bool": True,
    "struct": {"a": 1},
}  # fmt: skip


@pytest.mark.parametrize("name", FORMS)
@pytest.mark.parametrize("kind", TYPES)
def test_columns_of_types_that_json_does_not_have(name, kind, tmp_path):
    """Parquet has bytes, dates and others: none becomes text or a label's number."""
    row, refused = FORMS[name][3], 0
    for column in row:
        table = pyarrow.Table.from_pylist([{**row, column: TYPES[kind]}] * 2)
        pyarrow.parquet.write_table(table, tmp_path / "rows")
        with pytest.raises(UserError, match="^rows, row 1: ") as error:
            prepare(spec_of(name, part_of(name), "rows", reader="parquet"), tmp_path, ())
        assert len(str(error.value).splitlines()) == 1
        refused += 1
    assert refused == len(row)
