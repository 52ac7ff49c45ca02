"""Registries of a user's own beside the package's: every part, every name once, and what is misspelt."""

import pytest
import yaml
from xstilts import schema
from xstilts.errors import UserError
from xstilts.planning import registry
from xstilts.planning.settings import from_config

from tests.builders.plans import study_of

WORK = "@misc{mine2026,\n  title = {Mine}\n}\n"
BENCHMARK = {
    "title": "Mine",
    "citation": "me",
    "tasks": {"xnli": {"languages": ["tlh"], "metrics": ["accuracy"], "group": "sentence", "layout": "xnli"}},
}
PARTS = {
    "mixtures.yaml": {"two": ["mnli", "qqp"]},
    "models.yaml": {"mine": {"hub": "doe/mine", "revision": "v1", "bibtex": ["mine2026"]}},
    "recipes.yaml": {"usual": None, "short": {"target": {"epochs": 1}}},
    "languages.yaml": {"tlh": {"name": "Klingon", "script": "Latn"}},
    "checksums.yaml": {"mine/train.tsv": "0" * 64},
    "claims.yaml": {"mine": {"text": "x", "source": "me", "fact": {"phases": 2}}},
    "benchmarks/mine.yaml": BENCHMARK,
    "bibliography.bib": WORK,
}


def folder_of(folder, **parts):
    """Write the parts of a registry into a folder, by their paths."""
    for name, content in parts.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content if isinstance(content, str) else yaml.safe_dump(content))
    return folder


@pytest.fixture
def own(tmp_path):
    return folder_of(tmp_path / "own", **PARTS)


def test_every_part_is_read(own):
    known = registry.load((own,))
    assert known.mixtures["two"] == ["mnli", "qqp"]
    assert known.models["mine"]["hub"] == "doe/mine" and known.models["mine"]["shape"] is None
    assert known.recipes["usual"] == schema.check({}, "recipe.yaml", "defaults")
    assert known.recipes["short"]["target"]["epochs"] == 1
    assert known.languages["tlh"]["word_order"] is None
    assert known.checksums["mine/train.tsv"] == "0" * 64
    assert "mine" in known.claims
    assert known.benchmarks["mine"].tasks["xnli"].languages == ("tlh",)
    assert known.bibliography["mine2026"] == WORK.strip()
    # and all that the package has
    assert registry.load().tasks == known.tasks and registry.load().miniature == known.miniature


def test_a_study_names_what_is_there(own, tmp_path):
    known = registry.load((own,))
    study = {"description": "x", "models": ["mine"], "recipes": {"short": None}, "mixtures": ["none", "two"]}
    read = study_of(tmp_path, {**study, "targets": {"xnli": None}}, known)
    assert [task.task for task in read.mixtures["two"].tasks] == ["mnli", "qqp"]
    assert read.recipes["short"]["target"]["epochs"] == 1


def test_a_wrong_mixture_names_its_file(own, tmp_path):
    folder_of(own, **{"mixtures.yaml": {"two": ["mnli", "qpq"]}})
    known = registry.load((own,))
    study = {"description": "x", "models": ["mine"], "mixtures": ["two"], "targets": {"xnli": None}}
    with pytest.raises(UserError, match=r"own/mixtures\.yaml: two: .*'qpq'.* did you mean 'qqp'"):
        study_of(tmp_path, study, known)


KNOWN = {
    "mixtures.yaml": ({"nine": ["mnli"]}, "'nine' is the name of a mixture in {package}/mixtures.yaml already"),
    "models.yaml": ({"tiny": {}}, "'tiny' is the name of a model in {package}/models.yaml already"),
    "recipes.yaml": ({"jiant": None}, "'jiant' is the name of a recipe in {package}/recipes.yaml already"),
    "languages.yaml": (
        {"de": {"name": "x", "script": "Latn"}},
        "'de' is the name of a language in {package}/languages.yaml already",
    ),
    "benchmarks/xtreme.yaml": (BENCHMARK, "'xtreme' is the name of a benchmark in {package}/benchmarks/xtreme.yaml"),
    "bibliography.bib": (
        "@misc{xue2021mt5,\n  title = {Mine}\n}\n",
        "'xue2021mt5' is the name of a work in {package}/bibliography.bib already",
    ),
}


@pytest.mark.parametrize("part", KNOWN)
def test_a_name_that_is_known_is_refused_with_both_files(part, tmp_path):
    content, message = KNOWN[part]
    own = folder_of(tmp_path / "own", **{part: content})
    with pytest.raises(UserError) as error:
        registry.load((own,))
    assert str(error.value).startswith(f"{own / part}: ")
    assert message.format(package=registry.FOLDER) in str(error.value)


def test_a_name_of_another_folder_is_refused(own, tmp_path):
    other = folder_of(tmp_path / "other", **{"recipes.yaml": {"short": None}})
    with pytest.raises(
        UserError, match=r"other/recipes\.yaml: 'short' is the name of a recipe in .*/own/recipes\.yaml"
    ):
        registry.load((own, other))


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"model.yaml": {}}, r"own/model\.yaml is no part of a registry; known: tasks, .*models\.yaml"),
        ({"task/a.yaml": {}}, "own/task is no part of a registry; known: tasks, "),
        ({"sentiment.yaml": {}}, r"own/sentiment\.yaml is no part of a registry; known: .*tasks"),
        ({"README.md": "x"}, "own has no part of a registry; known: "),
        ({"models.yaml": {"a": {"hubs": "b/c"}}}, r"own/models\.yaml: a\.hubs: unknown key; did you mean 'hub'"),
        ({"models.yaml": {"a b": {}}}, "'a b' is not of the form letters"),
        ({"models.yaml": ""}, r"own/models\.yaml: .*found an empty file"),
        (
            {"models.yaml": {"a": {"weights_of": "mt5-bass", "submodel": "encoder"}}},
            r"own/models\.yaml: a\.weights_of: unknown model 'mt5-bass'; did you mean 'mt5-base'",
        ),
        ({"recipes.yaml": {"a": {"target": {"epoch": 1}}}}, r"recipes\.yaml: a\.target\.epoch: unknown key"),
        ({"benchmarks/a b.yaml": BENCHMARK}, r"a b\.yaml: the file's name, which becomes the benchmark's: "),
    ],
)
def test_what_is_misspelt_is_refused(parts, message, tmp_path):
    own = folder_of(tmp_path / "own", **parts)
    with pytest.raises(UserError, match=message) as error:
        registry.load((own,))
    assert len(str(error.value).splitlines()) == 1


@pytest.mark.parametrize("name", ["nowhere", "n" * 300])
def test_a_folder_that_is_not_there(name):
    with pytest.raises(UserError, match=f"registries: no such folder: {name}"):
        from_config({"study": "a.yaml", "registries": [name]})


def test_folders_may_come_from_the_environment(own, monkeypatch):
    monkeypatch.setenv("MINE", str(own))
    monkeypatch.delenv("THEIRS", raising=False)
    settings = from_config({"study": "a.yaml", "registries": ["$MINE", "$THEIRS"]})
    assert settings.registries == (own,)
