"""docs/protocol.md: what it says of our settings is what the recipes of the registry say."""

import re
from pathlib import Path

import pytest
from xstilts import phase, yaml_core
from xstilts.planning import recipe as recipes
from xstilts.planning import registry

TEXT = (Path(__file__).parents[2] / "docs/protocol.md").read_text(encoding="utf-8")
RECIPES = {name: registry.load().recipes[name] for name in ("jiant", "xtreme")}
# `target.warmup: 0.1` of both recipes, or `xtreme.target.warmup: 0` of one
STATED = re.findall(
    r"`(?:(jiant|xtreme)\.)?((?:intermediate|target|early_stopping|bitext)\.[\w.]+|grid_search): ([^`]+)`", TEXT
)
ROWS = [
    [cell.strip() for cell in line.strip("|").split("|")]
    for line in TEXT.split("<!-- training sets -->")[1].split("<!-- end of training sets -->")[0].splitlines()
    if line.startswith("| `")
]


@pytest.mark.parametrize(("recipe", "path", "value"), STATED, ids=[".".join(stated[:2]) for stated in STATED])
def test_value_is_the_recipes(recipe, path, value):
    for name in [recipe] if recipe else RECIPES:
        found = RECIPES[name]
        for key in path.split("."):
            found = found[key]
        assert found == yaml_core.load(value), name


def test_every_setting_is_there():
    """But for the methods beside full fine-tuning, what is compared by training set, and what decides no result."""
    said = {".".join(path.split(".")[-2:]) for _, path, _ in STATED}
    sections = {
        "intermediate": [
            *phase.schema_of("optimisation"),
            "learning_rate",
            "epochs",
            "batch_size",
            "max_length",
            "keep",
        ],
        "target": [*phase.schema_of("optimisation")],
        "span": RECIPES["jiant"]["target"]["span"],
        "retrieval": RECIPES["jiant"]["target"]["retrieval"],
        "early_stopping": RECIPES["jiant"]["early_stopping"],
        "bitext": RECIPES["jiant"]["bitext"],
    }
    lacking = {f"{section}.{key}" for section, keys in sections.items() for key in keys} - said
    off = {f"{each}.{key}" for each in ("intermediate", "target") for key in ("frozen_embeddings", "compile")}
    assert lacking == off | {"bitext.layer", "bitext.sweep"}


@pytest.mark.parametrize("row", ROWS, ids=[row[0].strip("`") for row in ROWS])
def test_training_set_is_trained_as_it_says(row):
    name = row[0].strip("`")
    task = registry.load().tasks[name]
    for recipe, cell in zip(RECIPES, row[-2:], strict=True):
        settings = recipes.settings(RECIPES[recipe]["target"], name, task)
        kept = "last" if recipes.early_stopping(RECIPES[recipe], "target", settings) is None else "best"
        rate, *numbers, step = cell.split("; ")
        assert float(rate) == settings["learning_rate"]
        assert [int(number) for number in numbers] == [settings[key] for key in ("batch_size", "epochs", "max_length")]
        assert step == kept


def test_all_training_sets_of_the_benchmarks_are_there():
    entries = registry.load()
    targets = [entries.tasks[name] for benchmark in entries.benchmarks.values() for name in benchmark.tasks]
    trained = {name for task in targets for name in ((task.name,) if task.trained_on is None else task.trained_on)}
    assert {row[0].strip("`") for row in ROWS} == trained
