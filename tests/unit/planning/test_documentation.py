"""Every setting has an origin, which docs/protocol.md bears out; a study's own values are its own."""

import re
from dataclasses import replace

import pytest
from xstilts import schema
from xstilts.planning import documentation, registry

from tests.builders.plans import plan_study, study_of
from tests.builders.projects import ROOT

REGISTRY = registry.load()
RECIPES = {**REGISTRY.recipes, "defaults": schema.check({}, "recipe.yaml", "defaults")}
PROTOCOL = (ROOT / "docs/protocol.md").read_text(encoding="utf-8")
# rows of the tables of settings: setting, paper, jiant, XTREME, ours
ROWS = [row for line in PROTOCOL.splitlines() if len(row := [cell.strip() for cell in line.strip("|").split("|")]) == 5]
KEY = r"`(?:(jiant|xtreme)\.)?((?:intermediate|target|early_stopping|bitext)\.[\w.]+): "
STATED = [
    (recipe, key, row[2], row[3])
    for row in ROWS
    for recipe, key in re.findall(
        r"`(?:(jiant|xtreme)\.)?((?:intermediate|target|early_stopping|bitext)\.[\w.]+): ", row[4]
    )
]
NOT_SAID = ("unknown", "not in it", "none")


def test_every_setting_of_every_recipe_has_an_origin_and_nothing_else_has():
    keys = {key for recipe in RECIPES.values() for key, _ in documentation.leaves(recipe)}
    assert set(REGISTRY.origins) == keys
    for name, recipe in RECIPES.items():
        for key, _ in documentation.leaves(recipe):
            assert documentation.origin_of(key, name, REGISTRY.origins) in ("jiant", "XTREME", "ours")


@pytest.mark.parametrize(("recipe", "key", "jiant", "xtreme"), STATED, ids=[".".join(row[:2]) for row in STATED])
def test_origin_is_a_source_that_says_something(recipe, key, jiant, xtreme):
    if key == "bitext.overrides":
        return
    for name in [recipe] if recipe else ["jiant", "xtreme"]:
        origin = documentation.origin_of(key, name, REGISTRY.origins)
        assert not (origin == "jiant" and jiant in NOT_SAID)
        assert not (origin == "XTREME" and xtreme in NOT_SAID)


@pytest.mark.parametrize("row", [line for line in PROTOCOL.splitlines() if re.match(r"\| `\w+` \|", line)])
def test_training_sets_that_a_source_lacks_have_another_origin(row):
    task, _, jiant, xtreme, *_ = (cell.strip(" `") for cell in row.strip("|").split("|"))
    form = REGISTRY.tasks[task].form
    for key, origin in REGISTRY.origins.items():
        if key.startswith((f"target.overrides.{task}.", f"target.overrides.{form}.")):
            origins = {origin} if isinstance(origin, str) else set(origin.values())
            assert not ("jiant" in origins and jiant == "not in it")
            assert not ("XTREME" in origins and xtreme == "not in it")


def of(folder, **changes):
    study = {"description": "test", "source": "tiny", "models": ["tiny"], **changes}
    return plan_study(folder, study).study_plan.documentation


def test_values_of_the_study_are_its_own(tmp_path):
    mine = {"target": {"learning_rate": 3e-4, "overrides": {"squad_v1": {"epochs": 1}, "mewslix": {"epochs": 9}}}}
    found = of(tmp_path, recipes={"mine": mine, "jiant": None}, targets={"xquad": None})
    origins = {setting.key: (setting.value, setting.origin) for setting in found.settings["mine"]}
    assert origins["target.learning_rate"] == (3e-4, "this study")
    assert origins["target.overrides.squad_v1.epochs"] == (1, "this study")
    assert origins["target.batch_size"] == (32, "jiant")
    # of what is not used nothing is said
    assert not any("mewslix" in key or "rank" in key or "bitext" in key for key in origins)
    registered = {setting.key: setting.origin for setting in found.settings["jiant"]}
    assert registered["target.precision"] == "ours" and "this study" not in registered.values()


