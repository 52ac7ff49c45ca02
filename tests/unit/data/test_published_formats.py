"""Tasks of the registry read the rows that their data sets publish; the texts here are made up."""

import pyarrow
import pyarrow.parquet
import pytest
from xstilts.data.prepare import prepare
from xstilts.errors import UserError
from xstilts.forms import FORMS
from xstilts.planning import registry
from xstilts.store.specs.base import EXCLUDED, role

from tests.builders.mirrors import jsonl
from tests.builders.plans import node_of

BOOLQ = [{"question": f"is lamp {at} lit", "passage": f"Lamp {at} is lit.", "answer": at % 2 == 0} for at in range(8)]
RACE = [
    {
        "example_id": f"high{at // 2}.txt", "article": f"Ana went out on day {at // 2}.", "answer": "ABCD"[at % 4],
        "question": "Who went out?", "options": ["Ana", "Bo", "Cy", "Di"],
    } for at in range(8)
]  # fmt: skip
WINOGRANDE = [
    {
        "sentence": f"The cup did not fit in box {at}, as the _ was too small.", "option1": "cup", "option2": "box",
        "answer": "2",
    } for at in range(8)
]  # fmt: skip
MULTIRC = [
    {
        "paragraph": f"Bo has {at} boats.", "question": "What has Bo?", "answer": "Boats." if at % 2 else "Bees.",
        "idx": {"paragraph": at, "question": 0, "answer": 0}, "label": at % 2,
    } for at in range(8)
]  # fmt: skip
STORIES = [
    {
        "story_id": f"s-{at}", "input_sentence_1": "Cy was thirsty.", "input_sentence_2": "He saw a well.",
        "input_sentence_3": "He ran to it.", "input_sentence_4": f"It was {at} steps away.",
        "sentence_quiz1": "He drank.", "sentence_quiz2": "He sold it.", "answer_right_ending": 1 + at % 2,
    } for at in range(8)
]  # fmt: skip
STORY = ("", "Cy was thirsty. He saw a well. He ran to it. It was 1 steps away.", ["He drank.", "He sold it."], 1)
# of the hub: configuration, rows of a split; and fields of the prepared row of the second
TRAINING = {
    "boolq": ("default", BOOLQ, ("Lamp 1 is lit.", "is lamp 1 lit", 0)),
    "race": ("all", RACE, ("Ana went out on day 0.", "Who went out?", ["Ana", "Bo", "Cy", "Di"], 1)),
    "winogrande": (
        "winogrande_xl", WINOGRANDE, ("", "The cup did not fit in box 1, as the _ was too small.", ["cup", "box"], 1)
    ),
    "multirc": ("multirc", MULTIRC, ("Bo has 1 boats.", "What has Bo? Boats.", 1)),
}  # fmt: skip


def fields(name, row):
    """Return what the form of a task declares of a prepared row."""
    return tuple(row[field] for field in FORMS[registry.load().tasks[name].form].fields)


def parquet(path, rows):
    """Write rows as a Parquet file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), path)


def of_the_hub(raw, name, files, **study):
    """Prepare a node from files as the hub's source leaves them, by configuration and split."""
    node = raw.node(name, source="download", **study)
    for file, rows in files.items():
        parquet(raw.folder / file, rows)
    tables, stated = prepare(node.spec, raw.folder, ())
    return {split: table.to_pylist() for split, table in tables.items()}, stated


@pytest.mark.parametrize("name", TRAINING)
def test_training_rows_of_the_hub(raw, name):
    config, rows, second = TRAINING[name]
    study = {"mixtures": {"m": [name]}, "targets": {"xnli": None}, "languages": ["de"]}
    parts, _ = of_the_hub(
        raw, f"{name}.training", {f"{config}/{split}": rows for split in ("train", "validation")}, **study
    )
    assert fields(name, parts["train"][1]) == fields(name, parts["dev"][1]) == second
    assert len(parts["train"]) == len(rows)


def test_boolq_and_winogrande_as_files(raw):
    labelled = [{"qID": f"q-{at}", **row} for at, row in enumerate(WINOGRANDE)]
    raw.write({f"boolq/{split}.jsonl": jsonl(*BOOLQ) for split in ("train", "dev")})
    raw.write({f"winogrande/{split}.jsonl": jsonl(*labelled) for split in ("train_xl", "dev")})
    raw.made_up("xnli/test-de.tsv", "mnli/train.json")
    study = {"mixtures": {"m": ["boolq", "winogrande"]}, "targets": {"xnli": None}, "languages": ["de"]}
    for name in ("boolq", "winogrande"):
        parts, stated = raw.prepare(f"{name}.training", **study)
        assert fields(name, parts["train"][1]) == TRAINING[name][2]
        assert stated.sample


STORY = ("", "Cy was thirsty. He saw a well. He ran to it. It was 1 steps away.", ["He drank.", "He sold it."], 1)


