"""Tasks of the registry read the rows that their data sets publish; the texts here are made up."""

import pyarrow
import pyarrow.parquet
import pytest
from xstilts.data.prepare import prepare
from xstilts.errors import UserError
from xstilts.forms import FORMS
from xstilts.planning import registry

from tests.builders.mirrors import jsonl

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


def of_the_hub(raw, name, files, **study):
    """Prepare a node from files as the hub's source leaves them, by configuration and split."""
    node = raw.node(name, source="download", **study)
    for file, rows in files.items():
        (raw.folder / file).parent.mkdir(parents=True, exist_ok=True)
        pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), raw.folder / file)
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
