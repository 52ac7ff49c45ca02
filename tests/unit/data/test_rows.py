"""Rows are right, or one line names the file and the row."""

import pytest
from xstilts.data.prepare import prepare
from xstilts.errors import UserError
from xstilts.forms import multiple_choice
from xstilts.store.manifest import PreparedSplit

from tests.builders.mirrors import ids, jsonl, squad
from tests.builders.plans import node_of


def test_repeated_ids_are_numbered(filled):
    filled.edit("xquad/xquad.de.json", lambda text: text.replace('"q1"', '"q0"'))
    identities = ids(filled.prepare("xquad.evaluation")[0]["de"])
    assert identities[:3] == ["q0", "q0#2", "q2"]


BAD = {
    "placeholder label": (
        "xnli/test-de.tsv", lambda text: text.replace("entailment", "-1"), "xnli.evaluation",
        r"test-de\.tsv, row \d+: label '-1' is none of entailment, neutral, contradiction",
    ),
    "all labels the same": (
        "xnli/test-de.tsv", lambda text: "a\tb\tneutral\n" * 24, "xnli.evaluation",
        r"test-de\.tsv: all 24 rows have the label 'neutral': placeholders",
    ),
    "span that does not match": (
        "xquad/xquad.de.json", lambda text: text.replace('"answer_start": ', '"answer_start": 1'), "xquad.evaluation",
        r"xquad\.de\.json, row 1: answer '\w+' is not at character 1\d+ of its context",
    ),
    "unanswerable question": (
        "xquad/xquad.de.json", lambda text: text.replace('"id": "q3"', '"id": "q3", "is_impossible": true'),
        "xquad.evaluation", r"xquad\.de\.json, row 4: the question has no answer",
    ),
    "empty text": (
        "xnli/test-de.tsv", lambda text: "\tb\tneutral\n" + text, "xnli.evaluation",
        r"test-de\.tsv, row 1: text_a is empty",
    ),
    "unknown tag": (
        "udpos/test-de.tsv", lambda text: text.replace("\tNOUN", "\tNN", 1), "udpos.evaluation",
        r"test-de\.tsv, row 1: label 'NN' is none of",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_bad_rows(filled, name):
    file, change, node, message = BAD[name]
    filled.edit(file, change)
    with pytest.raises(UserError, match=message) as error:
        filled.prepare(node)
    assert "\n" not in str(error.value)


def test_another_number_of_choices():
    record = {"question": "where ?", "choices": ["a", "b"], "label": 0}
    with pytest.raises(ValueError, match="2 choices, but the task's labels name 3"):
        multiple_choice.normalise(record, ["A", "B", "C"])


def test_file_shorter_than_its_index(filled):
    plan = filled.plan()
    filled.edit("xnli/test-de.tsv", lambda text: "".join(text.splitlines(keepends=True)[:-1]))
    node = node_of(plan, "prepared", "xnli.evaluation")
    with pytest.raises(UserError, match=r"test-de\.tsv: 23 rows, but its source states 24"):
        prepare(node.spec, filled.folder, ())


TYDIQA = {"targets": {"tydiqa": None}, "languages": ["en", "ar", "id"], "limits": {"dev_rows": 1}}


def test_rows_are_those_of_the_language(raw):
    both = ("english-1", "cat"), ("arabic-1", "qitta"), ("english-2", "dog"), ("indonesian-9", "kucing")
    train = [(f"{code}-{at}", f"{code} {at}") for at in range(9) for code in ("english", "englishman", "arabic")]
    raw.write({
        "tydiqa/tydiqa-goldp-v1.1-train.json": squad(*train), "tydiqa/tydiqa-goldp-v1.1-dev.json": squad(*both),
    })  # fmt: skip
    parts, stated = raw.prepare("tydiqa.evaluation", **TYDIQA)
    assert {language: ids(rows) for language, rows in parts.items()} == {
        "en": ["english-1", "english-2"], "ar": ["arabic-1"], "id": ["indonesian-9"],
    }  # fmt: skip
    # of 440 published ones
    assert stated.splits["en"] == PreparedSplit(split="dev", official=True, rows=2, available=2, sample=True, labels={})
    parts, _ = raw.prepare("tydiqa.training", **TYDIQA)
    assert sorted(ids(parts["train"] + parts["dev"])) == [f"english-{at}" for at in range(9)]


def test_a_language_without_rows_in_the_file(raw):
    name = "tydiqa/tydiqa-goldp-v1.1-{}.json"
    raw.write({name.format("train"): squad(("english-1", "a")), name.format("dev"): squad(("english-1", "a"))})
    with pytest.raises(UserError, match=r"goldp-v1\.1-dev\.json: no rows to score in ar"):
        raw.prepare("tydiqa.evaluation", **{**TYDIQA, "languages": ["en", "ar"]})


def test_a_row_that_does_not_say_its_language(raw):
    """An id that is a number would belong to no language, and be missing everywhere."""
    name = "tydiqa/tydiqa-goldp-v1.1-{}.json"
    raw.write({name.format("train"): squad(("english-1", "a")), name.format("dev"): squad((17, "a"))})
    with pytest.raises(UserError, match=r"goldp-v1\.1-dev\.json, row 1: id is not text but 17"):
        raw.prepare("tydiqa.evaluation", **TYDIQA)


COPA = {"premise": "It rained.", "question": "effect", "choice1": "wet", "choice2": "dry", "label": 0}
XCOPA = {"targets": {"xcopa": {"trained_on": ["copa"]}}, "languages": ["et"], "limits": {"dev_rows": 2}}


def copa(raw, *rows):
    raw.write({
        "copa/train-en.jsonl": jsonl(*rows), "copa/val-en.jsonl": jsonl(*rows), "xcopa/test.et.jsonl": jsonl(COPA),
    })  # fmt: skip


def test_values_become_texts_and_columns_a_list(raw):
    copa(raw, COPA, {**COPA, "question": "cause", "label": 1})
    rows = raw.prepare("copa.training", **XCOPA)[0]["train"]
    fields = ("context", "question", "choices", "label")
    assert [tuple(row[field] for field in fields) for row in rows] == [
        ("It rained.", "What was the effect?", ["wet", "dry"], 0),
        ("It rained.", "What was the cause?", ["wet", "dry"], 1),
    ]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"question": "why"}, r"question is 'why', which is none of cause, effect"),
        ({"question": ["cause"]}, r"question is \['cause'\], which is none of cause, effect"),
        ({"question": None}, r"question is None, which is none of cause, effect"),
        ({"choice2": None}, r"choices is not a list of two or more texts but \['wet', None\]"),
        ({"label": -1}, r"label -1 is none of 0, 1; placeholder labels"),
        ({"label": True}, r"label True is none of 0, 1; placeholder labels"),
        ({"label": 1.0}, r"label 1\.0 is none of 0, 1; placeholder labels"),
        ({"label": "1"}, r"label '1' is none of 0, 1; placeholder labels"),
    ],
)
def test_values_that_are_not_what_they_should_be(raw, change, message):
    copa(raw, COPA, {**COPA, **change})
    with pytest.raises(UserError, match=r"copa/train-en\.jsonl, row 2: " + message):
        raw.prepare("copa.training", **XCOPA)


