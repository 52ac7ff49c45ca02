"""Scores of predictions in XTREME's layout: files of every task, worked out by hand, and their errors."""

import re
import shutil

import pytest
from xstilts import commands

from tests.builders.xtreme import mlqa, mock, scored

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
    # of a task that a side lacks there is one short line; lines on what is missing come last
    assert printed.endswith("\nmissing: tatoeba, scored nowhere: no file in labels\n")
    for path in sorted((predictions / "xnli").iterdir())[:8]:
        path.unlink()
    scored(tmp_path, "xtreme")
    assert "xnli, scored nowhere: test-ar.tsv, test-bg.tsv, test-de.tsv, test-el.tsv, test-en.tsv and 4 more\n" in (
        capsys.readouterr().out
    )


TWENTY = {
    "xnli": "entailment\n" * 20, "tatoeba": "0\n" * 20, "xcopa": '{"label": 0}\n' * 20, "panx": "O\nO\n\n" * 20,
}  # fmt: skip
ERRORS = [
    # what is written where, and the line that says what is wrong with it
    ("predictions/xnli/test-de.tsv", "entailment\n", r"predictions/xnli/test-de.tsv: 1 row, but 4 in .*labels"),
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
    ("predictions/udpos/test-de.tsv", "NOUN\nVERB\nVERB\nDET\n", r"udpos/test-de.tsv: 1 sentence, but 2 in .*labels"),
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
    ("labels/bucc2018/test-de.tsv", "", r"labels/bucc2018/test-de.tsv: empty"),
    ("predictions/bucc2018/test-de.tsv", "de-1\ten-1\t1.2\n", r"bucc2018/test-de.tsv: row 1: not a foreign id, a tab"),
    ("predictions/bucc2018/test-de.tsv", "de-1 en-1\n", r"bucc2018/test-de.tsv: row 1: not a foreign id, a tab"),
    ("predictions/bucc2018/test-de.tsv", "en-1\tde-1\n", r"test-de.tsv: 'en-1' is not .* foreign side; .* with 'de-'"),
    ("predictions/bucc2018/test-de.tsv", "de-1\tfr-1\n", r"test-de.tsv: 'fr-1' is not .* English side; .* with 'en-'"),
    ("predictions/bucc2018/test-de.tsv", "de-1 \ten-1\n", r"test-de.tsv: row 1: white space in the id 'de-1 '"),
    ("predictions/bucc2018/test-de.tsv", "\ufeffde-1\ten-1\n", r"bucc2018/test-de.tsv: begins with a byte-order mark"),
    (
        "labels/bucc2018/test-de.tsv",
        "\ufeffde-1\ten-1\n",
        r"labels/bucc2018/test-de.tsv: begins with a byte-order mark",
    ),
    ("predictions/xnli/test-de.tsv", "\ufeffneutral\n" * 4, r"xnli/test-de.tsv: begins with a byte-order mark"),
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


ODD = {
    "": "empty: nothing is predicted, which scores 0",
    "de-7\ten-7\nde-8\ten-8\n": "none of 2 is right, which scores 0; are the ids those of the labels?",
}


@pytest.mark.parametrize("content", ODD)
def test_a_score_of_zero_for_want_of_right_pairs_is_not_silent(tmp_path, capsys, content):
    predictions, _ = mock(tmp_path, "xtreme")
    (predictions / "bucc2018/test-de.tsv").write_text(content)
    found = scored(tmp_path, "xtreme")
    assert found["tasks"]["bucc"]["languages"]["de"]["f1"] == 0
    assert found["remarks"] == [f"{predictions / 'bucc2018/test-de.tsv'}: {ODD[content]}"]
    assert found["remarks"][0] in capsys.readouterr().out


def test_what_no_task_reads_is_named(tmp_path, capsys):
    predictions, labels = mock(tmp_path, "xtreme")
    (predictions / "bucc").mkdir()
    (labels / "notes.txt").write_text("")
    shutil.rmtree(labels / "panx")
    (labels / "panx").write_text("")
    for name in ("test_de.tsv", "test-xx.tsv"):
        (predictions / "xnli" / name).write_text("neutral\n")
    scored(tmp_path, "xtreme")
    printed = capsys.readouterr().out
    assert f"not read: {predictions / 'bucc'}: no folder of a task of XTREME\n" in printed
    for name in ("notes.txt", "panx"):
        assert f"not read: {labels / name}: no folder of a task of XTREME\n" in printed
    assert (
        f"not read in {predictions / 'xnli'}, which has no such language or ending: test-xx.tsv, test_de.tsv\n"
        in printed
    )


def test_strict_fails_on_what_is_missing_and_on_what_is_not_read(tmp_path, caplog):
    predictions, labels = mock(tmp_path, "xtreme_r")
    arguments = ["--predictions", str(predictions), "--labels", str(labels), "--benchmark", "XTREME-R", "--strict"]
    assert commands.main(["score-xtreme", *arguments]) == 0
    (predictions / "pawsx").mkdir()
    assert commands.main(["score-xtreme", *arguments]) == 2
    assert f"--strict: 0 missing files, 1 remark; first, not read: {predictions / 'pawsx'}: no" in caplog.text
    (predictions / "xcopa/test-et.jsonl").unlink()
    assert commands.main(["score-xtreme", *arguments]) == 2
    assert "--strict: 1 missing file, 1 remark; first, missing: " in caplog.text
    assert commands.main(["score-xtreme", *arguments[:-1]]) == 0


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


def test_benchmark_of_ones_own(tmp_path, monkeypatch, capsys, caplog):
    entry = "{languages: [de, en], metrics: [accuracy], group: sentence, layout: xnli}"
    (tmp_path / "benchmarks_of_ones_own/benchmarks").mkdir(parents=True)
    (tmp_path / "benchmarks_of_ones_own/benchmarks/mine.yaml").write_text(
        f'title: Mine\ncitation: "Doe et al. 2026, One Task"\ntasks:\n  xnli: {entry}\n'
    )
    for side in ("predictions", "labels"):
        (tmp_path / side / "xnli").mkdir(parents=True)
        for language in ("de", "en"):
            (tmp_path / side / "xnli" / f"test-{language}.tsv").write_text("neutral\n")
    monkeypatch.chdir(tmp_path)
    arguments = ["score-xtreme", "--predictions", "predictions", "--labels", "labels", "--benchmark", "mine"]
    assert commands.main(arguments) == 2
    assert "--benchmark: unknown benchmark 'mine'; known" in caplog.text
    (tmp_path / "config.yaml").write_text("registries: [benchmarks_of_ones_own]\n")
    assert commands.main(arguments) == 0
    assert "overall: 100.0 over 1 task\n" in capsys.readouterr().out