def test_xstorycloze(raw):
    """Four columns are one story; English is trained on, and every language is scored."""
    lines = ["\t".join(STORIES[0]), *("\t".join(map(str, row.values())) for row in STORIES)]
    for language, split in (("en", "train"), ("en", "eval"), ("eu", "eval")):
        name = f"xstory_cloze/spring2016.val.{language}.tsv.split_20_80_{split}.tsv"
        raw.put(name, "\n".join(lines) + "\n")
    study = {"targets": {"xstorycloze": None}, "languages": ["en", "eu"], "limits": {"dev_rows": 2}}
    parts, _ = raw.prepare("xstorycloze.training", **study)
    assert len(parts["dev"]) == 2 and len(parts["train"]) == 6
    parts, stated = raw.prepare("xstorycloze.evaluation", **study)
    assert [fields("xstorycloze", parts[language][1]) for language in ("en", "eu")] == [STORY, STORY]
    assert parts["eu"][1]["example_id"] == "s-1"
    assert stated.splits["eu"].sample and stated.splits["eu"].official
    files = {f"{language}/eval": STORIES for language in ("en", "eu")}
    of_hub, _ = of_the_hub(raw, "xstorycloze.evaluation", files, **study)
    assert [fields("xstorycloze", row) for row in of_hub["eu"]] == [fields("xstorycloze", row) for row in parts["eu"]]


@pytest.mark.parametrize("value", [None, 1.5, ["a"]])
def test_a_part_of_a_text_that_is_no_text(raw, value):
    rows = [{**row, "input_sentence_3": value} for row in STORIES]
    study = {"targets": {"xstorycloze": None}, "languages": ["eu"]}
    with pytest.raises(UserError, match=r"eu/eval, row 1: input_sentence_3 is neither text nor a whole number but"):
        of_the_hub(raw, "xstorycloze.evaluation", {"eu/eval": rows}, **study)


def passage(at, words="Words on lamps"):
    """Return a row of Belebele; two questions are on one passage."""
    return {
        "link": f"https://example.org/{at // 2}", "question_number": 1 + at % 2,
        "flores_passage": f"{words} {at // 2}.",
        "question": f"What of {at}?",
        "mc_answer1": "Oil", "mc_answer2": "Gas", "mc_answer3": "Wax", "mc_answer4": "Sun",
        "correct_answer_num": str(1 + at % 4), "dialect": "eng_Latn", "ds": "2023-05-03",
    }  # fmt: skip


BELEBELE = {"targets": {"belebele": None}, "languages": ["de", "zh-Hant"], "limits": {"dev_rows": 2}}


def test_belebele(raw):
    """Items are the same whatever the order of the files; questions on one article are one cluster."""
    rows = [passage(at) for at in range(8)]
    files = {"deu_Latn/test": rows, "zho_Hant/test": rows[::-1]}
    parts, stated = of_the_hub(raw, "belebele.evaluation", files, **BELEBELE)
    by_id = {language: {row["example_id"]: row for row in part} for language, part in parts.items()}
    second = by_id["zh-Hant"]["https://example.org/0 2"]
    assert fields("belebele", second) == ("Words on lamps 0.", "What of 1?", ["Oil", "Gas", "Wax", "Sun"], 1)
    items = {language: {(name, row["cluster_id"]) for name, row in part.items()} for language, part in by_id.items()}
    assert items["de"] == items["zh-Hant"] and len({cluster for _, cluster in items["de"]}) == 4
    assert stated.splits["de"].official
    files = {f"belebele/{code}.jsonl": jsonl(*rows) for code in ("deu_Latn", "zho_Hant")}
    raw.write(files)
    study = {**BELEBELE, "tasks": {"race": {"source": "download"}}}
    assert raw.prepare("belebele.evaluation", **study)[0]["de"] == parts["de"]


def test_race_without_the_passages_of_belebele(raw):
    """Belebele is trained on RACE, but not on rows whose text is one of its English passages."""
    plan = raw.plan(source="download", **BELEBELE)
    contexts, training = (node_of(plan, "prepared", name) for name in ("belebele.contexts.en", "race.training"))
    assert training.spec.parents[role(EXCLUDED, "belebele.test")] == contexts.id
    assert plan.targets["belebele"].trained_on == ("race",)
    passages = [passage(0, "Ana went out on day"), passage(1, "Ana went out on day")]
    parquet(raw.folder / "eng_Latn/test", passages)
    for split in ("train", "validation"):
        parquet(raw.folder / f"all/{split}", RACE)
    tables, _ = prepare(contexts.spec, raw.folder, ())
    prepared = raw.folder / "prepared"
    prepared.mkdir()
    pyarrow.parquet.write_table(tables["en"], prepared / "en.parquet")
    _, stated = prepare(training.spec, raw.folder, [prepared])
    # two of eight rows in either split are on the article "Ana went out on day 0."
    assert stated.left_out["context of an evaluation set"] == 4


INFERENCE = [{"premise": f"Bo has {at} cows.", "hypothesis": "Bo has cows.", "label": at % 3} for at in range(9)]


