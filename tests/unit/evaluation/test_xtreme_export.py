"""Export in XTREME's order, and what is said of whether rows stand as the official labels do."""

import json
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from xstilts import forms
from xstilts.data import readers
from xstilts.evaluation import predictions, scores, xtreme_format
from xstilts.evaluation.xtreme_export import Export
from xstilts.forms import bitext, scoring
from xstilts.planning import registry
from xstilts.planning.tasks import Task
from xstilts.store import manifest
from xstilts.store.manifest import EvaluatedSplit, EvaluationResults
from xstilts.store.specs.evaluation import RetrievalSpec

from tests.builders import official
from tests.builders.study_plans import study_plan
from tests.builders.xtreme import TARGETS, planned_nodes

NODE = "retrieval/x-00000000"
# Official labels of Tatoeba, the first ten of each language: mock_test_data/labels/tatoeba of google-research/xtreme
# (commit 522434d).
OFFICIAL = {
    "af": "308 441 713 233 757 35 93 939 872 52",
    "ar": "669 982 957 832 543 320 702 752 519 919",
    "bg": "28 951 949 863 280 444 272 142 0 459",
    "bn": "193 86 934 926 485 370 768 481 325 13",
    "de": "367 258 374 529 528 283 348 344 282 212",
    "el": "847 672 840 841 994 77 786 775 129 288",
    "es": "575 761 406 857 37 44 899 367 409 692",
    "et": "961 693 698 752 794 993 247 199 958 501",
    "eu": "937 287 750 239 335 508 24 247 305 37",
    "fa": "376 889 521 430 162 896 936 25 716 809",
    "fi": "316 951 811 893 765 338 806 563 408 458",
    "fr": "957 981 721 980 912 444 973 971 970 969",
    "he": "635 562 610 329 952 429 34 53 566 854",
    "hi": "988 215 129 308 408 411 418 105 553 69",
    "hu": "417 559 599 202 516 413 825 939 731 428",
    "id": "194 178 208 423 728 701 0 801 871 519",
    "it": "164 866 723 434 720 235 275 733 700 915",
    "ja": "555 660 81 801 800 580 291 635 632 579",
    "jv": "199 148 37 109 69 35 182 82 143 153",
    "ka": "173 231 680 607 142 168 198 682 609 594",
    "kk": "299 99 537 281 518 308 394 282 362 191",
    "ko": "755 334 515 996 412 519 671 377 705 754",
    "ml": "674 71 218 437 43 474 29 612 176 317",
    "mr": "366 179 766 788 88 707 998 751 292 91",
    "nl": "401 198 774 501 810 29 18 35 408 926",
    "pt": "916 296 364 922 804 802 803 801 523 693",
    "ru": "343 461 464 639 725 592 40 779 518 215",
    "sw": "114 81 80 97 95 100 98 76 107 109",
    "ta": "102 264 260 174 82 224 142 98 178 235",
    "te": "79 37 8 13 110 205 153 113 112 162",
    "th": "536 38 545 256 489 155 276 547 231 420",
    "tl": "207 67 563 166 845 764 367 787 14 345",
    "tr": "501 515 143 774 881 44 45 170 326 94",
    "ur": "753 367 476 835 839 716 500 718 842 841",
    "vi": "310 403 952 975 92 472 451 460 469 506",
    "zh": "687 981 504 127 508 852 425 530 797 110",
}


def task(name: str) -> Task:
    return registry.load().tasks[name]


def exported(results: Path, name: str, frames: dict[str, pd.DataFrame], **data: object) -> tuple[list[str], Path]:
    """Export predictions of a task, made of ids, predictions and gold answers; return what is said, and the folder."""
    sample, rows = bool(data.pop("sample", False)), data.pop("official_rows", {})
    folder = results / NODE
    folder.mkdir(parents=True, exist_ok=True)
    split = EvaluatedSplit(split="test", official=True, sample=sample)
    stated = EvaluationResults(fingerprint={}, training={}, collapsed=False, splits=dict.fromkeys(frames, split))
    spec = RetrievalSpec(version=1, parents={}, form=task(name).form, settings={})
    (folder / "manifest.json").write_text(manifest.text(spec, {}, stated))
    table = pd.concat([one.assign(language=language) for language, one in frames.items()], ignore_index=True)
    table = table.assign(cluster_id=table["example_id"], split="test", stat_correct=1.0)
    predictions.write(table, folder / predictions.FILE)
    plan = study_plan(planned_nodes(NODE, task(name), frames, **data))
    sides = results / "predictions", results / "labels"
    export = Export(name, task(name), plan, results, NODE, list(frames), rows, *sides)
    return export.write(), results


