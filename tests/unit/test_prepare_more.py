"""Preparation of unions, of files with several languages, of pools; what is in specs; and odd rows of every form."""

import dataclasses
import datetime
import decimal
import itertools
import json
from collections import Counter

import numpy as np
import pyarrow
import pyarrow.parquet
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from xstilts import forms
from xstilts.data import readers
from xstilts.data.prepare import prepare, unite
from xstilts.data.sources import Place, tiny
from xstilts.errors import UserError
from xstilts.forms import mining, retrieval
from xstilts.planning import registry
from xstilts.planning.index import index_mirror
from xstilts.planning.plan import Indexes, make_plan
from xstilts.planning.study import read_study


class Mirror:
    """A mirror of hand-written files, and what prepares the nodes of a study on it."""

    def __init__(self, folder):
        self.folder, self.study = folder / "mirror", folder / "study.yaml"
        self.prepared = folder / "prepared"

    def write(self, **files):
        """Write files by their names, in which two underscores stand for the slash after the folder."""
        for name, content in files.items():
            self.put(name.replace("__", "/", 1), content)

    def put(self, name, content):
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")

    def made_up(self, *names):
        tiny.fetch_data({"files": names}, self.folder, Place(None, True))

    def plan(self, **study):
        content = {"description": "A test.", "source": "mirror", "models": ["tiny"], "seeds": [1], **study}
        self.study.write_text(json.dumps(content))
        known = registry.load()
        files = index_mirror(self.folder, known, readers.read) if self.folder.exists() else None
        return make_plan(read_study(self.study, known), known, Indexes(files))

    def prepare(self, name, excluded=(), **study):
        """Return parts as rows, and facts."""
        node = self.node(name, **study)
        parts, facts = prepare(node.spec, self.folder, excluded)
        return {part: table.to_pylist() for part, table in parts.items()}, facts

    def node(self, name, **study):
        (node,) = [node for node in self.plan(**study).stage("prepared").values() if node.name == name]
        return node


@pytest.fixture
def mirror(tmp_path):
    return Mirror(tmp_path)


def ids(rows):
    return [row["example_id"] for row in rows]


# Unions

LABELS = ["entailment", "neutral", "contradiction"]


@pytest.fixture
def union(mirror):
    """What unites nine rows of MNLI with three rounds of ANLI of four rows each: ``union(limits, **changes)``."""
    rows = {str(at): {"text_a": f"a {at}", "text_b": "b", "label": LABELS[at % 3]} for at in range(9)}
    mirror.put("mnli/train.json", rows)
    for number in (1, 2, 3):
        lines = [f"same,round {number} text {at},b,{'enc'[at % 3]}" for at in range(4)]
        text = "\n".join(["uid,context,statement,gold_label", *lines]) + "\n"
        mirror.put(f"anli/ANLI_analysis_r{number}_dev.csv", text)
    mirror.made_up("xquad/xquad.en.json")

    def make(limits, **changes):
        study = {"mixtures": {"m": ["anli_plus"]}, "targets": {"lm_loss": None}, "languages": ["en"], "limits": limits}
        node = mirror.node("anli_plus.training", **study)
        members, facts_of = {}, {}
        for member in node.spec["members"]:
            parts, facts_of[member] = prepare(mirror.node(f"{member}.training", **study).spec, mirror.folder, ())
            facts_of[member].update(changes.get(member, {}))
            members[member] = mirror.prepared / member
            members[member].mkdir(parents=True, exist_ok=True)
            for part, table in parts.items():
                pyarrow.parquet.write_table(table, members[member] / f"{part}.parquet")
        spec = {**node.spec, **changes.get("spec", {})}
        parts, facts = unite(spec, members, facts_of)
        return {part: table.to_pylist() for part, table in parts.items()}, facts

    return make