def test_cards_are_the_registrys(tmp_path):
    found = of(tmp_path, targets={"xquad": None})
    assert found.tasks["xquad"].licence == REGISTRY.tasks["xquad"].licence
    assert "xnli" not in found.tasks


def test_a_recipe_that_is_written_otherwise_is_documented_alike(tmp_path):
    """The report is written again where this digest changes."""
    own = {"squad_v1": {"epochs": 1, "batch_size": 8}, "span": {"epochs": 2}}
    recipe = {"target": {"learning_rate": 3e-4, "overrides": own}, "early_stopping": {"patience": 3}}
    usual = dict(documentation.leaves(schema.check({}, "recipe.yaml", "defaults")))

    def digest(**changes):
        written = {**recipe, "target": {**recipe["target"], **changes}}
        study = {"description": "test", "source": "tiny", "models": ["tiny"], "targets": {"xquad": None}}
        return [
            plan_study(tmp_path, {**study, "recipes": {"mine": one}}).documentation_digest
            for one in (written, backwards(written))
        ]

    first, other_order = digest()
    assert first == other_order
    assert digest(warmup=usual["target.warmup"]) == [first, first]
    assert first not in digest(warmup=usual["target.warmup"] / 2)


def backwards(value):
    """Return the keys of a recipe in the reverse order, on all levels."""
    return {key: backwards(inner) for key, inner in reversed(value.items())} if isinstance(value, dict) else value


OWN = """
version: 1
form: classification
title: Sentiment
metric: accuracy
labels: [negative, positive]
languages: [en]
licence: CC BY 4.0
bibtex: [mine2026]
sources:
  - kind: files
    reader: tsv
    columns: {text_a: a, label: b}
    training: [a.tsv]
    evaluation: [{split: test, files: [b.tsv]}]
"""


def test_own_tasks_have_works_of_their_own(tmp_path):
    own = tmp_path / "own"
    (own / "tasks").mkdir(parents=True)
    (own / "tasks/sentiment.yaml").write_text(OWN)
    (own / "bibliography.bib").write_text("@misc{mine2026,\n  title = {Mine}\n}\n")
    entries = registry.load((own,))
    (tmp_path / "study").mkdir()
    study = {"description": "test", "models": ["tiny"], "mixtures": ["none", "sentiment"], "targets": {"xnli": None}}
    works = documentation.of_study(study_of(tmp_path / "study", study, entries), (), entries).works
    assert works.tasks["sentiment"].bibtex == ("mine2026",) and "{Mine}" in works.entries["mine2026"]
    # what is trained on and what is scored, and nothing that is not used
    assert set(works.tasks) == {"sentiment", "xnli", "mnli"} and works.languages == {"en": "English"}
    assert "lewis2020mlqa" not in works.entries and "phang2020english" in works.entries


def test_a_changed_citation_is_for_the_paper_alone_and_an_origin_for_the_report(tmp_path):
    study = {"description": "test", "source": "tiny", "models": ["tiny"], "targets": {"xquad": None}}

    def digests(**changes):
        plan = plan_study(tmp_path, study, entries=replace(REGISTRY, **changes))
        return plan.works_digest, plan.documentation_digest, plan.digest

    works, documented, outputs = digests()
    key = REGISTRY.tasks["xquad"].bibtex[0]
    changed = digests(bibliography={**REGISTRY.bibliography, key: "@misc{other,\n}"})
    assert changed[0] != works and changed[1:] == (documented, outputs)
    changed = digests(origins={**REGISTRY.origins, "target.batch_size": "ours"})
    assert changed[1] != documented and changed[::2] == (works, outputs)
    # the entry of a work that the study does not use
    other = REGISTRY.tasks["mewslix"].bibtex[0]
    assert digests(bibliography={**REGISTRY.bibliography, other: "@misc{other,\n}"}) == (works, documented, outputs)
