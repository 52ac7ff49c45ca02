"""Preparation: honest splits, the same items in every language, and no context of an evaluation set in training."""

import json
from dataclasses import replace

import pyarrow
import pyarrow.parquet
import pytest
from xstilts.data.prepare import prepare
from xstilts.data.sources import tiny
from xstilts.errors import UserError
from xstilts.store.specs.data import TrainingFile

from tests.builders.mirrors import ids, squad
from tests.builders.plans import node_of


def test_training_is_split_by_context(filled):
    parts, stated = filled.prepare("mnli.training")
    train, dev = (parts[name] for name in ("train", "dev"))
    assert len(train) + len(dev) == tiny.TRAIN_ROWS
    assert len(dev) == 16
    assert not {row["text_a"] for row in train} & {row["text_a"] for row in dev}
    assert not {row["example_id"] for row in train} & {row["example_id"] for row in dev}
    assert stated.splits["train"].rows == len(train)
    assert stated.sample  # the published MNLI has more rows


def test_limits_choose_the_same_items_in_every_language(filled):
    parts, stated = filled.prepare("xquad.evaluation", limits={"dev_rows": 16, "test_rows": 7})
    chosen = {language: ids(parts[language]) for language in ("en", "de")}
    assert len(chosen["en"]) == 7
    assert chosen["en"] == chosen["de"]
    assert stated.splits["de"].sample


def test_clusters(filled):
    rows = filled.prepare("xnli.evaluation")[0]["de"]
    assert [row["cluster_id"] for row in rows[:7]] == ["test.0"] * 3 + ["test.1"] * 3 + ["test.2"]
    english = filled.prepare("udpos.evaluation")[0]["en"]
    german = filled.prepare("udpos.evaluation")[0]["de"]
    assert not {row["cluster_id"] for row in english} & {row["cluster_id"] for row in german}


def test_contexts_of_evaluation_sets_are_removed_and_counted(filled):
    leaked, other = json.loads((filled.folder / "xquad/xquad.en.json").read_text())["data"][0]["paragraphs"][:2]
    # another spelling of the same text
    answer = {**leaked["qas"][0]["answers"][0]}
    answer["text"] = answer["text"].upper()
    leaked = {"context": leaked["context"].upper() + "  ", "qas": [{**leaked["qas"][0], "answers": [answer]}]}

    def leak(text):
        content = json.loads(text)
        content["data"].append({"title": "leak", "paragraphs": [leaked, other]})
        return json.dumps(content)

    filled.edit("squad_v2/dev-v2.0.json", leak)
    contexts = filled.place / "contexts"
    contexts.mkdir()
    pyarrow.parquet.write_table(
        pyarrow.Table.from_pylist(filled.prepare("xquad.contexts.en")[0]["en"]), contexts / "en.parquet"
    )
    before, after = (filled.prepare("squad_v1.training", excluded=given)[1] for given in ([], [contexts]))
    assert before.left_out["context of an evaluation set"] == 0
    assert after.left_out["context of an evaluation set"] == 2
    assert after.available == before.available - 2


def test_contexts_correspond_where_one_language_repeats_one(filled):
    """English says two contexts alike that German tells apart: the items that are chosen are still the same."""
    same = {}
    for language in ("en", "de"):
        content = json.loads((filled.folder / f"xquad/xquad.{language}.json").read_text())
        paragraphs = content["data"][0]["paragraphs"]
        if language == "en":
            paragraphs[1] = {**paragraphs[0], "qas": [{**paragraphs[0]["qas"][0], "id": paragraphs[1]["qas"][0]["id"]}]}
        (filled.folder / f"xquad/xquad.{language}.json").write_text(json.dumps(content))
    parts, _ = filled.prepare("xquad.evaluation", limits={"dev_rows": 16, "test_rows": 8})
    same = {language: ids(part) for language, part in parts.items()}
    clusters = {language: [row["cluster_id"] for row in part] for language, part in parts.items()}
    assert len(set(same["en"]) & set(same["de"])) >= 7
    later = {language: dict(zip(same[language], clusters[language], strict=True)) for language in same}
    assert all(later["en"][name] == later["de"][name] for name in set(same["en"]) & set(same["de"]) - {"q1"})


XNLI = {"targets": {"xnli": None}, "languages": ["en", "de"], "limits": {"dev_rows": 8}}