def test_union_has_the_rows_of_all_members_under_their_names(union):
    parts, facts = union({"dev_rows": 2})
    # of each member two rows go to dev; the dev rows of both are limited to two again
    assert Counter(row["example_id"].partition(".")[0] for row in parts["train"]) == {"mnli": 7, "anli": 10}
    assert len(parts["dev"]) == 2
    every = parts["train"] + parts["dev"]
    assert len({row["example_id"] for row in every}) == len(every)
    # the uid of ANLI's rows repeats and gets a number within its data set
    assert {"anli.same", "anli.same#2"} <= {*ids(parts["train"]), *ids(parts["dev"]), "anli.same", "anli.same#2"}
    assert all(row["cluster_id"].partition(".")[0] == row["example_id"].partition(".")[0] for row in every)
    assert facts["splits"]["train"]["rows"] == facts["available"] == 17
    assert sum(facts["splits"]["train"]["labels"].values()) == 17
    assert list(facts["splits"]["train"]["labels"]) == LABELS
    for row in every:
        member, text = row["example_id"].partition(".")[0], row["text_a"].split()
        expected = int(text[1]) % 3 if member == "mnli" else [0, 1, 2][int(text[3]) % 3]
        assert row["label"] == expected


def test_union_within_its_limits(union):
    parts, facts = union({"dev_rows": 2, "train_rows": 5})
    # each member gives five rows, of which five are taken
    assert (len(parts["train"]), facts["available"], len(parts["dev"])) == (5, 10, 2)
    with pytest.raises(UserError, match="anli_plus: no train rows are left"):
        union({"dev_rows": 2}, spec={"train_rows": 0})


@pytest.mark.parametrize("mnli_is_a_sample", [False, True])
def test_union_is_a_sample_where_a_member_is(union, mnli_is_a_sample):
    sample = {"mnli": {"sample": mnli_is_a_sample}, "anli": {"sample": False}}
    _, facts = union({"dev_rows": 4}, **sample)
    assert facts["sample"] is mnli_is_a_sample


def test_what_members_leave_out_is_added_up(union):
    left_out = {"mnli": {"left_out": {"no gold label": 3}}, "anli": {"left_out": {"no gold label": 4, "other": 1}}}
    assert union({"dev_rows": 2}, **left_out)[1]["left_out"] == {"no gold label": 7, "other": 1}


# Files with several languages


def squad(*questions):
    """Return a file of questions: pairs of an id and an answer."""
    paragraphs = []
    for number, (identity, answer) in enumerate(questions):
        answers = [{"text": answer, "answer_start": len(f"{number} ")}]
        question = {"id": identity, "question": "?", "answers": answers}
        paragraphs.append({"context": f"{number} {answer} .", "qas": [question]})
    return {"data": [{"title": "t", "paragraphs": paragraphs}]}


TYDIQA = {"targets": {"tydiqa": None}, "languages": ["en", "ar", "id"], "limits": {"dev_rows": 1}}


def test_rows_are_those_of_the_language(mirror):
    both = ("english-1", "cat"), ("arabic-1", "qitta"), ("english-2", "dog"), ("indonesian-9", "kucing")
    train = [(f"{code}-{at}", f"{code} {at}") for at in range(9) for code in ("english", "englishman", "arabic")]
    mirror.write(**{
        "tydiqa__tydiqa-goldp-v1.1-train.json": squad(*train), "tydiqa__tydiqa-goldp-v1.1-dev.json": squad(*both),
    })  # fmt: skip
    parts, facts = mirror.prepare("tydiqa.evaluation", **TYDIQA)
    assert {language: ids(rows) for language, rows in parts.items()} == {
        "en": ["english-1", "english-2"], "ar": ["arabic-1"], "id": ["indonesian-9"],
    }  # fmt: skip
    # of 440 published ones
    assert facts["splits"]["en"] == {
        "split": "dev", "official": True, "rows": 2, "available": 2, "sample": True, "labels": {},
    }  # fmt: skip
    parts, _ = mirror.prepare("tydiqa.training", **TYDIQA)
    assert sorted(ids(parts["train"] + parts["dev"])) == [f"english-{at}" for at in range(9)]


