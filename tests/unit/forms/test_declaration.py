"""The declared interface of forms, what derives from it, and what is refused when a plan is made."""

import dataclasses
import inspect
import json
import re
import subprocess
import sys
from collections import Counter
from types import ModuleType

import pyarrow
import pytest
import yaml
from xstilts import forms
from xstilts.commands import reference
from xstilts.data.rows import label_counts, read_rows, schema_of
from xstilts.errors import UserError
from xstilts.evaluation import xtreme_format
from xstilts.forms import FORMS, scoring
from xstilts.forms.declaration import PERCENT, Form, Metric, Notation, Role
from xstilts.forms.interface import FormModule, required_functions
from xstilts.planning import registry
from xstilts.store.files import canonical
from xstilts.store.specs.data import FileGroup, Reading

from tests.builders.projects import ROOT

# the interface


@pytest.mark.parametrize("name", FORMS)
def test_functions_have_the_parameters_of_the_interface(name):
    module = forms.get(name)
    for function in required_functions(FORMS[name]):
        expected = list(inspect.signature(getattr(FormModule, function)).parameters)[1:]
        assert list(inspect.signature(getattr(module, function)).parameters) == expected, function


@pytest.mark.parametrize("name", FORMS)
def test_declarations_are_whole(name):
    form = FORMS[name]
    assert form.metrics and form.texts
    assert (form.head_size is not None) == (form.trained and not form.pretrained_head)
    assert form.trained or form.embedded
    assert len(form.of_role(Role.LABEL, Role.LABELS)) <= 1
    assert form.xtreme is None or form.xtreme.layout in xtreme_format.LAYOUTS
    assert not set(form.required) & set(form.optional)
    assert schema_of(name).names == ["example_id", "cluster_id", "language", "split", *form.fields]


def test_metrics_of_one_name_have_one_unit_and_direction():
    seen = {}
    for form in FORMS.values():
        for name, metric in form.metrics.items():
            assert seen.setdefault(name, (metric.unit, metric.higher_is_better)) == (
                metric.unit,
                metric.higher_is_better,
            )
            assert forms.metric_named(name).unit == metric.unit


def test_chance_levels():
    assert FORMS["classification"].metrics["accuracy"].chance(3) == pytest.approx(100 / 3)
    assert FORMS["multiple_choice"].metrics["accuracy"].chance(4) == 25
    assert FORMS["mlm"].metrics["loss"].chance is None


def test_missing_function_is_named_in_one_line(monkeypatch):
    module = ModuleType("xstilts.forms.half")
    module.__file__ = "forms/half.py"
    module.FORM = Form(fields={}, metrics={}, trained=False)
    module.normalise = module.encode = lambda: None
    monkeypatch.setitem(sys.modules, "xstilts.forms.half", module)
    monkeypatch.setitem(FORMS, "half", module.FORM)
    with pytest.raises(UserError) as error:
        forms.get("half")
    assert str(error.value).startswith("forms/half.py: lacks the function statistics")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("functions", [{}, {"of_sums": min, "of_examples": min}])
def test_a_metric_has_exactly_one_function(functions):
    with pytest.raises(ValueError, match="of_sums or by of_examples"):
        Metric(**functions)


def test_declarations_need_no_heavy_library():
    code = "import sys, xstilts.forms; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"torch", "transformers", "pyarrow", "pandas", "scipy", "sklearn"} & set(done.stdout.split())


# what derives from declarations


def test_reference_lists_the_forms_and_their_metrics():
    lines = {line.split("|")[1].strip(): line for line in reference.text().splitlines() if line.startswith("| `")}
    assert all(f'"{name}"' in lines["`form`"] for name in FORMS)
    assert all(f'"{name}"' in lines["`metric`"] for form in FORMS.values() for name in form.metrics)
    assert '"squad" or "squad_v2" or "mlqa"' in lines["`scoring`"]


def test_the_page_on_tasks_lists_fields_and_metrics_of_forms():
    """A form that it does not list is described by its own module."""
    page = (ROOT / "docs/add-a-task.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `(\w+)` \| (.*) \|$", page, re.M))
    listed = {name: FORMS[name] for name in FORMS if name in rows}
    assert len(listed) >= 8
    for name, form in listed.items():
        fields, metrics = rows[name].rsplit("|", 1)
        assert all(field in fields for field in form.fields), name
        assert set(metrics.strip().split(", ")) <= set(form.metrics), name


# when a prediction is right


