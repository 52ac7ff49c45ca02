"""Labels: what a spec says, fit for a file's name; and how a study's names lead to nodes and back."""

import csv
import dataclasses
import json
import re
from pathlib import Path

import pytest
import yaml
from xstilts.commands import main
from xstilts.planning import labels, registry, settings
from xstilts.planning.plan import make_plan
from xstilts.planning.sourcing import Indexes
from xstilts.planning.study import read_study
from xstilts.store import specs
from xstilts.store.files import canonical
from xstilts.store.manifest import path_of
from xstilts.store.specs import to_json
from xstilts.store.specs.base import MODEL, Spec

from tests.builders.projects import ROOT, plan_of

STUDIES = {name: ROOT / f"tests/studies/{name}.yaml" for name in ("matrix", "every_stage", "downloads")}


@dataclasses.dataclass(frozen=True)
class Labelled:
    """A node as a label sees it."""

    label: str
    spec: Spec


@pytest.fixture(scope="module")
def plans():
    entries = registry.load()
    return {name: make_plan(read_study(path, entries), entries, Indexes()) for name, path in STUDIES.items()}


@pytest.fixture
def twins(tmp_path, monkeypatch):
    """Plan a study in which two mixtures are the same, and one name is that of several nodes."""
    content = yaml.safe_load(STUDIES["every_stage"].read_text())
    content["mixtures"]["twin"] = content["mixtures"]["three"]
    content["recipes"]["fast"]["bitext"] = {"max_length": 64}
    (tmp_path / "study.yaml").write_text(yaml.safe_dump(content))
    (tmp_path / "config.yaml").write_text("study: study.yaml\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("XSTILTS_STUDY", raising=False)
    return plan_of(tmp_path / "study.yaml")


@pytest.mark.parametrize("name", STUDIES)
def test_a_label_is_a_function_of_the_specs_alone(name, plans):
    made = {}
    for node in plans[name].nodes.values():
        spec = specs.from_json(json.loads(canonical(to_json(node.spec))))
        parents = {role: made[parent] for role, parent in spec.parents.items()}
        made[node.id] = Labelled(labels.label(spec, parents), spec)
        assert made[node.id].label == node.label


@pytest.mark.parametrize("name", STUDIES)
def test_names_of_nodes_are_names_of_files(name, plans):
    nodes = plans[name].nodes.values()
    assert all(re.fullmatch(r"[A-Za-z0-9_.+@-]{1,160}-[0-9a-f]{12}", node.node) for node in nodes)
    assert len({node.digest[:12] for node in nodes}) == len(nodes)
    assert all(node.node == f"{node.label}-{node.digest[:12]}" for node in nodes)


def test_labels_say_what_specs_say(plans):
    said = {node.label for plan in plans.values() for node in plan.nodes.values()}
    assert said >= {
        "multilingual-e5-small",
        "random-2x32",
        "unigram500",
        "xlm-r-1x32.100steps.s0",
        "mnli.training",
        "text.2sets",
        "xnli.3languages",
        "xquad.en",
        "xnli.2languages.96.random-2x32",
        "random-2x32.full.mnli.s1",
        "random-2x32.full.mnli+squad_v1+commonsenseqa.squad_v1.s1",
        "random-2x32.full.mnli+squad_v1+commonsenseqa.squad_v1.s1.on.xquad",
        "xlm-r-1x32.100steps.s0.full.mnli+squad_v1+text.lora.mnli.s2",
        "xlm-r-1x32.100steps.s0.full.mnli+squad_v1+text.s1.grid",
        "xlm-r-1x32.100steps.s0.on.tatoeba",
    }


def test_a_long_label_ends_after_160_characters_of_file_names(plans):
    (node,) = plans["matrix"].stage("intermediate").values()
    (model,) = plans["matrix"].stage("models").values()
    tasks = [dataclasses.replace(node.spec.tasks[0], task=letter * 100) for letter in "aé"]
    spec = dataclasses.replace(node.spec, tasks=tasks)
    label = labels.label(spec, {MODEL: model})
    assert len(label) == 160
    assert label.startswith(f"random-2x32.full.{'a' * 100}+__")
    tasks = [dataclasses.replace(node.spec.tasks[0], task=f"task{index}") for index in range(9)]
    label = labels.label(dataclasses.replace(node.spec, tasks=tasks), {MODEL: model})
    assert label == "random-2x32.full.9tasks.s1"


def test_every_name_stands_in_the_index(twins):
    rows = list(csv.DictReader(twins.as_table().splitlines(), delimiter="\t"))
    assert {(row["stage"], row["name"], row["path"]) for row in rows} == {
        (node.stage, name, f"{node.id}/manifest.json") for name, node in twins.named()
    }
    both = [row["path"] for row in rows if row["name"] in ("mini-micro.fast.three.s1", "mini-micro.fast.twin.s1")]
    assert len(both) == 2
    assert len(set(both)) == 1


def test_another_checkout_may_write_the_same_links(twins, tmp_path, monkeypatch):
    settings.link_nodes(twins, tmp_path)
    # as it looks to one that writes them at the same time
    monkeypatch.setattr(Path, "is_symlink", lambda path: False)
    settings.link_nodes(twins, tmp_path)
    assert {link.readlink().name for link in (tmp_path / twins.folder / "nodes").glob("*/*")} == {
        node.node for node in twins.nodes.values()
    }


def test_every_name_is_a_link(twins, tmp_path):
    for _ in range(2):
        settings.link_nodes(twins, tmp_path)
    folder = tmp_path / twins.folder / "nodes"
    linked = {link.readlink().name: link for link in folder.glob("*/*")}
    assert set(linked) == {node.node for node in twins.nodes.values()}
    for link in folder.glob("*/*"):
        assert (link.parent / link.readlink()).resolve() == (
            tmp_path / link.parent.name / link.readlink().name
        ).resolve()
    names = {link.name for link in folder.glob("intermediate/*")}
    assert names == {
        f"mini-micro.fast.{name}.s{seed}" for name in ("three", "twin", "mnli", "squad_v1") for seed in (1, 2)
    }
    # rows for the vocabulary, and those for the mixture
    text = [node for name, node in twins.named() if name == "text.training"]
    assert len(text) == 4
    names = {link.name for link in folder.glob("prepared/text.training*")}
    assert names == {f"text.training-{node.digest[:12]}" for node in text}


def test_where_translates_both_ways(twins, capsys):
    for name, node in twins.named():
        assert node.id in {found.id for found in settings.find_nodes(twins, name)}
        for path in (node.id, f"results/{node.id}/manifest.json", node.node):
            assert [found.id for found in settings.find_nodes(twins, path)] == [node.id]
    (node,) = [node for name, node in twins.named() if name == "mini-micro.fast.twin.s1"]
    line = f"results/{node.id}/manifest.json\tnot made\tmini-micro.fast.three.s1, mini-micro.fast.twin.s1\n"
    for asked in ("mini-micro.fast.twin.s1", "mini-micro.fast.three.s1", f"results/{node.id}", node.node):
        assert main(["where", asked]) == 0
        assert capsys.readouterr().out == line
    path_of("results", node.id).parent.mkdir(parents=True)
    path_of("results", node.id).touch()
    assert main(["where", node.id, "--spec"]) == 0
    first, second = capsys.readouterr().out.splitlines()
    assert first.split("\t")[1] == "made"
    assert json.loads(second) == to_json(node.spec)
    assert main(["where", "mini-micro.fast.twins.s1"]) == 2