def test_a_language_without_rows_in_the_file(mirror):
    name = "tydiqa__tydiqa-goldp-v1.1-{}.json"
    mirror.write(**{name.format("train"): squad(("english-1", "a")), name.format("dev"): squad(("english-1", "a"))})
    with pytest.raises(UserError, match=r"goldp-v1\.1-dev\.json: no rows to score in ar"):
        mirror.prepare("tydiqa.evaluation", **{**TYDIQA, "languages": ["en", "ar"]})


def test_a_row_that_does_not_say_its_language(mirror):
    """An id that is a number would belong to no language, and be missing everywhere."""
    name = "tydiqa__tydiqa-goldp-v1.1-{}.json"
    mirror.write(**{name.format("train"): squad(("english-1", "a")), name.format("dev"): squad((17, "a"))})
    with pytest.raises(UserError, match=r"goldp-v1\.1-dev\.json, row 1: id is not text but 17"):
        mirror.prepare("tydiqa.evaluation", **TYDIQA)


# Columns and values


def jsonl(*rows):
    return "".join(json.dumps(row) + "\n" for row in rows)


COPA = {"premise": "It rained.", "question": "effect", "choice1": "wet", "choice2": "dry", "label": 0}
XCOPA = {"targets": {"xcopa": {"trained_on": ["copa"]}}, "languages": ["et"], "limits": {"dev_rows": 2}}


def copa(mirror, *rows):
    mirror.write(**{
        "copa__train-en.jsonl": jsonl(*rows), "copa__val-en.jsonl": jsonl(*rows), "xcopa__test.et.jsonl": jsonl(COPA),
    })  # fmt: skip


def test_values_become_texts_and_columns_a_list(mirror):
    copa(mirror, COPA, {**COPA, "question": "cause", "label": 1})
    rows = mirror.prepare("copa.training", **XCOPA)[0]["train"]
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
def test_values_that_are_not_what_they_should_be(mirror, change, message):
    copa(mirror, COPA, {**COPA, **change})
    with pytest.raises(UserError, match=r"copa/train-en\.jsonl, row 2: " + message):
        mirror.prepare("copa.training", **XCOPA)


def test_a_column_of_a_pair_that_is_not_there(mirror):
    copa(mirror, COPA, {key: value for key, value in COPA.items() if key != "choice2"})
    message = r"train-en\.jsonl, row 2: no column 'choice2'; found 'premise, question, choice1, label'"
    with pytest.raises(UserError, match=message):
        mirror.prepare("copa.training", **XCOPA)


SNLI = {"mixtures": {"m": ["snli"]}, "targets": {"lm_loss": None}, "languages": ["en"], "limits": {"dev_rows": 9}}


def test_rows_without_a_gold_label_are_left_out_and_counted(mirror):
    mirror.made_up("xquad/xquad.en.json")
    rows = [
        {"sentence1": f"a {at}", "sentence2": "b", "gold_label": "-" if at in (1, 4) else "neutral"} for at in range(6)
    ]
    mirror.write(**{"snli__snli_1.0_train.jsonl": jsonl(*rows), "snli__snli_1.0_dev.jsonl": jsonl(rows[1], rows[2])})
    parts, facts = mirror.prepare("snli.training", **SNLI)
    assert [row["text_a"] for row in parts["train"]] == ["a 0", "a 2", "a 3", "a 5"]
    # numbers count the rows of the file, whatever is left out
    assert ids(parts["train"]) == ["train.0", "train.2", "train.3", "train.5"]
    assert ids(parts["dev"]) == ["dev.1"]
    assert facts["left_out"]["no gold label"] == 3
    assert facts["available"] == 4


XNLI = {"targets": {"xnli": None}, "languages": ["en", "de"], "limits": {"dev_rows": 8}}