@pytest.mark.parametrize(
    "name, gold, right, wrong",
    [
        ("classification", "a", ["a"], ["b"]),
        ("multiple_choice", "1", ["1"], ["2"]),
        ("span", '["the sun", "star"]', ["sun", "star"], ["sun star", ""]),
        ("span", "[]", [""], ["sun"]),
        ("tagging", "A O B", ["A O B"], ["A O O", "O O B"]),
        ("bitext", "3", ["3"], ["4"]),
        ("mining", "e1", ["e1"], ["e2", ""]),
        ("mining", "", [""], ["e1"]),
        ("retrieval", '["a", "b"]', ['["b", "x", "a"]'], ['["x", "a", "b"]', "[]"]),
    ],
)
def test_right_predictions_by_hand(name, gold, right, wrong):
    said = [*right, *wrong]
    rules = "squad_v2" if name == "span" else None
    columns = scoring.columns_of(forms.get(name), said, [gold] * len(said), rules, ["en"] * len(said))
    judgement = FORMS[name].judgement
    found = judgement.is_right({name: columns[name] for name in judgement.uses})
    assert found.tolist() == [True] * len(right) + [False] * len(wrong)


def test_judgements_are_whole():
    assert {name for name, form in FORMS.items() if form.judgement is None} == {"mlm"}
    for form in FORMS.values():
        for name in form.of_role(Role.ANSWERS, Role.LABELS):
            assert form.fields[form.fields[name].of].role in (Role.TEXT, Role.TEXTS)
        if form.judgement and form.judgement.notation in (Notation.TAGS, Notation.CHOICE):
            assert len(form.of_role(Role.TEXTS)) == 1


# what is refused when a plan is made

TASK = {
    "version": 1,
    "form": "classification",
    "title": "Mine",
    "metric": "accuracy",
    "labels": ["no", "yes"],
    "languages": ["en"],
    "sources": [
        {
            "kind": "files",
            "reader": "jsonl",
            "columns": {"text_a": "question", "label": "answer"},
            "labels": [False, True],
            "training": ["mine/train.jsonl"],
            "evaluation": [{"split": "test", "files": ["mine/test.jsonl"]}],
        }
    ],
}
SPAN = {"context": "context", "question": "question", "answers": "answers"}


def load(folder, change=None, source=None):
    content = {**TASK, **(change or {}), "sources": [{**TASK["sources"][0], **(source or {})}]}
    (folder / "tasks").mkdir(exist_ok=True)
    (folder / "tasks/mine.yaml").write_text(
        yaml.safe_dump({key: value for key, value in content.items() if value != ""})
    )
    registry.load.cache_clear()
    return registry.load((folder,)).tasks["mine"]


def test_rules_are_those_of_the_form(tmp_path):
    assert load(tmp_path).scoring is None
    span = {"form": "span", "metric": "f1", "labels": ""}
    assert load(tmp_path, span, {"columns": SPAN, "labels": None}).scoring == "squad"


@pytest.mark.parametrize(
    ("change", "source", "message"),
    [
        ({"metric": "f1"}, {}, "metric: the form classification has no 'f1'; known: accuracy, macro_f1"),
        ({"metric": "accurracy"}, {}, "metric: 'accurracy' is not possible; did you mean 'accuracy'?"),
        ({"scoring": "squad"}, {}, "scoring: the form classification has no rules 'squad'; leave the key out"),
        (
            {},
            {"columns": {"text_a": "question", "label": "answer", "choices": "c"}},
            "sources.0.columns: the form classification has no field 'choices'; "
            "known: text_a, label, id, cluster, text_b",
        ),
        (
            {},
            {"columns": {"text_a": "question"}},
            "sources.0.columns: the form classification needs the field 'label'; name its column",
        ),
        (
            {},
            {"values": {"question": {"a": "b"}}},
            "sources.0.values: the form classification has no field 'question'; "
            "known: text_a, label, id, cluster, text_b",
        ),
        ({}, {"values": {"text_b": {"a": "b"}}}, "sources.0.values: 'text_b' has no column; name it in `columns`"),
        ({}, {"labels": [0, 1, 2]}, "sources.0.labels: 3 values for 2 labels; give one for each, in their order"),
        (
            {"form": "span", "metric": "f1"},
            {"columns": SPAN, "labels": None},
            "labels: a task of the form span has no labels; leave the key out",
        ),
        (
            {"form": "span", "metric": "f1", "labels": ""},
            {"columns": SPAN},
            "sources.0.labels: a task of the form span has no labels; leave the key out",
        ),
        (
            {"form": "mlm", "metric": "loss", "labels": "", "trained_on": []},
            {"columns": {"text": "t"}, "labels": None, "drop_labels": ["-"]},
            "sources.0.drop_labels: a task of the form mlm has no labels; leave the key out",
        ),
        (
            {"form": "multiple_choice", "labels": ""},
            {"columns": {"question": "q", "choices": "c", "label": "l"}, "labels": None},
            "labels: a task of the form multiple_choice needs its label names",
        ),
    ],
)
def test_what_a_task_of_a_form_cannot_have(tmp_path, change, source, message):
    with pytest.raises(UserError) as error:
        load(tmp_path, change, source)
    assert str(error.value) == f"{tmp_path / 'tasks/mine.yaml'}: {message}"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("metrics: [accuracy]", "metrics: [mean_average_precision]", "the form classification has no "),
        ("  xnli:", "  xnly:", "tasks: unknown task 'xnly'; did you mean 'xnli'?"),
    ],
)
def test_a_benchmark_has_tasks_of_the_registry_and_metrics_of_their_forms(tmp_path, monkeypatch, old, new, message):
    for path in registry.FOLDER.rglob("*.yaml"):
        copy = tmp_path / path.relative_to(registry.FOLDER)
        copy.parent.mkdir(exist_ok=True, parents=True)
        copy.write_text(path.read_text())
    file = tmp_path / "benchmarks/xtreme.yaml"
    file.write_text(file.read_text().replace(old, new, 1))
    monkeypatch.setattr(registry, "FOLDER", tmp_path)
    registry.load.cache_clear()
    with pytest.raises(UserError) as error:
        registry.load()
    assert str(error.value).startswith(f"{file}: tasks") and message in str(error.value)