def test_a_column_of_a_pair_that_is_not_there(raw):
    copa(raw, COPA, {key: value for key, value in COPA.items() if key != "choice2"})
    message = r"train-en\.jsonl, row 2: no column 'choice2'; found 'premise, question, choice1, label'"
    with pytest.raises(UserError, match=message):
        raw.prepare("copa.training", **XCOPA)


SNLI = {"mixtures": {"m": ["snli"]}, "targets": {"lm_loss": None}, "languages": ["en"], "limits": {"dev_rows": 9}}


def test_rows_without_a_gold_label_are_left_out_and_counted(raw):
    raw.made_up("xquad/xquad.en.json")
    rows = [
        {"sentence1": f"a {at}", "sentence2": "b", "gold_label": "-" if at in (1, 4) else "neutral"} for at in range(6)
    ]
    raw.write({"snli/snli_1.0_train.jsonl": jsonl(*rows), "snli/snli_1.0_dev.jsonl": jsonl(rows[1], rows[2])})
    parts, stated = raw.prepare("snli.training", **SNLI)
    assert [row["text_a"] for row in parts["train"]] == ["a 0", "a 2", "a 3", "a 5"]
    # numbers count the rows of the file, whatever is left out
    assert ids(parts["train"]) == ["train.0", "train.2", "train.3", "train.5"]
    assert ids(parts["dev"]) == ["dev.1"]
    assert stated.left_out["no gold label"] == 3
    assert stated.available == 4


XNLI = {"targets": {"xnli": None}, "languages": ["en", "de"], "limits": {"dev_rows": 8}}


@pytest.mark.parametrize("count", [19, 20])
def test_placeholder_labels(raw, count):
    """From twenty rows on, labels that are all the same are none."""
    raw.made_up("mnli/train.json", "xnli/test-en.tsv")
    raw.write({"xnli/test-de.tsv": "".join(f"a {at}\tb\tneutral\n" for at in range(count))})
    if count < 20:
        assert raw.prepare("xnli.evaluation", **XNLI)[1].splits["de"].labels == {"neutral": 19}
        return
    with pytest.raises(UserError, match=r"xnli/test-de\.tsv: all 20 rows have the label 'neutral': placeholders"):
        raw.prepare("xnli.evaluation", **XNLI)
