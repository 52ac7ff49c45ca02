"""From an empty folder to a finished study with nothing in the package changed, as the documents say it.

A model of a hub, a folder with a model that the registry does not have, and a registry of one's own with a task, a
recipe and a benchmark.
"""

import re

import pandas as pd
import pytest
import yaml
from xstilts.planning import registry
from xstilts.planning.settings import local, plan_of

from tests.builders import hub
from tests.builders.families import write
from tests.builders.pins import repositories_of
from tests.builders.projects import ROOT, Project, checkout

# what makes the page's study run in seconds, with XNLI's rows made up
SMALL = {
    "source": "tiny",
    "tasks": {"sentiment": {"source": "mirror"}},
    "limits": {"train_rows": 16, "dev_rows": 4},
    "figures": {"only": ["headline"]},
}


def block(page: str, name: str) -> str:
    """Return the file of a page whose first line is its name."""
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    return re.search(rf"^```(?:yaml)?\n(# {re.escape(name)}\n.*?)^```", text, re.M | re.S)[1]


@pytest.fixture(scope="module")
def own(tmp_path_factory):
    """The folder after `make study`, and what that printed."""
    folder = tmp_path_factory.mktemp("own")
    study = yaml.safe_load(block("studies.md", "studies/own.yaml"))
    (folder / "given.yaml").write_text(yaml.safe_dump(study | SMALL))
    project = Project(folder, folder / "given.yaml", registries=["my_registry"], mirror="raw")
    checkout(folder)
    for name in ("tasks", "benchmarks"):
        (folder / "my_registry" / name).mkdir(parents=True)
    (folder / "my_registry/tasks/sentiment.yaml").write_text(block("add-a-task.md", "sentiment.yaml"))
    (folder / "my_registry/benchmarks/mine.yaml").write_text(block("studies.md", "benchmarks/mine.yaml"))
    (folder / "my_registry/recipes.yaml").write_text(block("studies.md", "recipes.yaml"))
    (folder / "raw/sentiment").mkdir(parents=True)
    for split in ("train-en", "test-en", "test-de"):
        rows = [f"review {number} {'good' if number % 2 else 'bad'}\t{number % 2}" for number in range(24)]
        (folder / f"raw/sentiment/{split}.tsv").write_text("\n".join(["review\tstars", *rows]) + "\n")
    for family, place in (("modernbert", folder / "my-encoder"), ("xlm-r", folder / "upstream")):
        place.mkdir()
        write(family, place)
    with hub.serve(models=repositories_of({"doe/polyglot-base": folder / "upstream"})) as address:
        environment = {"HF_ENDPOINT": address, "HF_HOME": str(folder / "cache"), "no_proxy": "127.0.0.1"}
        done = project.xstilts("run", "--cores", "2", **environment)
    return project, done.stdout


def test_study_is_finished(own):
    project, said = own
    scores = pd.read_parquet(project.results / "studies/study/latest/scores.parquet")
    assert set(scores["model"]) == {"polyglot-base", "my-encoder"}
    assert set(scores["target"]) == {"sentiment", "xnli"} and set(scores["recipe"]) == {"short"}
    assert set(scores["language"]) == {"de", "en"}
    assert "my-encoder" in said and "polyglot-base" in said
    assert (project.results / "studies/study/latest/tables/benchmark.csv").exists()
    assert "doe/polyglot-base at aaaa" in (project.results / "studies/study/latest/report.html").read_text()


def test_plan_needs_neither_hub_nor_models(own, monkeypatch):
    """What is beside the study is enough: the models may be gone."""
    project, _ = own
    monkeypatch.chdir(project.folder)
    (project.folder / "my-encoder").rename(project.folder / "gone")
    registry.load.cache_clear()
    plan = plan_of(local())
    (project.folder / "gone").rename(project.folder / "my-encoder")
    made = [(project.results / node / "manifest.json").exists() for node in plan.predictions()]
    assert len(made) == 4 and all(made)