def test_afrixnli_and_indicxnli(raw):
    study = {"targets": {"afrixnli": None}, "languages": ["rw", "tw"]}
    files = {f"{code}/test": INFERENCE for code in ("kin", "twi")}
    parts, _ = of_the_hub(raw, "afrixnli.evaluation", files, **study)
    assert fields("afrixnli", parts["rw"][1]) == ("Bo has 1 cows.", "Bo has cows.", 1)
    study = {
        "targets": {"indicxnli": {"trained_on": ["indicxnli@or"]}},
        "languages": ["or", "as"],
        "limits": {"dev_rows": 2},
    }
    for split, language in (("train", "or"), ("test", "or"), ("test", "as")):
        raw.put(f"indicxnli/forward/{split}/xnli_{language}.json", {split: INFERENCE})
    parts, _ = raw.prepare("indicxnli.evaluation", **study)
    assert fields("indicxnli", parts["as"][2]) == ("Bo has 2 cows.", "Bo has cows.", 2)
    assert len({row["cluster_id"] for row in parts["or"]}) == 3
    assert len(raw.prepare("indicxnli@or.training", **study)[0]["dev"]) == 2


def test_uner(raw):
    """Dev rows are those of English-EWT, and only entities of three kinds count."""
    text = "# text = Ana\n1\tAna\tB-PER\t-\tx\n2\tRoe\tI-PER\t-\tx\n3\tis\tO\n4\tNorse\tB-OTH\t-\tx\n\n"
    for split in ("train", "dev"):
        raw.put(f"uner/UNER_English-EWT/en_ewt-ud-{split}.iob2", text)
    raw.put("uner/UNER_Danish-DDT/da_ddt-ud-test.iob2", text)
    study = {"targets": {"uner": None}, "languages": ["da"]}
    parts, _ = raw.prepare("uner.training", **study)
    assert len(parts["train"]) == len(parts["dev"]) == 1
    parts, stated = raw.prepare("uner.evaluation", **study)
    assert parts["da"][0]["words"] == ["Ana", "Roe", "is", "Norse"]
    assert stated.splits["da"].labels == {"B-PER": 1, "I-PER": 1, "O": 2}


def test_massive(raw):
    """The copy of the hub has a file a split, the archive one with all splits of a language."""
    labels = ["alarm_set", "weather_query"]
    rows = [
        {
            "id": str(at),
            "partition": ("train", "dev", "test")[at % 3],
            "intent": labels[at % 2],
            "utt": f"wake me at {at}",
        }
        for at in range(24)
    ]
    study = {"targets": {"massive": None}, "languages": ["en", "zh-Hant"], "limits": {"dev_rows": 2}}
    raw.write({f"massive/1.1/data/{locale}.jsonl": jsonl(*rows) for locale in ("en-US", "zh-TW")})
    parts, _ = raw.prepare("massive.training", **study)
    assert len(parts["train"]) + len(parts["dev"]) == 8
    parts, stated = raw.prepare("massive.evaluation", **study)
    assert [row["example_id"] for row in parts["zh-Hant"]] == [str(at) for at in range(24) if at % 3 == 2]
    assert stated.splits["en"].labels == {"alarm_set": 4, "weather_query": 4}
    of_test = [row for row in rows if row["partition"] == "test"]
    copy = [{"id": row["id"], "label": row["intent"], "text": row["utt"]} for row in of_test]
    of_hub, _ = of_the_hub(raw, "massive.evaluation", {"en/test": copy, "zh-TW/test": copy}, **study)
    assert [texts(row) for row in of_hub["zh-Hant"]] == [texts(row) for row in parts["zh-Hant"]]


def texts(row):
    return row["example_id"], *fields("massive", row)


EXAM = [
    {**{f"option_{letter}": f"{letter} {letter}" for letter in "abcd"}, "question": f"Who made {at}?", "answer": at % 4}
    for at in range(8)
]
OF_EXAM = ("", "Who made 1?", ["a a", "b b", "c c", "d d"], 1)


def test_global_mmlu(raw):
    rows = [{**row, "sample_id": f"art/test/{at}", "answer": "ABCD"[row["answer"]]} for at, row in enumerate(EXAM)]
    study = {"targets": {"global_mmlu": None}, "languages": ["tl", "sn"]}
    parts, _ = of_the_hub(raw, "global_mmlu.evaluation", {"fil/test": rows, "sn/test": rows}, **study)
    assert fields("global_mmlu", parts["tl"][1]) == fields("global_mmlu", parts["sn"][1]) == OF_EXAM
    assert parts["tl"][1]["example_id"] == "art/test/1"


def test_include(raw):
    study = {"targets": {"include": None}, "languages": ["mk", "uz"]}
    parts, _ = of_the_hub(raw, "include.evaluation", {"North Macedonian/test": EXAM, "Uzbek/test": EXAM}, **study)
    assert fields("include", parts["mk"][1]) == fields("include", parts["uz"][1]) == OF_EXAM