@pytest.mark.parametrize("count", [19, 20])
def test_placeholder_labels(mirror, count):
    """From twenty rows on, labels that are all the same are none."""
    mirror.made_up("mnli/train.json", "xnli/test-en.tsv")
    mirror.write(**{"xnli__test-de.tsv": "".join(f"a {at}\tb\tneutral\n" for at in range(count))})
    if count < 20:
        assert mirror.prepare("xnli.evaluation", **XNLI)[1]["splits"]["de"]["labels"] == {"neutral": 19}
        return
    with pytest.raises(UserError, match=r"xnli/test-de\.tsv: all 20 rows have the label 'neutral': placeholders"):
        mirror.prepare("xnli.evaluation", **XNLI)


# Ids and clusters


def test_parallel_rows_have_the_same_ids_and_clusters(mirror):
    mirror.made_up("mnli/train.json", "xnli/test-en.tsv", "xnli/test-de.tsv")
    parts, _ = mirror.prepare("xnli.evaluation", **XNLI)
    english, german = ([(row["example_id"], row["cluster_id"]) for row in parts[part]] for part in ("en", "de"))
    assert english == german
    assert english[:4] == [("test.0", "test.0"), ("test.1", "test.0"), ("test.2", "test.0"), ("test.3", "test.1")]


def test_rows_that_are_not_parallel_share_nothing(mirror):
    files = [f"tatoeba/tatoeba.{code}-eng.{side}" for code in ("deu", "cmn") for side in (code, "eng")]
    mirror.made_up(*files)
    parts, _ = mirror.prepare("tatoeba.evaluation", targets={"tatoeba": None}, languages=["de", "zh"])
    for field in ("example_id", "cluster_id"):
        one, other = ({row[field] for row in parts[part]} for part in ("de", "zh"))
        assert not one & other and len(one) == len(other) == tiny.TEST_ROWS
    assert parts["de"][1]["example_id"] == "de.test.1"


def test_ids_stay_apart_whatever_they_are(mirror):
    """Ids that repeat get a number, and no row has the id that such a number makes."""
    mirror.made_up("squad_v2/train-v2.0.json", "squad_v2/dev-v2.0.json")
    names = ["a", "a#2", "a", "a", "b", "b", "a#2#2", "../../x", 7, "7"]
    mirror.write(**{"xquad__xquad.de.json": squad(*((name, "cat") for name in names))})
    parts, _ = mirror.prepare("xquad.evaluation", targets={"xquad": None}, languages=["de"], limits={"dev_rows": 8})
    assert ids(parts["de"]) == ["a", "a#2", "a#2#2", "a#3", "b", "b#2", "a#2#2#2", "../../x", "7", "7#2"]


# Contexts


def leak(mirror, name, context):
    """Add a question on a context to a file of SQuAD."""
    content = json.loads((mirror.folder / name).read_text())
    question = {"id": "leak", "question": "who ?", "answers": [{"text": context[:3], "answer_start": 0}]}
    content["data"].append({"title": "leak", "paragraphs": [{"context": context, "qas": [question]}]})
    mirror.put(name, content)


def test_contexts_of_evaluation_sets_are_in_no_training_of_a_dual_encoder(mirror, tmp_path):
    mirror.made_up("squad_v2/train-v2.0.json", "squad_v2/dev-v2.0.json", "lareqa/en.json", "lareqa/de.json")
    context = json.loads((mirror.folder / "lareqa/en.json").read_text())["data"][0]["paragraphs"][3]["context"]
    leak(mirror, "squad_v2/dev-v2.0.json", context.upper())
    study = {"targets": {"lareqa": None}, "languages": ["de"], "limits": {"dev_rows": 8}}
    plan = mirror.plan(**study)
    (node,) = [node for node in plan.stage("prepared").values() if node.name == "squad_retrieval.training"]
    # whatever languages are scored, its English contexts are known
    contexts = plan.nodes[node.spec["parents"]["exclude.lareqa"]]
    assert contexts.name == "lareqa.contexts.en"
    folder = tmp_path / "contexts"
    folder.mkdir()
    pyarrow.parquet.write_table(prepare(contexts.spec, mirror.folder, ())[0]["en"], folder / "en.parquet")
    before, after = (mirror.prepare("squad_retrieval.training", excluded=given, **study) for given in ([], [folder]))
    assert before[1]["left_out"]["context of an evaluation set"] == 0
    assert after[1]["left_out"]["context of an evaluation set"] == 1
    assert {*ids(before[0]["train"]), *ids(before[0]["dev"])} > {"leak"}
    assert "leak" not in {*ids(after[0]["train"]), *ids(after[0]["dev"])}


