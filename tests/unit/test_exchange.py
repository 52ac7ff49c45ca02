"""XTREME's layout of predictions and labels: files of every task, their scores worked out by hand, and their errors."""

import json
import random
import re
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from xstilts import commands, forms
from xstilts.errors import UserError
from xstilts.evaluation import scores, xtreme_format
from xstilts.evaluation.predictions import frame_of
from xstilts.planning import registry
from xstilts.store import specs
from xstilts.store.specs import Numerics, PredictionsSpec

# For each folder: predictions and labels of one language. English and German differ where a second entry says so.
SQUAD_LABELS = {
    "data": [
        {"paragraphs": [{"context": "", "qas": [
            {"id": "q1", "answers": [{"text": "the big cat"}, {"text": "a dog"}]},
            {"id": "q2", "answers": [{"text": "1980"}]},
        ]}]}
    ]
}  # fmt: skip
SQUAD_ANSWERS = {"q2": "1980.", "q1": "Cat"}


def mlqa(answer: str, gold: str) -> tuple[str, str]:
    labels = {"data": [{"paragraphs": [{"qas": [{"id": "q", "answers": [{"text": gold}]}]}]}]}
    return json.dumps({"q": answer}), json.dumps(labels)


FILES = {
    # 3 of 4 right: 75; in English 4 of 4
    "xnli": ("entailment\nneutral\nneutral\nneutral\n", "entailment\nneutral\ncontradiction\nneutral\n"),
    ("xnli", "en"): ("entailment\nneutral\n", "entailment\tHe eats.\tHe eats.\nneutral\tHe eats.\tHe is.\n"),
    # 1 of 2 right: 50; in English 2 of 2
    "pawsx": ("1\n1\n", "1\n0\n"),
    ("pawsx", "en"): ("1\n0", "1\n0\n"),
    # 2 of 4 right: 50
    "xcopa": (
        '{"label": 0}\n{"label": 1}\n{"label": 0}\n{"label": 1}\n',
        '{"premise": "A", "label": 0, "idx": 0}\n{"label": 1}\n{"label": 1}\n{"label": 0}\n',
    ),
    # gold spans: NOUN 1-2, VERB 3; DET 1. Predicted: NOUN 1, VERB 2-3; DET 1. F1 = 2 / (3 + 3); accuracy 3 / 4
    "udpos": ("NOUN\nVERB\nVERB\n\nDET\n", "NOUN\nNOUN\nVERB\n\nDET\n\n"),
    # gold spans: PER 1-2, LOC 4. Predicted: PER 1-2. One of 1 and 2: F1 = 2 / 3
    "panx": ("B-PER\nI-PER\nO\nO\n", "B-PER\nI-PER\nO\nB-LOC\n"),
    # "cat" against "big cat": precision 1, recall 1/2, F1 = 2/3, no exact match; 1980 is right. F1 83.3, EM 50
    "xquad": (json.dumps(SQUAD_ANSWERS), json.dumps(SQUAD_LABELS)),
    "tydiqa": (json.dumps(SQUAD_ANSWERS), json.dumps(SQUAD_LABELS)),
    # "hund" against "der hund": F1 = 2/3, no exact match; by the rules of German the article goes, and both are 1
    "mlqa": mlqa("Hund", "der Hund"),
    # one of 3 predicted and of 2 right pairs: F1 = 2 / 5
    "bucc2018": ("de-1\ten-1\nde-2\ten-9\nde-3\ten-3\n", "de-1\ten-1\nde-2\ten-2\n"),
    # 2 of 4 right: 50
    "tatoeba": ("0\n1\n0\n0\n", "0\n1\n2\n3\n"),
    # first at rank 2, second nowhere: (1/2 + 0) / 2 = 25 %
    "mewslix": (json.dumps({"m1": ["Q9", "Q1"], "m2": ["Q9"]}), json.dumps({"m1": ["Q1"], "m2": ["Q2"]})),
    # right at ranks 1 and 3 of 2 right ones: (1 + 2/3) / 2 = 5/6; in English 3 questions, all at rank 1
    "lareqa": (json.dumps({"q": ["a", "x", "b"]}), json.dumps({"q": ["b", "a"]})),
    ("lareqa", "en"): (json.dumps({"1": ["a"], "2": ["b"], "3": ["c"]}),) * 2,
}  # fmt: skip

