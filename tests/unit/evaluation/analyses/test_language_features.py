"""Features of languages: what the plan says, what a model was pretrained on, and what is counted."""

import dataclasses

import pandas as pd
import pytest
from xstilts.evaluation.analyses import language_features
from xstilts.store import manifest
from xstilts.store.manifest import PreparedResults, PreparedSplit
from xstilts.store.sampling import Sampling
from xstilts.store.specs import to_json
from xstilts.store.specs.data import Content, UnionSpec
from xstilts.store.specs.models import ModelSpec, PretrainedSpec, Shape, TargetSpec
from xstilts.store.study_plan import Corpus, PlannedLanguage, PlannedNode

from tests.builders import counted
from tests.builders.compared import TATOEBA, XNLI, analysed, only, study
from tests.builders.predicted import training_data, training_spec

LANGUAGES = {
    "en": PlannedLanguage(name="English", script="Latn", family="Indo-European, Germanic", word_order="SVO"),
    "de": PlannedLanguage(name="German", script="Latn", family="Indo-European, Germanic", word_order="several"),
    "th": PlannedLanguage(name="Thai", script="Thai", family="Tai-Kadai, Tai", word_order="SVO"),
}
TEXTS = {"en": "cats . dog", "de": "hunden . cat", "th": "猫犬"}


@pytest.fixture
def made(tmp_path):
    """A study of one target in three languages, with its rows and a tokenizer."""
    found = study(tmp_path, {("s", "none"): [50]}, parallel=["xnli"])
    texts = {language: [{"text_a": text, "text_b": None}] for language, text in TEXTS.items()}
    counted.rows(tmp_path / "prepared/xnli", texts)
    counted.tokenizer(tmp_path / "tokenizers/t")
    return found


def collect(made, languages=("en", "de", "th"), target="xnli", **changes):
    scores = pd.DataFrame({"target": target, "language": list(languages)})
    plan = made.plan(**{"languages": LANGUAGES} | changes)
    frame = language_features.collect(plan, made.results, pd.DataFrame(), scores)
    assert language_features.TABLE.problem(frame) is None
    return frame


def test_what_the_plan_says_and_what_is_counted(made):
    frame = collect(made, corpora={"s": Corpus("GiB", {"en": 300.8, "de": 66.6})})
    row = only(frame, language="de")
    assert (row["name"], row["script"], row["word_order"], row["source"]) == ("German", "Latn", "several", "en")
    assert (row["in_pretraining"], row["pretraining_size"], row["pretraining_unit"]) == ("yes", 66.6, "GiB")
    # hund ##en . cat, of which English has cat
    assert (row["fertility"], row["fertility_unit"]) == (4 / 3, "tokens per word")
    assert row["shared_tokens"] == row["shared_types"] == pytest.approx(100 / 3)
    assert (row["counted_on"], row["parallel"], row["rows"], row["reason"]) == ("xnli", True, 1, "")
    row = only(frame, language="th")
    assert (row["in_pretraining"], row["pretraining_unit"]) == ("no", "") and pd.isna(row["pretraining_size"])
    assert (row["fertility"], row["fertility_unit"]) == (1, "characters per token")


def test_a_model_whose_text_is_not_known(made):
    assert set(collect(made)["in_pretraining"]) == {""}


def test_random_weights(made):
    random = ModelSpec(version=1, parents={}, source=Content(kind="tiny", files={}, seed=0, shape={"layers": 2}))
    made.nodes["models/s"] = PlannedNode("", ("s",), to_json(random))
    assert set(collect(made)["in_pretraining"]) == {"no"}


@pytest.mark.parametrize("steps", [0, 10])
def test_a_model_that_is_pretrained_here(made, steps):
    """Its languages are those of its text; a model without any step has seen none of it."""
    for language, rows in {"en": 40, "de": 30}.items():
        data = training_data("text", language)
        made.nodes[f"prepared/{language}"] = PlannedNode("", ("",), to_json(data))
        split = PreparedSplit(rows=rows, labels={})
        stated = manifest.text(data, {}, PreparedResults(splits={"train": split, "dev": split}, left_out={}))
        (made.results / f"prepared/{language}").mkdir(parents=True)
        (made.results / f"prepared/{language}/manifest.json").write_text(stated)
    union = UnionSpec(
        version=1, parents={"member.text": "prepared/en", "member.text@de": "prepared/de"}, task="text", form="mlm",
        labels=None, language="en", members=["text", "text@de"], train_rows=None, dev_rows=1, shuffled_labels=False,
    )  # fmt: skip
    made.nodes["prepared/text"] = PlannedNode("", ("",), to_json(union))
    made.nodes["tokens/text"] = PlannedNode("", ("",), {"parents": {"prepared": "prepared/text"}})
    made.nodes["models/s"] = PlannedNode("", ("",), pretrained(steps))
    frame = collect(made)
    assert frame["in_pretraining"].tolist() == (["yes", "yes", "no"] if steps else ["no"] * 3)
    assert only(frame, language="de")["pretraining_unit"] == ("texts" if steps else "")
    if steps:
        assert frame["pretraining_size"].tolist()[:2] == [40, 30]
        (made.results / "prepared/de/manifest.json").unlink()
        row = only(collect(made), language="de")
        assert row["in_pretraining"] == "yes" and pd.isna(row["pretraining_size"])


def pretrained(steps):
    """Return the spec of a model that is pretrained on the text, as JSON."""
    trained = vars(training_spec(TargetSpec, [], 0, {"tokens.text": "tokens/text"})) | {
        "sampling": Sampling(steps=steps)
    }
    shape = Shape(layers=1, hidden_size=8, heads=1, intermediate_size=8, initializer_range=0.02, dropout=0)
    return to_json(PretrainedSpec(**trained, shape=shape))


def test_what_was_not_counted_is_said(made):
    frame = collect(made, languages=("en", "de", "sw"))
    row = only(frame, language="sw")
    assert row["reason"] == "prepared/xnli is not there any more" and row["counted_on"] == ""
    assert pd.isna(row["fertility"]) and row["name"] == "sw"
    assert only(frame, language="de")["reason"] == ""


def test_retrieval_is_not_counted(tmp_path):
    made = study(tmp_path, {("s", "none"): [50]}, targets={"tatoeba": TATOEBA})
    frame = collect(made, languages=("de",), target="tatoeba")
    assert set(frame["reason"]) == {
        f"no target but those of retrieval has rows in {language} and in en" for language in ("en", "de")
    }


def test_source_languages_each_have_rows(made):
    """A target that is trained in German compares with German."""
    made.targets = {"xnli": XNLI, "xnli@de": dataclasses.replace(XNLI, language="de")}
    made.cells.append(dataclasses.replace(made.cells[0], target="xnli@de"))
    scores = pd.DataFrame({"target": ["xnli", "xnli@de"] * 2, "language": ["en", "en", "de", "de"]})
    frame = language_features.collect(made.plan(languages=LANGUAGES), made.results, pd.DataFrame(), scores)
    assert frame[["source", "language"]].to_numpy().tolist() == [["en", "en"], ["en", "de"], ["de", "de"], ["de", "en"]]
    # cat ##s . dog, of whose tokens with letters German has cat
    assert only(frame, source="de", language="en")["shared_tokens"] == pytest.approx(100 / 3)


def test_the_table_of_a_whole_study(made):
    frame, _ = analysed(made, language_features, languages=LANGUAGES)
    assert frame["language"].tolist() == ["en", "de"]
