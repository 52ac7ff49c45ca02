"""What plan.json says of the languages, and of the text that published models were pretrained on."""

import yaml
from xstilts.planning import registry
from xstilts.planning.plan import make_plan
from xstilts.planning.sourcing import Indexes
from xstilts.store import study_plan
from xstilts.store.study_plan import PlannedLanguage

from tests.builders.plans import plan_study, study_with
from tests.builders.projects import ROOT


def test_real_languages(tmp_path):
    entries = registry.load()
    study = study_with(
        tmp_path,
        models=["xlm-roberta-base", "multilingual-bert"],
        targets={"xquad": {"languages": ["en", "th"]}, "xcopa": {"languages": ["qu"]}},
        source="download",
    )
    plan = make_plan(study, entries, Indexes()).study_plan
    assert plan.languages == {
        "en": PlannedLanguage(name="English", script="Latn", family="Indo-European, Germanic", word_order="SVO"),
        "th": PlannedLanguage(name="Thai", script="Thai", family="Tai-Kadai, Tai", word_order="SVO"),
        "qu": PlannedLanguage(name="Quechua", script="Latn", family="Quechuan", word_order="SOV"),
    }
    # XLM-R has seen no Quechua; of multilingual BERT nothing is stated
    assert plan.corpora == {"xlm-roberta-base": {"en": 300.8, "th": 71.7}}
    (tmp_path / "plan.json").write_text(study_plan.text(plan), encoding="utf-8")
    assert study_plan.read(tmp_path / "plan.json") == plan


def test_made_up_languages(tmp_path):
    """Their names are those of the miniature world, also of ``en``; worlds have them in common."""
    content = yaml.safe_load((ROOT / "tests/studies/world.yaml").read_text())
    plan = plan_study(tmp_path, content | {"world": [1, 2]}).study_plan
    assert plan.languages["en"].name == "Toy English" and plan.corpora == {}
    assert list(plan.parts()) == [1, 2] and plan.parts()[1].languages == plan.languages