# Pools


def bucc(mirror, split="dev", language="zh"):
    """Write 20 pairs, 30 more foreign and 50 more English sentences."""
    name = f"bucc2018/{language}-en.{split}."
    mirror.put(f"{name}{language}", "".join(f"{language}-{at}\tforeign {split} {at}\n" for at in range(50)))
    mirror.put(f"{name}en", "".join(f"en-{at}\tenglish {split} {at}\n" for at in range(70)))
    mirror.put(f"{name}gold", "".join(f"{language}-{at}\ten-{at}\n" for at in range(20)))


BUCC = {"targets": {"bucc": None}, "languages": ["zh"]}


def test_threshold_is_chosen_on_another_split_where_there_is_one(mirror):
    bucc(mirror)
    parts, facts = mirror.prepare("bucc.evaluation", **BUCC)
    assert {row["split"] for row in parts["zh"]} == {"dev"}
    assert facts["splits"]["zh"]["rows"] == 120 and not facts["splits"]["zh"]["official"]
    bucc(mirror, "test")
    parts, facts = mirror.prepare("bucc.evaluation", **BUCC)
    assert Counter(row["split"] for row in parts["zh"]) == {"test": 120, "threshold": 120}
    # what the threshold is chosen on is not scored, nor counted
    assert {key: facts["splits"]["zh"][key] for key in ("split", "official", "rows", "available")} == {
        "split": "test", "official": True, "rows": 120, "available": 120,
    }  # fmt: skip
    assert len({row["cluster_id"] for row in parts["zh"]}) == 240


def test_a_limit_on_pairs_keeps_both_sentences_and_a_part_of_the_others(mirror):
    bucc(mirror)
    parts, facts = mirror.prepare("bucc.evaluation", **BUCC, limits={"test_rows": 5})
    rows = parts["zh"]
    queries = [row for row in rows if mining.is_query(row)]
    assert len(queries) == 5
    assert {row["match"] for row in queries} <= {row["example_id"] for row in rows if row["side"] == "english"}
    # a quarter of the queries, and about as many of the 80 sentences without a translation
    assert 5 <= sum(row["match"] is None for row in rows) <= 50
    assert facts["splits"]["zh"]["sample"]
    # with perfect vectors all is found
    axes = np.eye(200, dtype=np.float32)
    number = {row["example_id"]: at for at, row in enumerate(rows)}
    vectors = axes[[number[row["match"]] if mining.is_query(row) else at for at, row in enumerate(rows)]]
    scored = mining.retrieve({"zh": rows}, {"zh": vectors}, {})["zh"]
    assert [found for _, found, _ in scored] == [gold for _, _, gold in scored]


def test_a_limit_beyond_the_pairs_changes_nothing(mirror):
    bucc(mirror)
    whole, facts = mirror.prepare("bucc.evaluation", **BUCC)
    assert mirror.prepare("bucc.evaluation", **BUCC, limits={"test_rows": 20})[0] == whole
    assert facts["splits"]["zh"]["sample"]  # 120 of 22,213 published sentences


