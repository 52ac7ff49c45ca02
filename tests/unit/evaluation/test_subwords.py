"""Tokens of a few sentences, counted by hand."""

import pytest
from xstilts.evaluation import subwords
from xstilts.evaluation.subwords import Rows
from xstilts.forms import FORMS

from tests.builders import counted


@pytest.fixture
def results(tmp_path):
    counted.tokenizer(tmp_path / "models/m")
    return tmp_path


def rows_in(results, form, by_language, parallel=True, target="xnli"):
    counted.rows(results / f"prepared/{target}", by_language)
    return Rows(target, FORMS[form], tuple(by_language), parallel, f"prepared/{target}", "models/m")


def pair(text_a, text_b):
    return {"text_a": text_a, "text_b": text_b}


def test_texts(results):
    rows = rows_in(results, "classification", {"en": [pair("cats .", "dog"), pair("cats .", None)]})
    found = subwords.count(results, rows, "en")
    # cat ##s . dog: a text that repeats counts once, and the full stop has no letter
    assert (found.tokens, found.words, found.characters, found.rows, found.unknown) == (4, 3, 8, 2, 0)
    assert found.types == {2: 1, 5: 1, 3: 1}


def test_words_that_the_data_give(results):
    rows = rows_in(results, "tagging", {"zh": [{"words": ["猫犬", "猫"], "tags": [0, 1]}]})
    found = subwords.count(results, rows, "zh")
    assert (found.tokens, found.words, found.characters) == (3, 2, 3)
    assert subwords.words_field(FORMS["tagging"]) == "words" and subwords.words_field(FORMS["multiple_choice"]) is None


def test_choices(results):
    rows = rows_in(
        results, "multiple_choice", {"en": [{"context": "", "question": "cat", "choices": ["dog", "dogs"], "label": 0}]}
    )
    assert subwords.count(results, rows, "en").types == {2: 1, 3: 2, 5: 1}


def test_only_the_first_rows_are_counted(results, monkeypatch):
    monkeypatch.setattr(subwords, "ROWS", 1)
    rows = rows_in(results, "classification", {"en": [pair("cat", "dog"), pair("hund", "hund")]})
    found = subwords.count(results, rows, "en")
    assert found.rows == 1 and 4 not in found.types


def test_shared_with_the_source_language(results):
    rows = rows_in(results, "classification", {"en": [pair("cats .", "dog")], "de": [pair("hunden . hund", "cat qqq")]})
    own, source = (subwords.count(results, rows, language) for language in ("de", "en"))
    # hund ##en . hund cat [UNK]: of the five with letters, or unknown ones, English has one; of three types one
    assert own.unknown == 1 and own.types == {4: 2, 6: 1, 2: 1}
    found = subwords.compare(own, source, per_word=True)
    assert found["shared_tokens"] == pytest.approx(100 / 5) and found["shared_types"] == pytest.approx(100 / 3)
    assert (found["fertility"], found["fertility_unit"]) == (6 / 5, "tokens per word")
    assert found["unknown_tokens"] == pytest.approx(100 / 6)
    # 13 letters and a full stop in 6 tokens
    by_character = subwords.compare(own, source, per_word=False)
    assert (by_character["fertility"], by_character["fertility_unit"]) == (17 / 6, "characters per token")
    assert subwords.compare(source, source, per_word=True)["shared_tokens"] == 100


def test_a_tokenizer_without_unknown_tokens(tmp_path):
    """Its first token is one like the others."""
    counted.tokenizer(tmp_path / "models/m", unknown=False)
    rows = rows_in(tmp_path, "classification", {"en": [pair("qqq", "cat")]})
    assert subwords.count(tmp_path, rows, "en").unknown == 0


def test_pruned_nodes_are_named(results):
    rows = rows_in(results, "classification", {"en": [pair("cat", "dog")]})
    with pytest.raises(FileNotFoundError, match="prepared/xnli is not there any more"):
        subwords.count(results, rows, "de")
    (results / "models/m/tokenizer.json").unlink()
    with pytest.raises(FileNotFoundError, match="models/m is not there any more"):
        subwords.count(results, rows, "en")


def test_rows_from_best_to_worst():
    """All languages first, then translations, then most languages."""

    def rows(target, languages, parallel):
        return Rows(target, FORMS["classification"], tuple(languages.split()), parallel, "", "")

    few, more, many, everything = (
        rows("few", "en de", False), rows("more", "en", True), rows("many", "en de sw", True),
        rows("everything", "en de sw th", False),
    )  # fmt: skip
    assert subwords.from_best([few, more, many, everything], ["en", "de", "sw", "th"]) == [everything, many, more, few]