# XTREME, in percent
#   xnli    (14 x 75 + 100) / 15 = 230/3      udpos   100/3       mlqa    F1 (6 x 200/3 + 100) / 7 = 500/7, EM 100/7,
#   pawsx   (6 x 50 + 100) / 7   = 400/7      panx    200/3               so (500/7 + 100/7) / 2 = 300/7
#   bucc    40    tatoeba  50                 xquad   (250/3 + 50) / 2 = 200/3, tydiqa the same
#   together 230/3 + 400/7 + 100/3 + 3 x 200/3 + 300/7 + 40 + 50 = 310 + 100 + 90 = 500, over nine tasks 500/9
# XTREME-R: without pawsx and bucc, with
#   xcopa   50    mewslix  25                 lareqa  (3 x 1 + 10 x 5/6) / 13 questions = 34/39
#   together 310 + 300/7 + 50 + 50 + 25 + 3400/39, over ten tasks
EXPECTED = {
    "xtreme": {
        "xnli": 230 / 3, "pawsx": 400 / 7, "udpos": 100 / 3, "panx": 200 / 3, "xquad": 200 / 3, "mlqa": 300 / 7,
        "tydiqa": 200 / 3, "bucc": 40, "tatoeba": 50,
    },
    "xtreme_r": {
        "xnli": 230 / 3, "xcopa": 50, "udpos": 100 / 3, "panx": 200 / 3, "xquad": 200 / 3, "mlqa": 300 / 7,
        "tydiqa": 200 / 3, "tatoeba_after_squad": 50, "mewslix": 25, "lareqa": 3400 / 39,
    },
}  # fmt: skip
OVERALL = {"xtreme": 500 / 9, "xtreme_r": (310 + 300 / 7 + 50 + 50 + 25 + 3400 / 39) / 10}
# none of the German articles is one in English: the gap of MLQA is English minus (5 others as English, German right)
GAPS = {"xnli": 25, "pawsx": 50, "udpos": 0, "bucc": None, "tatoeba": None}


def mock(folder: Path, name: str) -> tuple[Path, Path]:
    """Write predictions and labels of every task and language of a benchmark, and return their folders."""
    known = registry.load()
    for task, entry in known.benchmarks[name]["tasks"].items():
        for language in entry["languages"]:
            contents = FILES.get((entry["layout"], language), FILES[entry["layout"]])
            for side, content in zip(("predictions", "labels"), contents, strict=True):
                path = folder / side / entry["layout"] / xtreme_format.file_name(known.tasks[task].form, language)
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(content, encoding="utf-8")
    return folder / "predictions", folder / "labels"


def scored(folder: Path, name: str) -> dict:
    """Score the mock files by the command, and return what it writes."""
    sides = ["--predictions", str(folder / "predictions"), "--labels", str(folder / "labels")]
    output = folder / "scores.json"
    assert commands.main(["score-xtreme", *sides, "--benchmark", name, "--json", str(output)]) == 0
    return json.loads(output.read_text())


@pytest.mark.parametrize("name", ["xtreme", "xtreme_r"])
def test_scores_of_every_task(tmp_path, capsys, name):
    mock(tmp_path, name)
    found = scored(tmp_path, name)
    assert {task: entry["score"] for task, entry in found["tasks"].items()} == pytest.approx(EXPECTED[name])
    assert found["overall"]["score"] == pytest.approx(OVERALL[name])
    assert found["overall"]["complete"]
    assert found["missing_files"] == []
    # in full precision, and every language beside the mean
    german = found["tasks"]["mlqa"]["languages"]["de"]
    assert german == {"n": 1, "f1": 100.0, "exact_match": 100.0}
    assert found["tasks"]["mlqa"]["languages"]["zh"] == {"n": 1, "f1": 100 * (2 / 3), "exact_match": 0.0}
    assert found["tasks"]["udpos"]["languages"]["en"] == {"n": 2, "f1": 100 * (2 / 6), "accuracy": 75.0}
    printed = capsys.readouterr().out
    table = {line.split()[0]: line.split()[1:] for line in printed.split("\n\n")[0].splitlines()[1:]}
    assert table["en"][0] == "100.0"
    assert table["mean"] == [f"{value:.1f}" for value in EXPECTED[name].values()]
    assert f"overall: {OVERALL[name]:.1f} over" in printed