def perfect(results: Path, language: str, texts: list[str]) -> pd.DataFrame:
    """Return what a perfect system finds for English sentences, and write these as prepared rows."""
    ids = [f"{language}.test.{number}" for number in range(len(texts))]
    prepared = results / "prepared" / NODE.partition("/")[2]
    prepared.mkdir(parents=True, exist_ok=True)
    pd.DataFrame({"example_id": ids, "translation": texts}).to_parquet(prepared / f"{language}.parquet", index=False)
    found = [str(number) for number in range(len(texts))]
    return pd.DataFrame({"example_id": ids, "prediction": found, "gold": found})


def test_english_sentences_are_sorted_and_values_are_lines_of_the_other_language(tmp_path):
    # capitals before small letters, white space at the ends away, and equal texts in their own order
    texts = ["the end", "  Be quiet.", "He eats.", "a cat", "He eats. ", "Be quiet!"]
    exported(tmp_path, "tatoeba", {"de": perfect(tmp_path, "de", texts)})
    for side in ("predictions", "labels"):
        assert (tmp_path / side / "test-de.tsv").read_text().split() == ["5", "1", "2", "4", "3", "0"]


def test_order_of_official_labels_in_every_language_of_the_mirror(tmp_path, mirror):
    tatoeba = task("tatoeba")
    source = next(source for source in tatoeba.sources if source.kind == "files")
    frames = {}
    for language in OFFICIAL:
        names = [tatoeba.file(template, language) for template in source.evaluation[0].files]
        if all((mirror / name).exists() for name in names):
            rows = [
                bitext.normalise({"text": row["first"], "translation": row["second"]}, None)
                for row in readers.read(source, mirror, names)
            ]
            frames[language] = perfect(tmp_path, language, [row["translation"] for row in rows])
    assert len(frames) > 30
    official_rows = registry.load().benchmarks["xtreme"].tasks["tatoeba"].rows
    said, _ = exported(tmp_path, "tatoeba", frames, official_rows=official_rows)
    assert said[1:] == [f"tatoeba: row by row as the official labels: {', '.join(frames)}"]
    for language in frames:
        lines = (tmp_path / "predictions" / f"test-{language}.tsv").read_text().split()
        assert lines[:10] == OFFICIAL[language].split(), language
        assert sorted(map(int, lines)) == list(range(official_rows[language]))


WORDS = st.lists(st.sampled_from(["der", "cat", "the", "big", "1980", "kräht,", "Hund."]), max_size=4).map(" ".join)


def answers_of(name: str, number: int) -> st.SearchStrategy[tuple[str, str]]:
    """Give prediction and gold answer of a row, in the notation of a task's form."""
    form, labels = task(name).form, st.sampled_from(task(name).labels or ["0"])
    if form == "tagging":
        tagged = st.lists(st.tuples(labels, labels), min_size=1, max_size=6)
        return tagged.map(lambda pairs: tuple(map(" ".join, zip(*pairs, strict=True))))
    if form == "span":
        return st.tuples(WORDS, st.lists(WORDS.filter(bool), min_size=1, max_size=3).map(json.dumps))
    if form == "bitext":
        return st.tuples(st.integers(0, 5).map(str), st.just(str(number)))
    if form == "mining":
        english = st.sampled_from(["", f"en-{number}"])
        return st.tuples(english, english)
    if form == "retrieval":
        ranked = st.permutations([f"c{index}" for index in range(23)])
        return st.tuples(ranked.map(json.dumps), ranked.map(lambda ids: json.dumps(sorted(ids[:3]))))
    return st.tuples(labels, labels)


@st.composite
def rows_of(draw: st.DrawFn, name: str) -> list[official.Row]:
    """Draw rows of a task: id, prediction, gold answer and English text."""
    named = task(name).form in ("span", "mining", "retrieval")
    rows = []
    for number in range(draw(st.integers(1, 9))):
        text = draw(st.text("abA .", min_size=1, max_size=4))
        rows.append((f"de-{number}" if named else f"de.test.{number}", *draw(answers_of(name, number)), text))
    return rows


