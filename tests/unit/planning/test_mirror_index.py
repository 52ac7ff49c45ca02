"""The index of a mirror says what each file can be used for; a study runs on what can be used, or names the file."""

import re

import pyarrow.parquet
import pytest
from xstilts.commands import main
from xstilts.data import usable
from xstilts.data.rows import NO_LABEL
from xstilts.data.usable import PLACEHOLDERS, STRIPPED
from xstilts.errors import UserError
from xstilts.planning import mirror_index, registry
from xstilts.planning.mirror_index import UNLABELLED, UNUSABLE
from xstilts.planning.plan import make_plan
from xstilts.planning.sourcing import Indexes

from tests.builders.mirrors import squad
from tests.builders.plans import make, node_of, results_of, study_of

PREDICTED = "tests without labels are not scored; `unlabelled_tests` predicts them"
UNREADABLE = {
    "missing column": ("xnli/test-de.tsv", lambda text: "a\tb\n" + text, r"test-de\.tsv, row 1: no column 'label'"),
    "truncated": ("mnli/train.json", lambda text: text[: len(text) // 2], r"train\.json: not JSON .*truncated"),
    "other format": ("xquad/xquad.de.json", lambda text: "[]", r"xquad\.de\.json: not in SQuAD's format"),
    "no tag": ("udpos/test-de.tsv", lambda text: "word\n" + text, r"test-de\.tsv:2: 2 columns where 1 \(words\)"),
    "unequal lines": (
        "tatoeba/tatoeba.deu-eng.deu", lambda text: text + "more\n", r"deu: 25 lines, but .*eng has 24",
    ),
}  # fmt: skip


def index(mirror):
    return mirror_index.index_mirror(mirror.folder, registry.load(), usable.check)


@pytest.mark.parametrize("name", UNREADABLE)
def test_an_unreadable_file_is_named_and_the_others_are_indexed(filled, name):
    file, change, message = UNREADABLE[name]
    whole = index(filled)
    filled.edit(file, change)
    files = index(filled)
    (task,) = [task for task in files[file]["tasks"] if task in ("mnli", "xnli", "xquad", "udpos", "tatoeba")]
    assert re.search(message, files[file]["tasks"][task][UNUSABLE])
    assert str(filled.folder) not in files[file]["tasks"][task][UNUSABLE]
    assert not {other for other in files if files[other] != whole[other]} - {file, "tatoeba/tatoeba.deu-eng.eng"}


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("xnli/test-de.tsv", "grün\tx\tneutral\n".encode("latin-1"), r"test-de\.tsv: not UTF-8 at byte 2"),
        ("tatoeba/tatoeba.deu-eng.eng", b"x" * 30_000 + b"\xff", r"deu-eng\.eng: not UTF-8 at byte 30000"),
        ("xnli/test-de.tsv", b"", r"test-de\.tsv: empty; fetch the file anew"),
    ],
)
def test_wrong_encoding(filled, file, content, message):
    (filled.folder / file).write_bytes(content)
    for use in index(filled)[file]["tasks"].values():
        assert re.search(message, use[UNUSABLE])


def test_a_file_that_may_not_be_read(filled, monkeypatch):
    def refuse(path):
        raise PermissionError(13, "Permission denied", str(path))

    # the tests may run as root, who may read everything
    monkeypatch.setattr(mirror_index, "file_sha256", refuse)
    assert index(filled)["xnli/test-de.tsv"]["sha256"] is None


def test_a_mirror_without_any_file(raw):
    with pytest.raises(UserError, match="no such mirror folder"):
        index(raw)
    raw.folder.mkdir()
    with pytest.raises(UserError, match="none of the registry's files is here"):
        index(raw)


def test_index_knows_rows_and_samples(real_text):
    _, files = real_text
    expected = {
        ("mnli", "mnli/train.json"): (8999, True),
        ("commonsenseqa", "commonsenseqa/train_rand_split.jsonl"): (9741, False),
        ("squad_v2", "squad_v2/dev-v2.0.json"): (6078, True),
        ("xnli", "xnli/dev-sw.tsv"): (2490, False),
        ("xnli", "xnli/test-sw.tsv"): (5010, False),
        ("udpos", "udpos/train-en.tsv"): (21787, False),
        ("tatoeba", "tatoeba/tatoeba.swh-eng.swh"): (390, False),
        **{("xquad", f"xquad/xquad.{language}.json"): (1190, False) for language in ("ar", "en", "hi", "th", "zh")},
    }
    found = {(task, name): files[name]["tasks"][task] for task, name in expected}
    assert {key: (file["rows"], file["sample"]) for key, file in found.items()} == expected


