"""Every file of the mirror of real data has the rows that its README states."""

from collections import Counter
from types import SimpleNamespace

import pytest
from xstilts.data import readers

# The real data: rows of every file as the data's README states them, or None where it states none.
PMB = ("words", "again", "symbols", "semantics", "tags", "senses", "roles")
PAIR, PAWS = ("premise", "hypothesis", "label"), ("sentence1", "sentence2", "label")
MLQA = {
    "en-en": 1148,
    "ar-ar": 517,
    "de-de": 512,
    "es-es": 500,
    "hi-hi": 507,
    "zh-zh": 504,
    "en-de": None,
    "de-en": None,
}
XCOPA = "et ht id sw ta th tr vi zh"
XQUAD = "ar de en es hi ru th tr vi zh"
LAREQA = "ar de en zh"
TYDIQA = "ar bn en fi id ko ru sw"
XNLI = "ar bg de en es fr hi ru sw th tr vi zh"
PAWSX = "de en es fr ja zh"
UDPOS = "af ar el eu hi hu id ja kk mr ta te th tl ur yo zh"
PANX = {10_000: "ar bg de en ka zh", 1_000: "hi sw ta te", 100: "gu jv pa qu"}
TATOEBA = (
    "afr ara aze ben bul cmn deu ell est eus fin fra heb hin hun ind ita jav kaz kor lit mal mar nld pes pol por ron "
    "rus spa swh tam tel tgl tha tur ukr urd vie"
)
CONLLU = [
    *(f"UD_English-EWT/en_ewt-ud-{split}" for split in ("dev", "test")), "UD_Tagalog-TRG/tl_trg-ud-test",
    *(f"UD_Afrikaans-AfriBooms/af_afribooms-ud-{split}" for split in ("train", "dev", "test")),
    *(f"UD_Kazakh-KTB/kk_ktb-ud-{split}" for split in ("train", "test")),
    *(f"UD_Marathi-UFAL/mr_ufal-ud-{split}" for split in ("train", "dev", "test")),
    *(f"UD_Telugu-MTG/te_mtg-ud-{split}" for split in ("train", "dev", "test")),
]  # fmt: skip
AMERICASNLI = "aym bzd cni hch nah oto quy tar"
FEWER = {"dev": {"cni": 658, "nah": 585, "oto": 222}, "test": {"nah": 738, "oto": 748}}
MASAKHANER2 = "bam fon ibo kin lug mos nya pcm sna swa twi xho yor zul"
MIRROR = {
    # (reader, header): {file: rows}
    ("csv", None): {
        "anli/ANLI_analysis_r1_dev.csv": 1000, "anli/ANLI_analysis_r2_dev.csv": 1000,
        "anli/ANLI_analysis_r3_dev.csv": 1198, "cosmosqa/valid.csv": 2985,
    },
    ("json_rows", None): {"mnli/train.json": 8999, "qqp/train.json": 8999},
    ("jsonl", None): {
        "hellaswag/hellaswag.jsonl": 1000, "commonsenseqa/train_rand_split.jsonl": 9741,
        "commonsenseqa/dev_rand_split.jsonl": 1221, "commonsenseqa/test_rand_split_no_answers.jsonl": 1140,
        "copa/train-en.jsonl": 400, "copa/val-en.jsonl": 100,
        **{f"xcopa/val.{language}.jsonl": 100 for language in XCOPA.split()},
        **{f"xcopa/test.{language}.jsonl": 500 for language in XCOPA.split()},
    },
    ("squad", None): {
        "squad_v2/dev-v2.0.json": 6078, "squad_v2/train-v2.0.json": 626, "tydiqa/tydiqa.goldp.en.train.json": 3696,
        **{f"xquad/xquad.{language}.json": 1190 for language in XQUAD.split()},
        **{f"lareqa/{language}.json": 1190 for language in LAREQA.split()},
        **{f"mlqa/dev-context-{pair[:2]}-question-{pair[3:]}.json": rows for pair, rows in MLQA.items()},
        **{f"tydiqa/tydiqa.goldp.{language}.dev.json": None for language in TYDIQA.split()},
    },
    ("tsv", PAIR): {
        **{f"xnli/dev-{language}.tsv": 2490 for language in XNLI.split()},
        "xnli/test-en.tsv": 5010, "xnli/test-sw.tsv": 5010,
    },
    ("tsv", None): {
        f"americasnli/{split}/{code}.tsv": FEWER[split].get(code, rows)
        for split, rows in (("dev", 743), ("test", 750)) for code in AMERICASNLI.split()
    },
    ("tagged_by_space", None): {
        "masakhaner2/pcm/train.txt": 5646,
        **{f"masakhaner2/{code}/{split}.txt": None for code in MASAKHANER2.split() for split in ("dev", "test")},
    },
    ("tsv_quoted", PAWS): {f"pawsx/dev-{language}.tsv": 2000 for language in PAWSX.split()},
    ("conll", PMB): {
        "ccg_pmb/en.train.conll": 7745, "ccg_pmb/en.dev.conll": 1174, "ccg_pmb/en.test.conll": 1053,
        "ccg_pmb/en.eval.conll": 841, **{f"ccg_pmb/{language}.dev.conll": None for language in ("de", "it", "nl")},
    },
    ("tagged", None): {
        "udpos/train-en.tsv": 21_787, "udpos/dev-en.tsv": 3974, "panx/train-en.tsv": 20_000,
        **{f"udpos/test-{language}.tsv": None for language in UDPOS.split()},
        **{f"panx/dev-{language}.tsv": rows for rows, languages in PANX.items() for language in languages.split()},
    },
    ("conllu", None): {f"udpos_conllu/{name}.conllu": None for name in CONLLU},
}  # fmt: skip
# How to count without the reader, for the files whose rows the README does not state.
COUNTED = {
    "squad": lambda text: text.count('"question":'),
    "conll": lambda text: text.count("# raw sent = "),
    "conllu": lambda text: text.count("# sent_id = "),
    "tagged": lambda text: len(text.strip().split("\n\n")),
    "tagged_by_space": lambda text: sum(1 for block in text.split("\n\n") if block.strip()),
}  # fmt: skip