def test_gaps_groups_and_means_without_tasks(tmp_path):
    mock(tmp_path, "xtreme")
    found = scored(tmp_path, "xtreme")
    assert {task: found["tasks"][task]["transfer_gap"] for task in GAPS} == GAPS
    # MLQA: English (200/3 + 0) / 2 = 100/3; of the other six, German 100 and five 100/3: 400/9
    assert found["tasks"]["mlqa"]["transfer_gap"] == pytest.approx(100 / 3 - 400 / 9)
    expected = EXPECTED["xtreme"]
    groups = {
        "sentence": ["xnli", "pawsx"], "structured": ["udpos", "panx"],
        "question_answering": ["xquad", "mlqa", "tydiqa"], "retrieval": ["bucc", "tatoeba"],
    }  # fmt: skip
    for group, tasks in groups.items():
        mean = sum(expected[task] for task in tasks) / len(tasks)
        assert found["groups"][group]["score"] == pytest.approx(mean)
    assert found["without_retrieval"]["score"] == pytest.approx((500 - 90) / 7)
    # XNLI 75, PAWS-X 50, MLQA 400/9; English made no difference to the others
    assert found["without_english"]["score"] == pytest.approx(
        (500 - 230 / 3 - 400 / 7 - 300 / 7 + 75 + 50 + 400 / 9) / 9
    )


def test_missing_files_are_named_and_scored_nowhere(tmp_path, capsys):
    predictions, labels = mock(tmp_path, "xtreme")
    (predictions / "xnli/test-en.tsv").unlink()
    (labels / "bucc2018/test-fr.tsv").unlink()
    for path in (labels / "tatoeba").iterdir():
        path.unlink()
    found = scored(tmp_path, "xtreme")
    assert found["tasks"]["xnli"]["score"] == pytest.approx(75)
    assert found["tasks"]["xnli"]["missing"] == ["en"]
    assert found["tasks"]["xnli"]["transfer_gap"] is None
    assert found["tasks"]["bucc"]["score"] == pytest.approx(40)
    assert "tatoeba" not in found["tasks"]
    assert not found["overall"]["complete"]
    assert set(found["overall"]["missing"]) == {"xnli", "bucc", "tatoeba"}
    assert found["overall"]["score"] == pytest.approx((500 - 50 - 230 / 3 + 75) / 8)
    assert len(found["missing_files"]) == 2 + 36
    printed = capsys.readouterr().out
    assert f"missing in {predictions / 'xnli'}, scored nowhere: test-en.tsv\n" in printed
    assert f"missing in {labels / 'bucc2018'}, scored nowhere: test-fr.tsv\n" in printed
    assert f"missing in {labels / 'tatoeba'}, scored nowhere: test-af.tsv, test-ar.tsv, " in printed
    assert "overall: 56.0 over 8 tasks (incomplete: xnli, bucc, tatoeba)" in printed