def test_a_limit_on_questions_keeps_the_same_ones_and_their_sentences_in_every_language(mirror):
    mirror.made_up("squad_v2/train-v2.0.json", "squad_v2/dev-v2.0.json", "lareqa/en.json", "lareqa/de.json")
    study = {"targets": {"lareqa": None}, "languages": ["de", "en"], "limits": {"dev_rows": 8, "test_rows": 4}}
    parts, facts = mirror.prepare("lareqa.evaluation", **study)
    asked = {language: [row["example_id"] for row in rows if row["query"]] for language, rows in parts.items()}
    assert len(asked["de"]) == 4 and asked["de"] == asked["en"]
    found = {key for row in parts["de"] if row["text"] for key in row["keys"]}
    assert found >= set(asked["de"])
    assert facts["splits"]["de"]["sample"] and not facts["splits"]["de"]["official"]
    vectors = {language: np.ones((len(rows), 2), np.float32) for language, rows in parts.items()}
    assert [len(scored) for scored in retrieval.retrieve(parts, vectors, {}).values()] == [4, 4]


# What is in specs


def test_content_from_the_hub_is_a_repository_at_a_revision(mirror):
    plan = mirror.plan(source="download", targets={"xnli": None}, languages=["de"])
    (node,) = [node for node in plan.stage("data").values() if node.name == "xnli.evaluation"]
    (hub,) = [source for source in registry.load().tasks["xnli"].sources if source.kind == "hub"]
    assert node.spec["source"] == {
        "kind": "hub", "repository": "facebook/xnli", "revision": hub.revision, "files": ["de/test"],
    }  # fmt: skip
    assert node.id not in plan.urls


def test_content_from_addresses_is_checksums(mirror):
    study = {"source": "download", "targets": {"lareqa": None}, "languages": ["de"]}
    plan, known = mirror.plan(**study), registry.load()
    (node,) = [node for node in plan.stage("data").values() if node.name == "lareqa.evaluation"]
    assert node.spec["source"] == {"kind": "url", "files": {"lareqa/de.json": known.checksums["lareqa/de.json"]}}
    assert "://" not in json.dumps(node.spec)
    first, _ = plan.urls[node.id]["lareqa/de.json"]
    assert first.startswith("https://") and first.endswith("/xquad-r/de.json")
    # another address is the same data; another checksum is not
    task = known.tasks["lareqa"]
    elsewhere = dataclasses.replace(task.sources[0], urls=("https://example.org/{file}",))
    moved = dataclasses.replace(known, tasks={**known.tasks, "lareqa": dataclasses.replace(task, sources=(elsewhere,))})
    changed = dataclasses.replace(known, checksums={**known.checksums, "lareqa/de.json": "0" * 64})
    plans = [make_plan(read_study(mirror.study, variant), variant, Indexes()) for variant in (moved, changed)]
    assert plans[0].urls[node.id] == {"lareqa/de.json": ["https://example.org/lareqa/de.json"]}
    assert set(plans[0].nodes) == set(plan.nodes)
    assert node.id not in plans[1].nodes


# Odd rows

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
    entry = {"file": file, "rows": None, "sample": False}
    language = {"split": "test", "official": True, "files": [file], "threshold": [], "where": None, "published": None}
    return {
        "task": "task", "form": form, "labels": labels, "kind": kind, "reading": {**own, "columns": columns},
        "language": "en", "splits": {"train": [entry], "dev": [entry]}, "where": None, "train_rows": None,
        "published": None, "dev_rows": 100, "languages": {"en": {**language, "rows": None, "sample": False}},
        "test_rows": None, "cluster_rows": 1, "parallel": True,
    }  # fmt: skip


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
        parts, facts = prepare(spec_of(name, part_of(name), "rows.jsonl"), folder, ())
    except UserError as error:
        message = str(error)
        assert len(message.splitlines()) == 1, message
        assert len(message) < 400, message
        assert message.startswith("rows.jsonl, row "), message
        return False
    prepared = parts["en" if part_of(name) == "evaluation" else "train"].to_pylist()
    assert len(prepared) == len(rows) - sum(facts["left_out"].values())
    assert len({row["example_id"] for row in prepared}) == len(prepared)
    for raw, row in zip(rows, prepared, strict=True):
        assert same(name, raw, row, facts.get("labels")), (raw, row)
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