def damage(mirror):
    """Break a file, take the labels of another, and put placeholders in place of a third one's."""
    mirror.edit("xquad/xquad.de.json", lambda text: re.sub(r'"text": "[^"]*"', '"text": ""', text))
    mirror.edit("xnli/test-de.tsv", lambda text: re.sub("(?m)\t[^\t]*$", "", text))
    mirror.edit("udpos/test-de.tsv", lambda text: text.replace("\tNOUN", "\tNN", 1))


def test_what_can_run_runs_and_what_cannot_is_named(filled, tmp_path):
    damage(filled)
    plan = filled.plan()
    assert plan.notes == [
        f"xnli: no data in de (xnli/test-de.tsv: {STRIPPED}); evaluated in en",
        f"xnli: {PREDICTED}: de",
        "udpos: no data in de (udpos/test-de.tsv, row 1: label 'NN' is none of ADJ, ADP, ADV, AUX, CCONJ, DET, INTJ,"
        " NOUN, NUM, PART, PRON, PROPN, PUNCT, SCONJ, SYM, VERB, X; placeholder labels cannot be trained on or scored);"
        " evaluated in en",
        f"xquad: no data in de (xquad/xquad.de.json: {PLACEHOLDERS}); evaluated in en",
        f"xquad: {PREDICTED}: de",
        "tatoeba: no data in en; evaluated in de",
    ]
    for node in plan.stage("prepared").values():
        make(plan, node.id, tmp_path / "results", filled.folder)
    with pytest.raises(
        UserError, match=r"xnli\.languages: .* has no 'de' for XNLI \(xnli/test-de\.tsv: no labels in it"
    ):
        filled.plan(targets={"xnli": {"languages": ["en", "de"]}})
    with pytest.raises(UserError, match=r"XQuAD has no labels .* \(de\).* \(xquad/xquad\.de\.json: placeholders"):
        filled.plan(targets={"xquad": None}, languages=["de"])


def test_tests_without_labels_are_prepared_to_be_predicted(filled, tmp_path):
    damage(filled)
    plan = filled.plan(unlabelled_tests=True)
    for target, field, value in (("xnli", "label", NO_LABEL), ("xquad", "answers", [])):
        folder = make(plan, node_of(plan, "prepared", f"{target}.unlabelled").id, tmp_path / "results", filled.folder)
        rows = pyarrow.parquet.read_table(folder / "de.parquet").to_pylist()
        assert rows and all(row[field] == value for row in rows)


def test_the_command_names_what_cannot_be_used(filled, tmp_path, monkeypatch, capsys, caplog):
    caplog.set_level("INFO")
    damage(filled)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config.yaml").write_text("{}")
    assert main(["index-mirror", str(filled.folder)]) == 0
    first, *lines = capsys.readouterr().out.splitlines()
    assert first == f"{filled.folder}/mirror.yaml: 12 files"
    assert lines[0].startswith("udpos/test-de.tsv: not used by udpos: udpos/test-de.tsv, row 1: label 'NN' is none of")
    assert lines[1:] == [
        f"xnli/test-de.tsv: not used by xnli: {STRIPPED}",
        f"xquad/xquad.de.json: not used by xquad: {PLACEHOLDERS}",
    ]
    # one line a task, however many files it has
    logged = [message.partition(":") for message in caplog.messages]
    assert len({task for task, _, _ in logged}) == len(logged)
    assert all(re.fullmatch(r" \d+ files?, \d+ rows?", said) for _, _, said in logged)


def test_training_data_that_cannot_be_used_are_named(filled):
    filled.edit("mnli/train.json", lambda text: text.replace("{", "", 1))
    with pytest.raises(UserError, match=r"^mnli \(training data\): mnli/train\.json: not JSON .*; put another file"):
        filled.plan()
    # what does not need it runs
    assert filled.plan(targets={"xquad": None}).notes == []


def test_another_split_in_place_of_one_without_labels(filled):
    filled.put("xnli/dev-de.tsv", (filled.folder / "xnli/test-de.tsv").read_text())
    filled.edit("xnli/test-de.tsv", lambda text: re.sub("(?m)\t[^\t]*$", "", text))
    plan = filled.plan(targets={"xnli": None})
    assert plan.notes == [f"xnli: evaluated in de on dev (xnli/test-de.tsv: {STRIPPED})", f"xnli: {PREDICTED}: de"]
    files = node_of(plan, "prepared", "xnli.evaluation").spec.languages
    assert {language: of.split for language, of in files.items()} == {"en": "test", "de": "dev"}