TWENTY = {
    "xnli": "entailment\n" * 20, "tatoeba": "0\n" * 20, "xcopa": '{"label": 0}\n' * 20, "panx": "O\nO\n\n" * 20,
}  # fmt: skip
ERRORS = [
    # what is written where, and the line that says what is wrong with it
    ("predictions/xnli/test-de.tsv", "entailment\n", r"predictions/xnli/test-de.tsv: 1 rows, but 4 in .*labels"),
    ("predictions/xnli/test-de.tsv", "entailment\n\nneutral\nneutral\n", r"test-de.tsv: row 2: '' is none of entail"),
    (
        "predictions/xnli/test-de.tsv",
        "a\nb\nc\nd\n",
        r"test-de.tsv: row 1: 'a' is none of entailment, neutral, contrad",
    ),
    ("labels/xnli/test-de.tsv", "A man.\tA man eats.\n" * 4, r"labels/xnli/test-de.tsv: row 1: 'A man.' is none of"),
    ("labels/xnli/test-de.tsv", "", r"labels/xnli/test-de.tsv: empty"),
    (
        "both/xnli/test-de.tsv",
        TWENTY["xnli"],
        r"labels/xnli/test-de.tsv: all 20 rows have the same label: placeholders",
    ),
    ("both/tatoeba/test-de.tsv", TWENTY["tatoeba"], r"labels/tatoeba/test-de.tsv: all 20 rows .* placeholders"),
    ("both/panx/test-de.tsv", TWENTY["panx"], r"labels/panx/test-de.tsv: all 20 sentences .* placeholders"),
    (
        "predictions/tatoeba/test-de.tsv",
        "0\n1\n2\nx\n",
        r"tatoeba/test-de.tsv: row 4: 'x' is not the number of a sentence",
    ),
    ("predictions/tatoeba/test-de.tsv", "0\n1\n-2\n3\n", r"tatoeba/test-de.tsv: row 3: '-2' is not the number"),
    ("predictions/udpos/test-de.tsv", "NOUN\nVERB\nVERB\nDET\n", r"udpos/test-de.tsv: 1 sentences, but 2 in .*labels"),
    (
        "predictions/udpos/test-de.tsv",
        "NOUN\nVERB\n\nDET\n",
        r"udpos/test-de.tsv: sentence 1 has 2 tags, but 3 in .*lab",
    ),
    ("predictions/udpos/test-de.tsv", "NOUN\nVERB\nx\n\nDET\n", r"udpos/test-de.tsv: sentence 1: 'x' is none of ADJ"),
    ("labels/udpos/test-de.tsv", "cat\tNOUN\nbig\tADJ\n", r"labels/udpos/test-de.tsv: row 1: .* is not one tag"),
    (
        "predictions/xquad/test-de.json",
        '{"q1": "cat"}',
        r"predictions/xquad/test-de.json: no question 'q2', which .*lab",
    ),
    ("predictions/xquad/test-de.json", "{}", r"predictions/xquad/test-de.json: no question 'q1' \(and 1 more\), which"),
    (
        "predictions/xquad/test-de.json",
        '{"q1": "", "q2": "", "q3": ""}',
        r"question 'q3' is not in .*labels/xquad/test-de",
    ),
    ("predictions/xquad/test-de.json", '{"q1": "", "q2": 1980}', r"question 'q2': the answer is not text but 1980"),
    ("predictions/xquad/test-de.json", '{"q1": "a", "q1": "b"}', r"xquad/test-de.json: the key 'q1' stands twice"),
    ("predictions/xquad/test-de.json", '{"q1": "a"', r"predictions/xquad/test-de.json: not JSON"),
    ("predictions/xquad/test-de.json", "[]", r"predictions/xquad/test-de.json: not an object"),
    (
        "labels/xquad/test-de.json",
        '{"data": [{"paragraphs": [{}]}]}',
        r"labels/xquad/test-de.json: not in SQuAD's format",
    ),
    ("labels/xquad/test-de.json", mlqa("", "")[1], r"labels/xquad/test-de.json: question 'q': .* placeholder"),
    ("labels/xquad/test-de.json", '{"data": []}', r"labels/xquad/test-de.json: empty"),
    ("predictions/bucc2018/test-de.tsv", "de-1\ten-1\nde-2\n", r"bucc2018/test-de.tsv: row 2: not a foreign id, a tab"),
    ("labels/bucc2018/test-de.tsv", "\n", r"labels/bucc2018/test-de.tsv: row 1: not a foreign id"),
]
ERRORS_R = [
    ("both/xcopa/test-et.jsonl", TWENTY["xcopa"], r"labels/xcopa/test-et.jsonl: all 20 rows .* placeholders"),
    ("predictions/xcopa/test-et.jsonl", '{"label": 0}\n{"x": 1}\n', r"xcopa/test-et.jsonl: row 2: needs .*label"),
    ("predictions/xcopa/test-et.jsonl", '{"label": 2}\n' * 4, r"xcopa/test-et.jsonl: row 1: '2' is none of 0, 1"),
    ("predictions/xcopa/test-et.jsonl", '{"label": true}\n' * 4, r"xcopa/test-et.jsonl: row 1: needs"),
    ("predictions/xcopa/test-et.jsonl", "0\n1\n1\n0\n", r"xcopa/test-et.jsonl: row 1: needs"),
    ("predictions/mewslix/test-de.json", '{"m1": ["Q1"]}', r"mewslix/test-de.json: no query 'm2', which .*labels"),
    ("predictions/mewslix/test-de.json", '{"m1": ["Q1"], "m2": "Q2"}', r"query 'm2': not a list of candidate ids"),
    ("predictions/mewslix/test-de.json", '{"m1": ["Q1", "Q1"], "m2": []}', r"query 'm1': a candidate stands twice"),
    (
        "labels/mewslix/test-de.json",
        '{"m1": [""], "m2": ["Q2"]}',
        r"labels/mewslix/test-de.json: query 'm1': .*placehol",
    ),
    ("labels/lareqa/test-de.json", '{"q": []}', r"labels/lareqa/test-de.json: query 'q': no right candidate"),
]


