"""A task of one's own: the file in docs/add-a-task.md, used as that page says, and what is said where it is wrong."""

import re

import pytest
from xstilts.commands import main
from xstilts.errors import UserError
from xstilts.planning import registry
from xstilts.planning.settings import local
from xstilts.planning.settings import plan_of as plan_with
from xstilts.store import manifest
from xstilts.store.manifest import path_of

from tests.builders.plans import make, named
from tests.builders.projects import ROOT, Project

PAGE = (ROOT / "docs/add-a-task.md").read_text(encoding="utf-8")
(TASK,) = re.findall(r"^```yaml\n(.*?)^```", PAGE, re.M | re.S)
ROWS = {
    "train-en": [(f"review {number}", number % 2) for number in range(24)],
    "test-en": [("A joy.", 1), ("It \"drags\".", 0), ("No.", 0)],
    "test-de": [("Eine Freude.", 1), ("Nein.", 0)],
}  # fmt: skip
UNKNOWN = (
    "languages: unknown language 'xx'; to add it, give languages.yaml a row such as xx: {name: ..., script: Latn}"
    " (docs/add-a-task.md)"
)
STUDY = """
description: A task of one's own, made up data beside it.
source: tiny
tasks: {sentiment: {source: mirror, dev_rows: 4}}
models: [tiny]
recipes: {quick: {intermediate: {max_length: 64}, target: {max_length: 64}}}
mixtures: {none: , sentiment: [sentiment], both: [mnli, sentiment]}
targets: {sentiment: , xnli: }
languages: [de, en]
seeds: [1]
"""


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A folder with the page's task, its data in a mirror, a study, and a configuration that names them."""
    own, raw = tmp_path / "registry/tasks", tmp_path / "raw/sentiment"
    own.mkdir(parents=True)
    raw.mkdir(parents=True)
    name = TASK.splitlines()[0].removeprefix("# ")
    (own / name).write_text(TASK, encoding="utf-8")
    for split, rows in ROWS.items():
        lines = ["review\tstars", *(f"{review}\t{stars}" for review, stars in rows)]
        (raw / f"{split}.tsv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    study = tmp_path / "given.yaml"
    study.write_text(STUDY)
    project = Project(tmp_path, study, mirror="raw", registries=["registry"])
    monkeypatch.chdir(tmp_path)
    return project


def plan_of(project):
    """Index the mirror, then plan as every command does: by config.yaml."""
    assert main(["index-mirror", "raw"]) == 0
    return plan_with(local())


def test_the_page_shows_the_layout_of_its_data(project):
    """What the page says of files is what its task names."""
    task = registry.load((project.folder / "registry",)).tasks["sentiment"]
    (source,) = task.sources
    names = [*source.training, *(task.file(name, language) for split in source.evaluation for name in split.files
                                 for language in task.languages)]  # fmt: skip
    assert sorted(names) == sorted(f"sentiment/{split}.tsv" for split in ROWS)
    assert all(f"/data/raw/{name}" in PAGE for name in names)


def test_own_task_is_intermediate_and_target(project):
    plan = plan_of(project)
    assert {(cell.mixture, cell.target) for cell in plan.cells} == {
        (mixture, target) for mixture in ("none", "sentiment", "both") for target in ("sentiment", "xnli")
    }
    trained = {name: [task.task for task in node.spec.tasks]
               for stage in ("intermediate", "targets") for name, node in named(plan, stage).items()}  # fmt: skip
    assert trained["tiny.quick.both.s1"] == ["mnli", "sentiment"]
    assert trained["tiny.quick.sentiment.s1"] == ["sentiment"]
    assert trained["tiny.quick.none.s1.sentiment"] == ["sentiment"]
    assert plan.targets["sentiment"].metric == "accuracy"
    assert not plan.notes


def made(plan, name, results):
    """Make a node and what it needs, and return its manifest."""
    make(plan, name, results, mirror="raw")
    return manifest.read(path_of(results, name))


def test_own_task_is_prepared_and_tokenised(project):
    plan = plan_of(project)
    instances = {}
    for name, node in named(plan, "tokens").items():
        if ".sentiment." in name:
            prepared = made(plan, node.spec.parents["prepared"], project.results)
            tokens = made(plan, node.id, project.results)
            instances |= {split: entry.instances for split, entry in tokens.results.splits.items()}
            if prepared.spec.kind == "training":
                # of 24 rows four are for early stopping; 10,000 should be there
                assert prepared.results.sample and set(prepared.results.splits["train"].labels) == {
                    "negative",
                    "positive",
                }
            else:
                assert prepared.results.splits["en"].labels == {"negative": 2, "positive": 1}
                assert prepared.results.splits["de"].official and prepared.results.splits["de"].sample
    assert instances == {"train": 20, "dev": 4, "en": 3, "de": 2}


def test_data_card_of_an_own_task(project, capsys):
    plan_of(project)
    capsys.readouterr()
    assert main(["data-card", "sentiment"]) == 0
    card = capsys.readouterr().out
    assert card.startswith("# Sentiment (`sentiment`, version 1)")
    assert "citation: Doe et al. 2026" in card


def wrong(project, change=None, name="sentiment.yaml"):
    """Return the error of a folder of tasks in which the file is changed, or called otherwise; the folder as ``-``."""
    file = project.folder / "registry/tasks/sentiment.yaml"
    text = file.read_text()
    file.unlink()
    if change is not None:
        assert (changed := change(text)) != text or name != "sentiment.yaml"
        (project.folder / "registry/tasks" / name).write_text(changed)
    registry.load.cache_clear()
    with pytest.raises(UserError) as error:
        local()
    assert len(str(error.value).splitlines()) == 1
    return str(error.value).replace("registry/tasks", "-", 1)


def test_name_that_the_registry_has(project):
    message = wrong(project, lambda text: text, "mnli.yaml")
    path = registry.FOLDER / "tasks/mnli.yaml"
    assert message == f"-/mnli.yaml: 'mnli' is the name of a task in {path} already; give this one another"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("reader: tsv", "raeder: tsv", "sources.0.raeder: unknown key; did you mean 'reader'?"),
        ("metric:", "metrics:", "metrics: unknown key; did you mean 'metric'?"),
        ("reader: tsv", "reader: tvs", "sources.0.reader: 'tvs' is not possible; did you mean 'tsv'?"),
        ("form: classification", "form: clasification", "is not possible; did you mean 'classification'?"),
        ("version: 1\n", "", "(top level): needs the key 'version'"),
        ("version: 1\n", "version: 1\nversion: 2\n", ":3: not valid YAML: key 'version' is given twice"),
    ],
)  # fmt: skip
def test_keys_and_values_that_are_wrong(project, old, new, message):
    found = wrong(project, lambda text: text.replace(old, new, 1))
    assert found.startswith("-/sentiment.yaml") and found.endswith(message)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("[de, en]", "[de, xx]", UNKNOWN),
        ("labels: [negative, positive]\n", "", "labels: a task of the form classification needs its label names"),
        ("    reader: tsv\n", "", "sources: a source needs a `reader`, or a `union`"),
        ("parallel: false", "trained_on: [mlni]", "unknown task 'mlni'; did you mean 'mnli'?"),
        ("parallel: false", "trained_on: [qqp]", "trained_on: 'qqp' has another form or other labels than this task"),
        ("form: classification", "form: tagging\n#", "labels: a task of the form tagging needs its label names"),
    ],
)  # fmt: skip
def test_what_a_task_cannot_be(project, old, new, message):
    """The last one: without label names a tagging task could be trained, but its evaluation rows have no numbers."""

    def change(text):
        text = text.replace(old, new, 1)
        return text.replace("labels: [negative, positive]\n", "") if "tagging" in new else text

    assert wrong(project, change) == f"-/sentiment.yaml: {message}"


def test_label_that_the_task_does_not_know(project):
    (project.folder / "raw/sentiment/test-de.tsv").write_text("review\tstars\nGut.\t3\n")
    (note,) = [note for note in plan_of(project).notes if note.startswith("sentiment: ")]
    assert "no data in de (sentiment/test-de.tsv, row 1: label '3' is none of 0, 1; placeholder labels" in note