@pytest.mark.parametrize(("reader", "header"), MIRROR, ids=lambda value: value if isinstance(value, str) else "")
def test_rows_of_the_mirror(mirror, reader, header):
    source = SimpleNamespace(reader=reader, header=header)
    for name, stated in MIRROR[reader, header].items():
        rows = sum(1 for _ in readers.read(source, mirror, [name]))
        if stated is None:
            stated = COUNTED[reader]((mirror / name).read_text())
        assert rows == stated, name


def test_the_mirror_has_no_other_file(mirror):
    """So that a file that is added to the data of a task is read here too; other folders are no task's."""
    known = {name for files in MIRROR.values() for name in files}
    known |= {f"tatoeba/tatoeba.{code}-eng.{side}" for code in TATOEBA.split() for side in (code, "eng")}
    known |= {f"bucc2018/zh-en.dev.{part}" for part in ("zh", "en", "gold")}
    found = {str(path.relative_to(mirror)) for path in mirror.glob("*/**/*") if path.is_file()}
    beside = {name for name in found if name.rpartition("/")[2].startswith(("LICENSE", "README", "CC-BY"))}
    folders = {name.partition("/")[0] for name in known}
    assert {name for name in found - beside if name.partition("/")[0] in folders} == known


def test_sib200_of_the_mirror_has_the_same_rows_in_every_language(mirror):
    """185 of its 205 languages: the same sentences with the same topics in the same order."""
    source = SimpleNamespace(reader="tsv", header=None)
    folders = sorted(path.name for path in (mirror / "sib200").iterdir())
    stated = {"train": 701, "dev": 99, "test": 204}
    orders: dict[str, set[str]] = {}
    for code in folders:
        for path in (mirror / "sib200" / code).glob("*.tsv"):
            rows = list(readers.read(source, mirror, [f"sib200/{code}/{path.name}"]))
            assert len(rows) == stated[path.stem], path
            orders.setdefault(path.stem, set()).add(" ".join(row["index_id"] + row["category"] for row in rows))
    assert len(folders) == 185 and {split: len(found) for split, found in orders.items()} == dict.fromkeys(stated, 1)