@pytest.mark.parametrize(
    ("name", "place", "content", "line"),
    [("xtreme", *error) for error in ERRORS] + [("xtreme_r", *error) for error in ERRORS_R],
)
def test_what_cannot_be_scored_is_said_in_one_line(tmp_path, caplog, name, place, content, line):
    folders = mock(tmp_path, name)
    side, _, rest = place.partition("/")
    for folder in folders:
        if side in ("both", folder.name):
            (folder / rest).write_text(content, encoding="utf-8")
    arguments = ["--predictions", str(folders[0]), "--labels", str(folders[1]), "--benchmark", name]
    assert commands.main(["score-xtreme", *arguments]) == 2
    (record,) = [record for record in caplog.records if record.levelname == "ERROR"]
    assert "\n" not in record.getMessage()
    assert re.search(line, record.getMessage()), record.getMessage()


def test_wrong_encodings_folders_and_nothing_to_score(tmp_path, caplog):
    predictions, labels = mock(tmp_path, "xtreme")
    (predictions / "xnli/test-de.tsv").write_bytes(b"entailment\n\xff\xfe\n")
    arguments = ["--labels", str(labels), "--benchmark", "xtreme"]
    assert commands.main(["score-xtreme", "--predictions", str(predictions), *arguments]) == 2
    assert "test-de.tsv: not UTF-8 at byte 11" in caplog.text
    assert commands.main(["score-xtreme", "--predictions", str(tmp_path / "no"), *arguments]) == 2
    assert "--predictions: no such folder" in caplog.text
    (tmp_path / "empty").mkdir()
    assert commands.main(["score-xtreme", "--predictions", str(tmp_path / "empty"), *arguments]) == 2
    assert "nothing to score: of 162 files none is there, such as" in caplog.text


def test_a_windows_file_and_one_without_a_last_line_feed_read_alike(tmp_path):
    task = registry.load().tasks["xnli"]
    for name, content in {"a": b"entailment\r\nneutral\r\n", "b": b"entailment\nneutral"}.items():
        (tmp_path / name).write_bytes(content)
    assert xtreme_format.read_pairs(task, tmp_path / "a", tmp_path / "b") == [("entailment",) * 2, ("neutral",) * 2]


def test_several_pairs_of_one_sentence_count_each(tmp_path):
    # BUCC's F1 is over the set of pairs: predicted 3, right 2, both 1
    (tmp_path / "predictions").write_text("de-1\ten-1\nde-1\ten-2\nde-3\ten-3\nde-3\ten-3\n")
    (tmp_path / "labels").write_text("de-1\ten-2\nde-2\ten-4\n")
    task = registry.load().tasks["bucc"]
    pairs = xtreme_format.read_pairs(task, tmp_path / "predictions", tmp_path / "labels")
    assert xtreme_format.score(task, pairs, "de") == {"f1": pytest.approx(40)}