@pytest.fixture(autouse=True)
def fresh_registry():
    yield
    registry.load.cache_clear()


# JSON booleans and integers as labels


def rows_of(folder, task, answers):
    (folder / "mine").mkdir(exist_ok=True)
    lines = [json.dumps({"question": "Is it?", "answer": answer}) for answer in answers]
    (folder / "mine/test.jsonl").write_text("\n".join(lines) + "\n")
    (source,) = task.sources
    keys = ("reader", "header", "columns", "values", "labels", "drop_labels", "unanswerable")
    # as a job gets it
    reading = Reading(**json.loads(canonical({key: getattr(source, key) for key in keys})))
    group = FileGroup(
        form=task.form, labels=task.labels, reading=reading, files=["mine/test.jsonl"], prefix="test", where=None
    )
    left_out = Counter()
    rows, _ = read_rows(group, folder, left_out, Counter())
    return rows, label_counts(task.form, task.labels, rows), left_out["no gold label"]


def test_json_booleans_are_labels(tmp_path):
    rows, counts, _ = rows_of(tmp_path, load(tmp_path), [True, False, True])
    assert [row["label"] for row in rows] == [1, 0, 1]
    assert counts == {"no": 1, "yes": 2}
    assert pyarrow.Table.from_pylist([{**row, "language": "en", "split": "test"} for row in rows],
                                     schema_of("classification"))["label"].to_pylist() == [1, 0, 1]  # fmt: skip


@pytest.mark.parametrize(
    ("labels", "answer", "known"),
    [
        ([False, True], 1, "false, true"),
        ([False, True], "true", "false, true"),
        ([0, 1], True, "0, 1"),
        ([0, 1], "1", "0, 1"),
        ([0, 1], 1.0, "0, 1"),
        (["0", "1"], 1, "0, 1"),
        (["0", "1"], None, "0, 1"),
        (["0", "1"], ["0"], "0, 1"),
    ],
)
def test_true_one_and_the_text_one_are_three_labels(tmp_path, labels, answer, known):
    task = load(tmp_path, source={"labels": labels})
    with pytest.raises(UserError, match=rf"row 1: label .* is none of {known}; placeholder"):
        rows_of(tmp_path, task, [answer])


def test_all_three_can_be_labels_of_one_file(tmp_path):
    change = {"labels": ["a", "b", "c"]}
    task = load(tmp_path, change, {"labels": [True, 1, "1"], "drop_labels": [False]})
    rows, _, dropped = rows_of(tmp_path, task, ["1", True, 1, False])
    assert [row["label"] for row in rows] == [2, 0, 1] and dropped == 1
    with pytest.raises(UserError, match="label 0 is none of true, 1, 1"):
        rows_of(tmp_path, task, [0])


def test_declarations_are_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        FORMS["mlm"].trained = False
    assert FORMS["mlm"].metrics["loss"].unit != PERCENT