def test_tatoeba_of_the_mirror(mirror):
    source = SimpleNamespace(reader="lines", header=None)
    for code in TATOEBA.split():
        names = [f"tatoeba/tatoeba.{code}-eng.{side}" for side in (code, "eng")]
        rows = list(readers.read(source, mirror, names))
        assert len(rows) == (mirror / names[0]).read_bytes().count(b"\n") <= 1000
        assert all(row["first"] and row["second"] for row in rows)


def test_bucc_of_the_mirror(mirror):
    names = [f"bucc2018/zh-en.dev.{part}" for part in ("zh", "en", "gold")]
    rows = list(readers.read(SimpleNamespace(reader="bucc", header=None), mirror, names))
    assert Counter(row["side"] for row in rows) == {"foreign": 8624, "english": 13_589}
    assert Counter(row["side"] for row in rows if row["match"]) == {"foreign": 257, "english": 257}


def test_squad_of_the_mirror_has_unanswerable_questions(mirror):
    rows = readers.read(SimpleNamespace(reader="squad", header=None), mirror, ["squad_v2/dev-v2.0.json"])
    assert sum(not row["answers"]["text"] for row in rows) == 3168


def test_squad_sentences_of_the_mirror(mirror):
    rows = readers.read(SimpleNamespace(reader="squad_sentences", header=None), mirror, ["squad_v2/dev-v2.0.json"])
    assert sum(1 for _ in rows) == 6078 - 3168


@pytest.mark.parametrize("language", LAREQA.split())
def test_lareqa_of_the_mirror_has_sentences(mirror, language):
    """That each break cuts its sentence is the reader's own check; here, that every answer starts in a sentence."""
    rows = list(readers.read(SimpleNamespace(reader="squad", header=None), mirror, [f"lareqa/{language}.json"]))
    assert len({row["paragraph"] for row in rows}) == 240
    assert len({row["article"] for row in rows}) == 48
    for row in rows:
        (start,) = row["answers"]["answer_start"]
        assert sum(first <= start < last for first, last in row["sentence_breaks"]) == 1
    breaks = {row["paragraph"]: len(row["sentence_breaks"]) for row in rows}
    retrieval = list(readers.read(SimpleNamespace(reader="xquad_r", header=None), mirror, [f"lareqa/{language}.json"]))
    assert len(retrieval) == 1190 + sum(breaks.values())
    assert sum(len(row["keys"]) for row in retrieval if row["text"]) == 1190


# (file of XTREME's layout, treebank): sentences with the same words (the versions of UD differ), and how many of these
# words have the form of a multi-word token.
SAME = {
    ("udpos/test-kk.tsv", "UD_Kazakh-KTB/kk_ktb-ud-test"): (955, 31),
    ("udpos/test-mr.tsv", "UD_Marathi-UFAL/mr_ufal-ud-test"): (47, 36),
    ("udpos/test-te.tsv", "UD_Telugu-MTG/te_mtg-ud-test"): (146, 0),
    ("udpos/test-tl.tsv", "UD_Tagalog-TRG/tl_trg-ud-test"): (128, 0),
}


@pytest.mark.parametrize(("layout", "treebank"), SAME)
def test_conllu_of_the_mirror_is_what_xtreme_made_of_it(mirror, layout, treebank):
    """Fused forms have the words and tags of XTREME's own files, wherever the sentence has the same words."""
    name = f"udpos_conllu/{treebank}.conllu"
    rows = readers.read(SimpleNamespace(reader="tagged", header=None), mirror, [layout])
    expected = {tuple(row["words"]): row["tags"] for row in rows}
    fused_forms = {
        cells[1] for line in (mirror / name).read_text().split("\n")
        if "-" in (cells := line.split("\t"))[0] and len(cells) == 10
    }  # fmt: skip
    sentences = fused = 0
    for row in readers.read(SimpleNamespace(reader="conllu", header=None), mirror, [name]):
        if tuple(row["words"]) not in expected:
            continue
        sentences += 1
        for word, tag, expected_tag in zip(row["words"], row["tags"], expected[tuple(row["words"])], strict=True):
            if word in fused_forms:
                assert tag == expected_tag, (word, row["words"])
                fused += 1
    assert (sentences, fused) == SAME[layout, treebank]
