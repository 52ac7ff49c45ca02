"""What files can be used for: with their labels, without them, or not at all."""

import dataclasses

import pytest
from xstilts.data import usable
from xstilts.data.usable import PLACEHOLDERS, STRIPPED
from xstilts.errors import UserError
from xstilts.planning import registry
from xstilts.planning.mirror_index import files_of

from tests.builders.mirrors import jsonl

TASKS = registry.load().tasks
LABELS = ("entailment", "neutral", "contradiction")


def check(raw, task, file, evaluated=True):
    """Check the file of a task, as the source of its layout reads it."""
    (group, *_) = [each.group for each in files_of(TASKS[task]) if list(each.group.files) == [file]]
    return usable.check(group, raw.folder, evaluated)


def xnli(labels):
    return "".join(f"a{at}\tb\t{label}\n" for at, label in enumerate(labels))


@pytest.mark.parametrize(
    ("task", "file", "content", "expected"),
    [
        ("xnli", "xnli/test-de.tsv", xnli(LABELS * 8), (24, None)),
        ("xnli", "xnli/test-de.tsv", "a\tb\n" * 24, (24, STRIPPED)),
        ("xnli", "xnli/test-de.tsv", xnli(["neutral"] * 24), (24, PLACEHOLDERS)),
        ("xnli", "xnli/test-de.tsv", xnli(["-1"] * 24), (24, PLACEHOLDERS)),
        ("panx", "panx/test-de.tsv", "a\nb\n\n" * 4, (4, STRIPPED)),
        ("panx", "panx/test-de.tsv", "a\tO\nb\tB-LOC\n\n" * 4, (4, None)),
        ("xcopa", "xcopa/test.et.jsonl", jsonl({"premise": "p", "question": "cause", "choice1": "a", "choice2": "b"}),
         (1, STRIPPED)),
    ],
)  # fmt: skip
def test_labels_stripped_labels_and_placeholders(raw, task, file, content, expected):
    raw.put(file, content)
    assert check(raw, task, file) == expected


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (xnli([*LABELS * 8, "-1"]), r"test-de\.tsv, row 25: label '-1' is none of"),
        (xnli(["-1"]), r"test-de\.tsv, row 1: label '-1' is none of"),
        ("a\n" * 24, r"test-de\.tsv:1: 1 columns where 3"),
        ("a\tb\n" * 24 + "\tb\n", r"test-de\.tsv, row 1: no column 'label'"),
    ],
)
def test_a_wrong_row_makes_a_file_of_no_use(raw, content, message):
    raw.put("xnli/test-de.tsv", content)
    with pytest.raises(UserError, match=message):
        check(raw, "xnli", "xnli/test-de.tsv")


def test_training_data_need_labels(raw):
    raw.put("panx/train-en.tsv", "a\nb\n\n" * 4)
    with pytest.raises(UserError, match=r"train-en\.tsv, row 1: no column 'tags'; found 'words'"):
        check(raw, "panx", "panx/train-en.tsv", evaluated=False)


def test_no_row_with_a_gold_label(raw):
    """SNLI marks those without one, and a file of nothing else has no training data."""
    group = next(each.group for each in files_of(TASKS["xnli"]) if each.group.files == ["xnli/dev-de.tsv"])
    group = dataclasses.replace(group, reading=dataclasses.replace(group.reading, drop_labels=["-"]))
    raw.put("xnli/dev-de.tsv", xnli("-" * 24))
    with pytest.raises(UserError, match=r"dev-de\.tsv: none of its 24 rows has a gold label"):
        usable.check(group, raw.folder, evaluated=False)
    assert usable.check(group, raw.folder, evaluated=True) == (24, PLACEHOLDERS)