def test_no_pair_found_is_a_score_of_zero(tmp_path):
    (tmp_path / "predictions").write_text("")
    (tmp_path / "labels").write_text("de-1\ten-2\n")
    task = registry.load().tasks["bucc"]
    assert xtreme_format.score(
        task, xtreme_format.read_pairs(task, tmp_path / "predictions", tmp_path / "labels"), "de"
    ) == {"f1": 0}


WORDS = st.lists(st.sampled_from(["cat", "dog", "the", "big", "of", "1980", "猫"]), min_size=1, max_size=5).map(
    " ".join
)


@given(st.lists(st.tuples(WORDS, st.lists(WORDS, min_size=1, max_size=3)), min_size=1, max_size=12), st.randoms())
def test_the_order_of_question_ids_does_not_matter(tmp_path_factory, questions, order):
    task = registry.load().tasks["xquad"]
    folder = tmp_path_factory.mktemp("order")
    rows = [(f"q{number}", prediction, json.dumps(answers)) for number, (prediction, answers) in enumerate(questions)]
    found = []
    for _ in range(2):
        for side in ("prediction", "gold"):
            order.shuffle(rows)
            chosen = [(row[0], row[1 if side == "prediction" else 2]) for row in rows]
            (folder / side).write_text(xtreme_format.text_of(task, chosen, side), encoding="utf-8")
        found.append(
            xtreme_format.score(task, xtreme_format.read_pairs(task, folder / "prediction", folder / "gold"), "en")
        )
    assert found[0] == found[1]


# Export of a study's predictions


LANGUAGES = ["en", "de", "zh"]
TARGETS = ["xnli", "pawsx", "xcopa", "udpos", "panx", "xquad", "mlqa", "tydiqa", "bucc", "tatoeba", "mewslix", "lareqa"]


def rows_of(task: registry.Task, language: str, drawn: random.Random) -> list[tuple[str, str, str]]:
    """Return ids, predictions and gold in the notation of a task's form."""

    def words() -> str:
        return " ".join(drawn.choices(["der", "cat", "the", "big", "1980", "猫", "kräht,"], k=drawn.randint(1, 6)))

    def label() -> str:
        return drawn.choice(task.labels)

    rows = []
    for number in range(drawn.randint(23, 57)):
        if task.form in ("classification", "multiple_choice"):
            pair = label(), label()
        elif task.form == "tagging":
            length = drawn.randint(1, 9)
            pair = tuple(" ".join(label() for _ in range(length)) for _ in range(2))
        elif task.form == "span":
            pair = words(), json.dumps([words() for _ in range(drawn.randint(1, 3))], ensure_ascii=False)
        elif task.form == "mining":
            pair = drawn.choice(["", "en-1", f"en-{number}"]), drawn.choice(["", f"en-{number}"])
        elif task.form == "bitext":
            pair = str(drawn.randint(0, 3)), str(number)
        else:
            names = [f"{language}:c{place}" for place in drawn.sample(range(40), 20)]
            pair = json.dumps(names), json.dumps(sorted(drawn.sample(names, 3)) + [f"{language}:c99"])
        rows.append((f"{language}-{number}", *pair))
    return rows


SPEC = specs.to_json(
    PredictionsSpec(
        version=1, parents={}, form="classification", labels=None, trained_on=None, decoding={}, scoring="",
        numerics=Numerics(dtype="float32", precision="float32", submodel=None),
    )
)  # fmt: skip