@pytest.mark.parametrize("name", TARGETS)
@settings(max_examples=8)
@given(st.data())
def test_exported_files_score_by_official_labels_and_rules_as_the_rows_do(tmp_path_factory, name, data):
    rows = data.draw(rows_of(name))
    layout = next(one.tasks[name].layout for one in registry.load().benchmarks.values() if name in one.tasks)
    folder, (ids, found, gold, texts) = tmp_path_factory.mktemp("rows"), zip(*rows, strict=True)
    prepared = [{"example_id": one, "cluster_id": one, "language": "de", "split": "test"} for one in ids]
    form = forms.get(task(name).form)
    table = predictions.frame_of(form, prepared, found, gold, task(name).scoring)
    own = scoring.scores(form.FORM, scores.columns_of(table))
    frame = table[["example_id", "prediction", "gold"]]
    if name == "tatoeba":
        frame = perfect(folder, "de", list(texts)).assign(prediction=list(found))
    exported(folder, name, {"de": frame})
    file = xtreme_format.file_name(task(name).form, "de")
    (folder / file).write_text(official.labels_of(layout, rows), encoding="utf-8")
    by_official = official.score_of(layout, folder / "predictions" / file, folder / file)
    assert by_official == pytest.approx({metric: own[metric] for metric in by_official})
    if any(gold):
        for labels in (folder / file, folder / "labels" / file):
            pairs = xtreme_format.read_pairs(task(name), folder / "predictions" / file, labels)
            assert xtreme_format.score(task(name), pairs, "de") == own


def test_what_was_looked_for_in_the_other_direction_is_not_exported(tmp_path):
    frames = {"de": perfect(tmp_path, "de", ["a", "b"])}
    said, _ = exported(tmp_path, "tatoeba", frames, direction="to_english")
    assert said == [
        "not exported: tatoeba: foreign sentences are looked for (bitext.direction: to_english), and XTREME's labels"
        " are of English ones"
    ]
    assert not (tmp_path / "predictions").exists()


def test_rows_without_labels_are_sorted_by_texts_of_their_own(tmp_path):
    other = "retrieval/y-00000000"
    frames = {NODE: {"de": perfect(tmp_path, "de", ["b", "a"])}, other: {"fr": perfect(tmp_path, "fr", ["d", "c"])}}
    (tmp_path / "prepared/y-00000000").mkdir()
    (tmp_path / "prepared/x-00000000/fr.parquet").rename(tmp_path / "prepared/y-00000000/fr.parquet")
    exported(tmp_path, "tatoeba", frames[NODE])
    split = EvaluatedSplit(split="test", official=True, sample=False)
    stated = EvaluationResults(fingerprint={}, training={}, collapsed=False, splits={"fr": split})
    spec = RetrievalSpec(version=1, parents={}, form="bitext", settings={})
    (tmp_path / other).mkdir()
    (tmp_path / other / "manifest.json").write_text(manifest.text(spec, {}, stated))
    found = frames[other]["fr"]
    table = found.drop(columns="gold").assign(cluster_id=found["example_id"], language="fr", split="test")
    predictions.UNLABELLED.write(table, tmp_path / other / predictions.UNLABELLED_FILE)
    nodes = {
        node: entry for name in frames for node, entry in planned_nodes(name, task("tatoeba"), frames[name]).items()
    }
    plan = replace(study_plan(nodes), unlabelled={NODE: other})
    sides = tmp_path / "predictions", tmp_path / "labels"
    said = Export("tatoeba", task("tatoeba"), plan, tmp_path, NODE, ["de", "fr"], {}, *sides).write()
    assert "tatoeba: no labels, so that nothing is scored: fr" in said
    for language in ("de", "fr"):
        assert (tmp_path / f"predictions/test-{language}.tsv").read_text().split() == ["1", "0"]


def labelled(*ids: str, label: str = "1") -> pd.DataFrame:
    return pd.DataFrame({"example_id": ids, "prediction": label, "gold": label})


THREE = labelled("test.0", "test.1", "test.2")
CORRESPONDENCE = [
    # task, rows, what else is known of the data, and what is said
    ("pawsx", THREE, {"official_rows": {"de": 3}}, "row by row as the official labels"),
    ("pawsx", THREE, {}, "how many rows the official labels have is not known"),
    ("pawsx", THREE, {"official_rows": {"de": 2000}}, "3 rows, where the official labels have 2,000"),
    ("pawsx", THREE, {"sample": True}, "a sample of the rows"),
    (
        "pawsx", labelled("test.0", "test.2"), {"official_rows": {"de": 2}},
        "not each row of its files, so that numbers of rows are not those of the official labels",
    ),
    (
        "udpos", labelled("test.0", label="NOUN"), {"files": ("a.conllu", "b.conllu"), "official_rows": {"de": 1}},
        "of several files, whose order in the official labels cannot be known",
    ),
    ("mlqa", labelled("q1", "q2", label='["a"]'), {}, "by the ids of the official labels"),
    (
        "mlqa", labelled("q1", "q1#2", label='["a"]'), {}, "its data has no ids, or repeats them; labels have",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("name", "frame", "data", "expected"), CORRESPONDENCE)
def test_what_is_said_of_the_official_labels(tmp_path, name, frame, data, expected):
    said, _ = exported(tmp_path, name, {"de": frame}, **data)
    assert said[1:] == [f"{name}: {expected}: de"]