def test_parallel_rows_have_the_same_ids_and_clusters(raw):
    raw.made_up("mnli/train.json", "xnli/test-en.tsv", "xnli/test-de.tsv")
    parts, _ = raw.prepare("xnli.evaluation", **XNLI)
    english, german = ([(row["example_id"], row["cluster_id"]) for row in parts[part]] for part in ("en", "de"))
    assert english == german
    assert english[:4] == [("test.0", "test.0"), ("test.1", "test.0"), ("test.2", "test.0"), ("test.3", "test.1")]


def test_rows_that_are_not_parallel_share_nothing(raw):
    files = [f"tatoeba/tatoeba.{code}-eng.{side}" for code in ("deu", "cmn") for side in (code, "eng")]
    raw.made_up(*files)
    parts, _ = raw.prepare("tatoeba.evaluation", targets={"tatoeba": None}, languages=["de", "zh"])
    for field in ("example_id", "cluster_id"):
        one, other = ({row[field] for row in parts[part]} for part in ("de", "zh"))
        assert not one & other and len(one) == len(other) == tiny.TEST_ROWS
    assert parts["de"][1]["example_id"] == "de.test.1"


def test_ids_stay_apart_whatever_they_are(raw):
    """Ids that repeat get a number, and no row has the id that such a number makes."""
    raw.made_up("squad_v2/train-v2.0.json", "squad_v2/dev-v2.0.json")
    names = ["a", "a#2", "a", "a", "b", "b", "a#2#2", "../../x", 7, "7"]
    raw.write({"xquad/xquad.de.json": squad(*((name, "cat") for name in names))})
    parts, _ = raw.prepare("xquad.evaluation", targets={"xquad": None}, languages=["de"], limits={"dev_rows": 8})
    assert ids(parts["de"]) == ["a", "a#2", "a#2#2", "a#3", "b", "b#2", "a#2#2#2", "../../x", "7", "7#2"]


def leak(raw, name, context):
    """Add a question on a context to a file of SQuAD."""
    content = json.loads((raw.folder / name).read_text())
    question = {"id": "leak", "question": "who ?", "answers": [{"text": context[:3], "answer_start": 0}]}
    content["data"].append({"title": "leak", "paragraphs": [{"context": context, "qas": [question]}]})
    raw.put(name, content)


def test_contexts_of_evaluation_sets_are_in_no_training_of_a_dual_encoder(raw, tmp_path):
    raw.made_up("squad_v2/train-v2.0.json", "squad_v2/dev-v2.0.json", "lareqa/en.json", "lareqa/de.json")
    context = json.loads((raw.folder / "lareqa/en.json").read_text())["data"][0]["paragraphs"][3]["context"]
    leak(raw, "squad_v2/dev-v2.0.json", context.upper())
    study = {"targets": {"lareqa": None}, "languages": ["de"], "limits": {"dev_rows": 8}}
    plan = raw.plan(**study)
    node = node_of(plan, "prepared", "squad_retrieval.training")
    # whatever languages are scored, its English contexts are known
    contexts = node_of(plan, "prepared", "lareqa.contexts.en")
    assert contexts.id in node.parents
    folder = tmp_path / "contexts"
    folder.mkdir()
    pyarrow.parquet.write_table(prepare(contexts.spec, raw.folder, ())[0]["en"], folder / "en.parquet")
    before, after = (raw.prepare("squad_retrieval.training", excluded=given, **study) for given in ([], [folder]))
    assert before[1].left_out["context of an evaluation set"] == 0
    assert after[1].left_out["context of an evaluation set"] == 1
    assert {*ids(before[0]["train"]), *ids(before[0]["dev"])} > {"leak"}
    assert "leak" not in {*ids(after[0]["train"]), *ids(after[0]["dev"])}


def test_topics_of_sib200(raw):
    """A tab-separated file for each code of FLORES-200; texts with a quotation mark are quoted."""
    header = "index_id\tcategory\ttext\n"
    for code in ("eng_Latn", "ace_Arab", "zho_Hant"):
        rows = f'548\tsports\t"""Run,"" said {code}."\n824\tscience/technology\tAn atom of {code}.\n'
        raw.write({f"sib200/{code}/{split}.tsv": header + rows for split in ("train", "dev", "test")})
    study = {"targets": {"sib200": None}, "languages": ["en", "ace-Arab", "zh-Hant"]}
    parts, stated = raw.prepare("sib200.evaluation", **study)
    assert list(parts) == ["en", "ace-Arab", "zh-Hant"] and stated.splits["en"].sample
    assert [(row["example_id"], row["label"], row["text_a"]) for row in parts["ace-Arab"]] == [
        ("548", 3, '"Run," said ace_Arab.'), ("824", 0, "An atom of ace_Arab."),
    ]  # fmt: skip
    train, _ = raw.prepare("sib200.training", **study)
    assert [len(train[split]) for split in ("train", "dev")] == [2, 2]