@pytest.fixture
def study(tmp_path) -> Path:
    """Write a results folder with predictions of two seeds, and return plan.json."""
    known, results = registry.load(), tmp_path / "results"
    cells, targets = [], {}
    for target in TARGETS:
        task = known.tasks[target]
        targets[target] = {"task": target, "form": task.form, "metric": task.metric, "language": "en", "source": "tiny"}
        for seed in (1, 2):
            node = f"predictions/m.r.none.s{seed}.{target}-00000000"
            axes = {"model": "m", "recipe": "r", "method": "full", "mixture": "none", "seed": seed, "target": target}
            cells.append({**axes, "node": node})
            frames = [frame(task, language, seed) for language in LANGUAGES if language in task.languages]
            folder = results / node
            folder.mkdir(parents=True)
            pd.concat(frames, ignore_index=True).to_parquet(folder / "predictions.parquet", index=False)
            official = {"split": "test", "official": True, "sample": False}
            parts = {language: official for language in LANGUAGES if language in task.languages}
            parts["de"] = {"split": "dev", "official": False, "sample": True}
            made = {"fingerprint": {}, "training": {}, "splits": parts, "collapsed": False}
            (folder / "manifest.json").write_text(json.dumps({"spec": SPEC, "files": {}, **made}))
    plan = results / "studies/mine/0123/plan.json"
    plan.parent.mkdir(parents=True)
    content = {"study": "mine", "source": "mirror", "benchmark": None, "targets": targets, "cells": cells, "nodes": {}}
    plan.write_text(json.dumps(content))
    return plan


def frame(task: registry.Task, language: str, seed: int) -> pd.DataFrame:
    rows = rows_of(task, language, random.Random(f"{task.name} {language} {seed}"))
    prepared = [{"example_id": row[0], "cluster_id": row[0], "language": language, "split": "test"} for row in rows]
    predictions, gold = [row[1] for row in rows], [row[2] for row in rows]
    return frame_of(forms.get(task.form), prepared, predictions, gold, task.scoring)


def export(plan: Path, *more: str, expected: int = 0, seed: str = "1") -> None:
    axes = ["--model", "m", "--recipe", "r", "--mixture", "none", "--seed", seed]
    folder = plan.parents[4]
    sides = ["--output", str(folder / "predictions"), "--labels", str(folder / "labels")]
    assert commands.main(["export-xtreme", "--plan", str(plan), *axes, *sides, *more]) == expected


@pytest.mark.parametrize("name", ["xtreme", "xtreme_r"])
def test_exported_files_have_the_studys_own_scores(study, name, capsys):
    export(study, "--benchmark", name)
    said = capsys.readouterr().out
    found = scored(study.parents[4], name)
    own = scores.collect(json.loads(study.read_text()), study.parents[3])
    own = own[own["seed"] == 1].set_index(["target", "language", "metric"])["score"].sort_index()
    tasks = registry.load().benchmarks[name]["tasks"]
    compared = 0
    for target in set(TARGETS) & set(tasks):
        for language in set(LANGUAGES) & set(tasks[target]["languages"]):
            cell = found["tasks"][target]["languages"][language]
            mine = own.loc[target, language]
            assert {metric: cell[metric] for metric in mine.index} == mine.to_dict(), (target, language)
            compared += len(mine)
    assert compared > 20
    assert "xnli: not the official split: de (dev)" in said
    assert "missing: xnli: ar, bg, el, es, fr, hi, ru, sw, th, tr, ur, vi\n" in said
    assert ("not exported: pawsx" in said) == (name == "xtreme_r")
    assert ("missing: tatoeba_after_squad is no target of study mine" in said) == (name == "xtreme_r")


def test_export_writes_each_form_as_documented(study):
    export(study, "--benchmark", "xtreme_r")
    folder = study.parents[4]
    files = {path.relative_to(folder).as_posix() for path in folder.glob("*/*/*") if "results" not in path.parts}
    assert "predictions/lareqa/test-zh.json" in files
    assert {file.partition("/")[2] for file in files if file.startswith("labels")} == {
        file.partition("/")[2] for file in files if file.startswith("predictions")
    }
    assert not any("pawsx" in file or "bucc" in file or "/tatoeba/" in file for file in files)
    first = json.loads((folder / "predictions/xcopa/test-zh.jsonl").read_text().splitlines()[0])
    assert set(first) == {"label"} and first["label"] in (0, 1)
    tags = (folder / "labels/udpos/test-en.tsv").read_text()
    assert tags.endswith("\n\n") and "\n\n\n" not in tags and "\t" not in tags
    answers = json.loads((folder / "predictions/xquad/test-de.json").read_text())
    assert all(identity.startswith("de-") and isinstance(answer, str) for identity, answer in answers.items())
    (article,) = json.loads((folder / "labels/xquad/test-de.json").read_text())["data"]
    assert [question["id"] for question in article["paragraphs"][0]["qas"]] == list(answers)


