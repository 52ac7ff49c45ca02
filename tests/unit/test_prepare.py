"""Preparation: rows are right, honest splits, and bad input gets one line that names file and row."""

import json

import pyarrow.parquet
import pytest
from xstilts.commands import main
from xstilts.data import readers
from xstilts.data.prepare import prepare
from xstilts.data.sources import Place, hub, mirror, tiny
from xstilts.errors import UserError
from xstilts.forms import multiple_choice
from xstilts.planning import index, registry
from xstilts.planning.plan import make_plan
from xstilts.planning.sourcing import Indexes
from xstilts.planning.study import read_study

STUDY = """
description: Raw files of a test.
source: mirror
models: [tiny]
mixtures: {none: , squad: [squad_v1]}
targets: {xnli: , udpos: , xquad: , tatoeba: }
languages: [en, de]
limits: {dev_rows: 16}
"""
FILES = [
    "mnli/train.json", "squad_v2/train-v2.0.json", "squad_v2/dev-v2.0.json", "udpos/train-en.tsv",
    *(f"xnli/test-{language}.tsv" for language in ("en", "de")), "udpos/test-en.tsv", "udpos/test-de.tsv",
    "xquad/xquad.en.json", "xquad/xquad.de.json", "tatoeba/tatoeba.deu-eng.deu", "tatoeba/tatoeba.deu-eng.eng",
]  # fmt: skip


@pytest.fixture
def raw(tmp_path):
    """A mirror with made-up files, and what prepares a node of it."""
    folder = tmp_path / "mirror"
    tiny.fetch_data({"files": FILES}, folder, Place(None, True))
    return Raw(folder, tmp_path)


class Raw:
    def __init__(self, folder, tmp_path):
        self.folder, self.tmp_path = folder, tmp_path

    def edit(self, name, change):
        path = self.folder / name
        path.write_text(change(path.read_text()))

    def plan(self, study=STUDY):
        path = self.tmp_path / "study.yaml"
        path.write_text(study)
        files = index.index_mirror(self.folder, registry.load(), readers.read)
        return make_plan(read_study(path, registry.load()), registry.load(), Indexes(files))

    def prepare(self, name, study=STUDY, excluded=()):
        (node,) = [node for node in self.plan(study).stage("prepared").values() if node.name == name]
        return prepare(node.spec, self.folder, excluded)


def test_training_is_split_by_context(raw):
    parts, facts = raw.prepare("mnli.training")
    train, dev = (parts[name].to_pylist() for name in ("train", "dev"))
    assert len(train) + len(dev) == tiny.TRAIN_ROWS
    assert len(dev) == 16
    assert not {row["text_a"] for row in train} & {row["text_a"] for row in dev}
    assert not {row["example_id"] for row in train} & {row["example_id"] for row in dev}
    assert facts["splits"]["train"]["rows"] == len(train)
    assert facts["sample"]  # the published MNLI has more rows


def test_limits_choose_the_same_items_in_every_language(raw):
    parts, facts = raw.prepare("xquad.evaluation", STUDY.replace("{dev_rows: 16}", "{dev_rows: 16, test_rows: 7}"))
    chosen = {language: parts[language]["example_id"].to_pylist() for language in ("en", "de")}
    assert len(chosen["en"]) == 7
    assert chosen["en"] == chosen["de"]
    assert facts["splits"]["de"]["sample"]


def test_clusters(raw):
    rows = raw.prepare("xnli.evaluation")[0]["de"].to_pylist()
    assert [row["cluster_id"] for row in rows[:7]] == ["test.0"] * 3 + ["test.1"] * 3 + ["test.2"]
    english = raw.prepare("udpos.evaluation")[0]["en"].to_pylist()
    german = raw.prepare("udpos.evaluation")[0]["de"].to_pylist()
    assert not {row["cluster_id"] for row in english} & {row["cluster_id"] for row in german}


def test_contexts_of_evaluation_sets_are_removed_and_counted(raw):
    leaked, other = json.loads((raw.folder / "xquad/xquad.en.json").read_text())["data"][0]["paragraphs"][:2]
    # another spelling of the same text
    answer = {**leaked["qas"][0]["answers"][0]}
    answer["text"] = answer["text"].upper()
    leaked = {"context": leaked["context"].upper() + "  ", "qas": [{**leaked["qas"][0], "answers": [answer]}]}

    def leak(text):
        content = json.loads(text)
        content["data"].append({"title": "leak", "paragraphs": [leaked, other]})
        return json.dumps(content)

    raw.edit("squad_v2/dev-v2.0.json", leak)
    contexts = raw.tmp_path / "contexts"
    contexts.mkdir()
    pyarrow.parquet.write_table(raw.prepare("xquad.contexts.en")[0]["en"], contexts / "en.parquet")
    before, after = (raw.prepare("squad_v1.training", excluded=given)[1] for given in ([], [contexts]))
    assert before["left_out"]["context of an evaluation set"] == 0
    assert after["left_out"]["context of an evaluation set"] == 2
    assert after["available"] == before["available"] - 2