def test_topics_of_sib200_from_the_hub(raw, tmp_path):
    """It has the same columns by configuration and split; ids are numbers there."""
    study = {"source": "download", "targets": {"sib200": None}, "languages": ["sw"]}
    node = raw.node("sib200.evaluation", **study)
    (tmp_path / "swh_Latn").mkdir()
    rows = {"index_id": [1523], "category": ["geography"], "text": ["Ziwa."]}
    pyarrow.parquet.write_table(pyarrow.table(rows), tmp_path / "swh_Latn/test")
    (row,) = prepare(node.spec, tmp_path, ())[0]["sw"].to_pylist()
    assert (row["example_id"], row["label"], row["text_a"]) == ("1523", 6, "Ziwa.")


def test_inference_of_americasnli(raw):
    """Hypotheses of one premise have successive ids, so that a language that lacks a row has the others' clusters."""
    header = "id\tlanguage\tpremise\thypothesis\tlabel\n"
    rows = {number: f"{number}\taym\tUkhamaxa.\tJaniwa {number}.\tcontradiction\n" for number in range(25051, 25055)}
    raw.write({"americasnli/test/aym.tsv": header + "".join(rows.values())})
    raw.write({"americasnli/test/oto.tsv": header + rows[25053] + rows[25054]})
    raw.made_up("mnli/train.json")
    study = {"targets": {"americasnli": {"languages": ["ay", "oto"]}}}
    parts, _ = raw.prepare("americasnli.evaluation", **study)
    first = parts["ay"][0]
    assert (first["text_a"], first["text_b"], first["label"]) == ("Ukhamaxa.", "Janiwa 25051.", 2)
    assert [row["cluster_id"].rpartition(".")[2] for row in parts["ay"]] == ["8350", "8350", "8350", "8351"]
    assert [row["cluster_id"] for row in parts["oto"]] == [row["cluster_id"] for row in parts["ay"][2:]]
    raw.write({"americasnli/test/oto.tsv": header + rows[25053].replace("25053", "x3")})
    with pytest.raises(UserError, match=r"oto\.tsv, row 1: cluster must be a number from 1 .*: 'x3'"):
        raw.prepare("americasnli.evaluation", **study)


def test_names_of_masakhaner2(raw):
    text = "Muyiwa B-PER\nAdejobi I-PER\n, O\n\nToday B-DATE\n"
    raw.write({f"masakhaner2/{name}.txt": text for name in ("pcm/train", "pcm/dev", "swa/test")})
    study = {"targets": {"masakhaner2@pcm": {"languages": ["sw"]}}}
    parts, _ = raw.prepare("masakhaner2@pcm.evaluation", **study)
    assert [row["tags"] for row in parts["sw"]] == [[3, 7, 8], [0]]
    assert parts["sw"][0]["words"] == ["Muyiwa", "Adejobi", ","]
    train, _ = raw.prepare("masakhaner2@pcm.training", **study)
    assert [len(train[split]) for split in ("train", "dev")] == [2, 2]


def prepared(plan, mirror, name, **changes):
    node = node_of(plan, "prepared", name)
    return lambda excluded=(): prepare(replace(node.spec, **changes), mirror, excluded)


def test_xquads_contexts_leave_the_training_data(real_text, mirror, tmp_path):
    """2,575 of the 2,910 answerable rows of SQuAD's dev file stand in no context of XQuAD."""
    plan, _ = real_text
    contexts = prepared(plan, mirror, "xquad.contexts.en")()[0]["en"]
    pyarrow.parquet.write_table(contexts, tmp_path / "en.parquet")
    dev_file = {"splits": {"train": [TrainingFile(file="squad_v2/dev-v2.0.json", rows=6078, sample=True)]}}
    parts, stated = prepared(plan, mirror, "squad_v1.training", **dev_file, train_rows=None)([tmp_path])
    assert stated.left_out == {"unanswerable": 3168, "context of an evaluation set": 335}
    assert 6078 - sum(stated.left_out.values()) == 2575
    assert not set(parts["train"]["context"].to_pylist()) & set(contexts["context"].to_pylist())


def test_evaluation_data_are_the_same_items_in_every_language(real_text, mirror):
    plan, _ = real_text
    parts, _ = prepared(plan, mirror, "xnli.evaluation")()
    items = {language: part["example_id"].to_pylist() for language, part in parts.items()}
    assert set(items) == {"en", "de", "hi", "sw", "tr", "zh"}
    assert all(chosen == items["en"] and len(chosen) == 200 for chosen in items.values())