def test_export_chooses_by_axes_and_needs_no_labels(study, tmp_path, caplog):
    axes = ["--plan", str(study), "--model", "m", "--recipe", "r", "--mixture", "none"]
    for seed in ("1", "2"):
        output = ["--seed", seed, "--output", str(tmp_path / f"out{seed}")]
        assert commands.main(["export-xtreme", *axes, *output, "--benchmark", "xtreme"]) == 0
    one, two = ((tmp_path / f"out{seed}/xnli/test-en.tsv").read_text() for seed in (1, 2))
    assert one != two
    assert not (tmp_path / "labels").exists()
    assert commands.main(["export-xtreme", *axes, "--seed", "3", "--output", str(tmp_path / "out3")]) == 2
    assert "--seed: '3' is not in study mine; known: 1, 2" in caplog.text
    output = ["--seed", "1", "--output", str(tmp_path / "out3"), "--benchmark", "xtrem"]
    assert commands.main(["export-xtreme", *axes, *output]) == 2
    assert "unknown benchmark 'xtrem'; did you mean 'xtreme'?" in caplog.text
    assert not (tmp_path / "out3").exists()


def test_export_without_a_benchmark_takes_all_tasks_of_all_benchmarks(study, capsys):
    export(study)
    folders = {path.name for path in (study.parents[4] / "predictions").iterdir()}
    assert folders == (set(TARGETS) - {"bucc"}) | {"bucc2018"}
    assert "missing: xnli: ar, bg, el, es, fr, hi, ru, sw, th, tr, ur, vi\n" in capsys.readouterr().out


def change(plan: Path, edit) -> None:
    content = json.loads(plan.read_text())
    edit(content)
    plan.write_text(json.dumps(content))


def test_two_targets_of_one_folder_are_refused(study, caplog):
    def add(content: dict) -> None:
        content["targets"]["tatoeba_after_squad"] = {**content["targets"]["tatoeba"], "task": "tatoeba_after_squad"}
        copies = [{**cell, "target": "tatoeba_after_squad"} for cell in content["cells"] if cell["target"] == "tatoeba"]
        content["cells"] += copies

    change(study, add)
    export(study, expected=2)
    assert "tatoeba and tatoeba_after_squad both go to the folder tatoeba; choose with --benchmark" in caplog.text
    export(study, "--benchmark", "xtreme_r")


def test_what_was_not_trained_on_english_or_not_made_is_named(study, capsys):
    change(study, lambda content: content["targets"]["pawsx"].update(language="de"))
    results = study.parents[3]
    (results / "predictions/m.r.none.s1.xnli-00000000/manifest.json").unlink()
    export(study, "--benchmark", "xtreme")
    said = capsys.readouterr().out
    assert "not exported: pawsx" in said
    assert "missing: xnli: " in said and "has not been made yet" in said
    assert {path.name for path in (study.parents[4] / "predictions").iterdir()} & {"pawsx", "xnli"} == set()


TEXTS = st.text(st.sampled_from('abc01\t\n\r {}[]":,é\0\ud7ff猫'), max_size=40)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["data", "id", "q", "label"]), inner),
    max_leaves=6,
).map(json.dumps)


@given(st.sampled_from(TARGETS), TEXTS.map(str.encode) | JSON.map(str.encode) | st.binary(max_size=30), st.booleans())
def test_any_content_gives_scores_or_one_line(tmp_path_factory, target, content, is_prediction):
    task = registry.load().tasks[target]
    texts = FILES["bucc2018" if target == "bucc" else target]
    folder = tmp_path_factory.mktemp("any")
    for side, text in zip(("predictions", "labels"), texts, strict=True):
        (folder / side).write_text(text, encoding="utf-8")
    (folder / ("predictions" if is_prediction else "labels")).write_bytes(content)
    try:
        found = xtreme_format.score(
            task, xtreme_format.read_pairs(task, folder / "predictions", folder / "labels"), "en"
        )
    except UserError as error:
        assert "\n" not in str(error)
        return
    assert all(0 <= value <= 100 for value in found.values())