def test_repeated_ids_are_numbered(raw):
    raw.edit("xquad/xquad.de.json", lambda text: text.replace('"q1"', '"q0"'))
    identities = raw.prepare("xquad.evaluation")[0]["de"]["example_id"].to_pylist()
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
def test_bad_rows(raw, name):
    file, change, node, message = BAD[name]
    raw.edit(file, change)
    with pytest.raises(UserError, match=message) as error:
        raw.prepare(node)
    assert "\n" not in str(error.value)


UNREADABLE = {
    "missing column": ("xnli/test-de.tsv", lambda text: "a\tb\n" + text, r"test-de\.tsv:1: 2 columns where 3"),
    "truncated": ("mnli/train.json", lambda text: text[: len(text) // 2], r"train\.json: not JSON .*truncated"),
    "other format": ("xquad/xquad.de.json", lambda text: "[]", r"xquad\.de\.json: not in SQuAD's format"),
    "no tag": ("udpos/test-de.tsv", lambda text: "word\n" + text, r"test-de\.tsv:1: 1 columns where 2 \(words, tags\)"),
    "unequal lines": (
        "tatoeba/tatoeba.deu-eng.deu", lambda text: text + "more\n", r"deu: 25 lines, but .*eng has 24",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", UNREADABLE)
def test_unreadable_files(raw, name):
    file, change, message = UNREADABLE[name]
    raw.edit(file, change)
    with pytest.raises(UserError, match=message):
        index.index_mirror(raw.folder, registry.load(), readers.read)


def test_wrong_encoding(raw):
    (raw.folder / "xnli/test-de.tsv").write_bytes("grün\tx\tneutral\n".encode("latin-1"))
    with pytest.raises(UserError, match=r"test-de\.tsv: not UTF-8 at byte 2"):
        index.index_mirror(raw.folder, registry.load(), readers.read)


def test_wrong_encoding_in_the_second_of_two_files(raw):
    path = raw.folder / "tatoeba/tatoeba.deu-eng.eng"
    path.write_bytes(b"x" * 30_000 + b"\xff")
    with pytest.raises(UserError, match=r"deu-eng\.eng: not UTF-8 at byte 30000"):
        index.index_mirror(raw.folder, registry.load(), readers.read)


def test_another_number_of_choices():
    record = {"question": "where ?", "choices": ["a", "b"], "label": 0}
    with pytest.raises(ValueError, match="2 choices, but the task's labels name 3"):
        multiple_choice.normalise(record, ["A", "B", "C"])


def test_file_shorter_than_its_index(raw):
    plan = raw.plan()
    raw.edit("xnli/test-de.tsv", lambda text: "".join(text.splitlines(keepends=True)[:-1]))
    (node,) = [node for node in plan.stage("prepared").values() if node.name == "xnli.evaluation"]
    with pytest.raises(UserError, match=r"test-de\.tsv: 23 rows, but its source states 24"):
        prepare(node.spec, raw.folder, ())


def test_missing_and_changed_mirror_file(raw, tmp_path):
    (node,) = [node for node in raw.plan().stage("data").values() if node.name == "xnli.evaluation"]
    raw.edit("xnli/test-de.tsv", lambda text: text.replace("neutral", "entailment", 1))
    with pytest.raises(UserError, match=r"test-de\.tsv: changed since it was indexed: SHA-256 .*index-mirror"):
        mirror.fetch_data(node.spec["source"], tmp_path / "out", Place(raw.folder, True))
    (raw.folder / "xnli/test-de.tsv").unlink()
    with pytest.raises(UserError, match=r"test-de\.tsv: missing, though the index names it"):
        mirror.fetch_data(node.spec["source"], tmp_path / "out", Place(raw.folder, True))


def test_failed_fetch_leaves_nothing(raw, tmp_path, capsys):
    (node,) = [node for node in raw.plan().stage("data").values() if node.name == "xnli.evaluation"]
    raw.edit("xnli/test-de.tsv", lambda text: text + "x")
    output = tmp_path / "results" / node.id / "manifest.json"
    spec = json.dumps(node.spec)
    assert main(["fetch", "--spec", spec, "--output", str(output), "--folder", str(raw.folder)]) == 2
    assert list((tmp_path / "results").rglob("*")) == [tmp_path / "results/data"]


def test_target_left_out_where_the_mirror_lacks_a_language(raw):
    (raw.folder / "xnli/test-de.tsv").unlink()
    assert "xnli: no data in de; evaluated in en" in raw.plan().notes
    explicit = STUDY.replace("{xnli: ,", "{xnli: {languages: [en, de]},")
    with pytest.raises(UserError, match=r"targets\.xnli\.languages: the source 'mirror' has no 'de' for XNLI"):
        raw.plan(explicit)


def test_training_file_not_in_the_mirror(raw):
    (raw.folder / "mnli/train.json").unlink()
    with pytest.raises(UserError, match=r"mnli \(training data\): .*mnli/train\.json: not in the mirror's index"):
        raw.plan()


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json", "model.safetensors"])
def test_model_folder_that_lacks_a_file(tmp_path, name):
    folder = tmp_path / "model"
    folder.mkdir()
    for file in ("config.json", "tokenizer.json", "model.safetensors"):
        (folder / file).write_text("{}")
    (folder / name).unlink()
    with pytest.raises(UserError, match="no weights" if name.startswith("model") else f"no {name}"):
        index.index_model(folder)


def test_index_of_a_read_only_folder(raw, tmp_path):
    results = tmp_path / "results"
    files = index.index_mirror(raw.folder, registry.load(), readers.read)
    raw.folder.chmod(0o555)
    path = index.write(raw.folder, "mirror.yaml", results, files)
    raw.folder.chmod(0o755)
    assert path.parent == results / "indexes"
    assert index.read(raw.folder, "mirror.yaml", results, "mirror") == files
    assert files["mnli/train.json"]["tasks"]["mnli"]["sample"] is True
    assert files["xquad/xquad.de.json"]["tasks"]["xquad"]["rows"] == tiny.TEST_ROWS


def test_hub_source_writes_parquet_that_the_reader_reads(tmp_path, monkeypatch):
    """A local repository of Parquet files in the hub's layout, loaded by the hub's own library."""
    repository = tmp_path / "repository"
    (repository / "mnli").mkdir(parents=True)
    rows = {"premise": ["a", "b"], "hypothesis": ["c", "d"], "label": [0, 2]}
    pyarrow.parquet.write_table(pyarrow.table(rows), repository / "mnli/train-00000-of-00001.parquet")
    card = "---\nconfigs:\n- config_name: mnli\n  data_files:\n  - split: train\n    path: mnli/train-*\n---\n"
    (repository / "README.md").write_text(card)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "cache"))
    content = {"repository": str(repository), "revision": None, "files": ["mnli/train"]}
    folder = tmp_path / "out"
    folder.mkdir()
    hub.fetch_data(content, folder, Place(None, False))
    assert pyarrow.parquet.read_table(folder / "mnli/train").to_pydict() == rows


def test_offline_hub_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HOME", str(tmp_path / "cache"))
    content = {"repository": "nyu-mll/glue", "revision": "0" * 40}
    with pytest.raises(UserError, match=r"hub: cannot fetch nyu-mll/glue at 0+: .*offline: false"):
        hub.fetch_model(content, tmp_path, Place(None, True))


def test_contexts_correspond_where_one_language_repeats_one(raw):
    """English says two contexts alike that German tells apart: the items that are chosen are still the same."""
    same = {}
    for language in ("en", "de"):
        content = json.loads((raw.folder / f"xquad/xquad.{language}.json").read_text())
        paragraphs = content["data"][0]["paragraphs"]
        if language == "en":
            paragraphs[1] = {**paragraphs[0], "qas": [{**paragraphs[0]["qas"][0], "id": paragraphs[1]["qas"][0]["id"]}]}
        (raw.folder / f"xquad/xquad.{language}.json").write_text(json.dumps(content))
    parts, _ = raw.prepare("xquad.evaluation", STUDY.replace("dev_rows: 16", "dev_rows: 16, test_rows: 8"))
    same = {language: part["example_id"].to_pylist() for language, part in parts.items()}
    clusters = {language: part["cluster_id"].to_pylist() for language, part in parts.items()}
    assert len(set(same["en"]) & set(same["de"])) >= 7
    later = {language: dict(zip(same[language], clusters[language], strict=True)) for language in same}
    assert all(later["en"][name] == later["de"][name] for name in set(same["en"]) & set(same["de"]) - {"q1"})
