"""The table of languages, what plan.json says of them, and of the text that published models were pretrained on."""

import re

import pytest
import yaml
from xstilts.errors import UserError
from xstilts.planning import registry
from xstilts.planning.languages import check_language, codes_in_files
from xstilts.planning.plan import make_plan
from xstilts.planning.sourcing import Indexes
from xstilts.store import study_plan
from xstilts.store.study_plan import Corpus, PlannedLanguage

from tests.builders.plans import plan_study, study_with
from tests.builders.projects import ROOT

# an index of a folder with the weights of mT5, which has no download
MT5 = {"mt5-base": {"model.safetensors": {"sha256": "0" * 64, "bytes": 1}}}


def test_a_language_of_ones_own_is_one_of_the_table(tmp_path):
    own = tmp_path / "languages.yaml"
    own.write_text("gsw: {name: Swiss German, script: Latn}\nuz-Cyrl: {name: Uzbek (Cyrillic), script: Cyrl}\n")
    languages = registry.load((tmp_path,)).languages
    assert {tag: row["script"] for tag, row in list(languages.items())[-2:]} == {"gsw": "Latn", "uz-Cyrl": "Cyrl"}
    assert languages["gsw"].keys() == languages["de"].keys()
    check_language("uz-Cyrl", languages, "here")
    own.write_text("swh_Latn: {name: Swahili, script: Latn}\n")
    registry.load.cache_clear()
    with pytest.raises(UserError, match=r"'swh_Latn' is not of the form a tag by BCP 47: .*\(am, quy, zh-Hant\)$"):
        registry.load((tmp_path,))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("swh_Latn", "here: write 'sw' for 'swh_Latn'; it is Swahili"),
        ("zh-Hans", "here: write 'zh' for 'zh-Hans'; it is Chinese"),
        (
            "German",
            "here: unknown language 'German'; did you mean 'de' (German)? to add it, give languages.yaml a row such as"
            " xx: {name: ..., script: Latn} (docs/add-a-task.md)",
        ),
    ],
)
def test_unknown_language(name, message):
    with pytest.raises(UserError) as raised:
        check_language(name, registry.load().languages, "here")
    assert str(raised.value) == message


@pytest.mark.parametrize(
    ("name", "tag"),
    [("zh_CN", "zh"), ("nb-NO", "nb"), ("no", "nb"), ("iw", "he"), ("uz-Cyrl", None), ("Klingon", None)],
)
def test_tag_that_is_meant(name, tag):
    with pytest.raises(UserError) as raised:
        check_language(name, registry.load().languages, "here")
    assert re.findall("did you mean '(.*?)'", str(raised.value)) == ([tag] if tag else [])


def test_unknown_language_of_the_miniature_world():
    with pytest.raises(UserError, match="^here: unknown language 'xy'; known: en, qab, qad, qae, qag, qao, qaz$"):
        check_language("xy", registry.load().of("miniature").languages, "here")


def test_codes_in_files_are_a_column_of_the_table():
    languages = registry.load().languages
    assert codes_in_files("flores", ["sw", "quy"], languages, "here") == {"sw": "swh_Latn", "quy": "quy_Latn"}
    assert codes_in_files({"sw": "swa"}, ["sw", "br"], languages, "here") == {"sw": "swa"}
    with pytest.raises(UserError, match="^here: codes: languages.yaml has no 'flores' of 'br'; write the codes by"):
        codes_in_files("flores", ["sw", "br"], languages, "here")


def test_real_languages(tmp_path):
    entries = registry.load()
    study = study_with(
        tmp_path,
        models=["xlm-roberta-base", "mt5-base-encoder", "multilingual-bert"],
        targets={"xquad": {"languages": ["en", "th"]}, "xcopa": {"languages": ["qu"]}},
        source="download",
    )
    plan = make_plan(study, entries, Indexes(models=MT5)).study_plan
    assert plan.languages == {
        "en": PlannedLanguage(name="English", script="Latn", family="Indo-European, Germanic", word_order="SVO"),
        "th": PlannedLanguage(name="Thai", script="Thai", family="Tai-Kadai, Tai", word_order="SVO"),
        "qu": PlannedLanguage(name="Quechua", script="Latn", family="Quechuan", word_order="SOV"),
    }
    # XLM-R and mT5 have seen no Quechua; of multilingual BERT nothing is stated
    assert plan.corpora == {
        "xlm-roberta-base": Corpus("GiB", {"en": 300.8, "th": 71.7}),
        "mt5-base-encoder": Corpus("billions of tokens", {"en": 2733, "th": 11}),
    }
    (tmp_path / "plan.json").write_text(study_plan.text(plan), encoding="utf-8")
    assert study_plan.read(tmp_path / "plan.json") == plan


def test_made_up_languages(tmp_path):
    """Their names are those of the miniature world, also of ``en``; worlds have them in common."""
    content = yaml.safe_load((ROOT / "tests/studies/world.yaml").read_text())
    plan = plan_study(tmp_path, content | {"world": [1, 2]}).study_plan
    assert plan.languages["en"].name == "Toy English" and plan.corpora == {}
    assert list(plan.parts()) == [1, 2] and plan.parts()[1].languages == plan.languages