def test_contexts_of_a_set_without_answers_are_no_training_data(raw):
    """Whether the questions of an evaluation set have answers here does not matter to what may be trained on."""
    train = [(str(at), f"word{at}") for at in range(9)]
    empty = squad(("a", "word0"))
    for question in empty["data"][0]["paragraphs"][0]["qas"]:
        question["answers"] = [{"text": "", "answer_start": 0}]
    empty["data"] *= 20
    raw.write({
        "tydiqa/tydiqa.goldp.en.train.json": squad(*train), "tydiqa/tydiqa.goldp.en.dev.json": empty,
        "tydiqa/tydiqa.goldp.ar.dev.json": squad(("b", "word")),
    })  # fmt: skip
    study = {"targets": {"tydiqa": None}, "languages": ["ar", "en"], "limits": {"dev_rows": 1}}
    plan = raw.plan(**study)
    assert plan.notes == [
        f"tydiqa: no data in en (tydiqa/tydiqa.goldp.en.dev.json: {PLACEHOLDERS}); evaluated in ar",
        f"tydiqa: {PREDICTED}: en",
    ]
    results = raw.place / "results"
    training = make(plan, node_of(plan, "prepared", "tydiqa.training").id, results, raw.folder)
    assert results_of(results, f"prepared/{training.name}").left_out["context of an evaluation set"] == 1


def test_each_language_comes_from_the_first_layout_that_has_it(raw, tmp_path):
    conllu = "1\tọmọ\t_\tNOUN\t_\t_\t0\troot\t_\t_\n\n"
    yoruba = "udpos_conllu/UD_Yoruba-YTB/yo_ytb-ud-test.conllu"
    raw.write({
        "udpos/train-en.tsv": "cat\tNOUN\n\nruns\tVERB\n\n" * 8, "udpos/test-he.tsv": "חתול\tNOUN\n\n",
        "udpos/test-mr.tsv": "x\tNOUN\n\n", yoruba: conllu,
        "udpos_conllu/UD_Marathi-UFAL/mr_ufal-ud-test.conllu": conllu,
    })  # fmt: skip
    study = {"targets": {"udpos": None}, "languages": ["he", "mr", "yo"], "limits": {"dev_rows": 2}}
    plan = raw.plan(**study)
    node = node_of(plan, "prepared", "udpos.evaluation")
    files = {language: (of.files[0], of.reading and of.reading.reader) for language, of in node.spec.languages.items()}
    assert files == {"he": ("udpos/test-he.tsv", None), "mr": ("udpos/test-mr.tsv", None), "yo": (yoruba, "conllu")}
    folder = make(plan, node.id, tmp_path / "results", raw.folder)
    assert pyarrow.parquet.read_table(folder / "yo.parquet")["words"].to_pylist() == [["ọmọ"]]
    (remark,) = mirror_index.remarks(index(raw), registry.load())
    assert remark == (
        "udpos: several layouts in mr; the first that its `sources` name is used, such as udpos/test-mr.tsv and not"
        " udpos_conllu/UD_Marathi-UFAL/mr_ufal-ud-test.conllu"
    )


def test_what_a_real_mirror_has_that_cannot_be_used(real_text):
    _, files = real_text
    unlabelled = {name for name, file in files.items() if any(UNLABELLED in use for use in file["tasks"].values())}
    assert unlabelled == {name for name in files if re.fullmatch(r"tydiqa/tydiqa\.goldp\...\.dev\.json", name)}
    unusable = [use[UNUSABLE] for file in files.values() for use in file["tasks"].values() if UNUSABLE in use]
    # as upstream has it
    assert unusable in ([], ["americasnli/test/nah.tsv, row 519: text_a is empty"])


def test_a_study_on_a_real_mirror_says_what_it_cannot_use(real_text, tmp_path):
    entries, (_, files) = registry.load(), real_text

    def plan(*targets):
        content = {"description": "x", "source": "mirror", "models": ["tiny"], "mixtures": {"none": None}, "seeds": [1]}
        study = study_of(tmp_path, {**content, "targets": dict.fromkeys(targets), "languages": ["en", "te"]})
        return make_plan(study, entries, Indexes(files, {}))

    with pytest.raises(UserError, match=r"tydiqa: .* no labels .* \(en\).*\.goldp\.en\.dev\.json: placeholders"):
        plan("tydiqa", "udpos")
    assert plan("udpos").stage("predictions")
