"""A study of several worlds: the studies of its worlds together, with the names of each world."""

from dataclasses import replace

import pytest
import yaml
from xstilts.errors import UserError
from xstilts.hardware import Hardware
from xstilts.planning import estimate, registry
from xstilts.planning.settings import find_nodes, link_nodes
from xstilts.store import study_plan
from xstilts.store.stages import COMPUTING
from xstilts.store.study_plan import AXES, select_cells

from tests.builders.plans import plan_study
from tests.builders.projects import ROOT

CONTENT = yaml.safe_load((ROOT / "tests/studies/world.yaml").read_text())
HERE = r"study\.yaml: world: "


@pytest.fixture
def plan(tmp_path):
    """Plan the smallest miniature study with other values for some keys."""
    return lambda **changes: plan_study(tmp_path, CONTENT | changes)


def test_the_nodes_are_those_of_the_studies_of_single_worlds(plan):
    first, second, both = plan(world=1), plan(world=2), plan(world=[1, 2])
    assert list(both.nodes) == [*first.nodes, *second.nodes]
    assert not first.nodes.keys() & second.nodes.keys()
    for name, node in both.nodes.items():
        assert node == (first.nodes | second.nodes)[name]
    assert both.urls == {} and both.distance == first.distance and both.targets == first.targets


def test_a_study_of_one_world_has_no_world_in_names_and_cells(plan):
    alone = plan(world=1)
    assert all(cell.world is None for cell in alone.cells)
    assert alone.study_plan.worlds == () and alone.study_plan.axes == AXES
    assert "mini-micro" in {name for name, _ in alone.named()}


def test_names_begin_with_the_world_and_mean_what_they_mean_in_it(plan):
    both = plan(world=[1, 12])
    for world in (1, 12):
        alone = plan(world=world)
        names = {f"w{world}.{name}": node.id for name, node in alone.named()}
        assert {name: node.id for name, node in both.named() if name.startswith(f"w{world}.")} == names
        (model,) = find_nodes(both, f"w{world}.mini-micro")
        assert model == find_nodes(alone, "mini-micro")[0]
    assert all(name.startswith(("w1.", "w12.")) for name, _ in both.named())
    with pytest.raises(UserError, match=r"mini-mico: no node of study study; did you mean 'w12?\.mini-micro'\?"):
        find_nodes(both, "mini-mico")


def test_what_all_worlds_share_has_no_world_in_its_name(plan):
    both = plan(world=[1, 2], models=["tiny"], mixtures={"none": None}, contrasts={})
    assert [(name, node.stage) for name, node in both.named() if not name.startswith("w")] == [("tiny", "models")]


def test_links_have_the_names(plan, tmp_path):
    both = plan(world=[1, 2])
    link_nodes(both, tmp_path)
    folder = tmp_path / both.folder / "nodes/pretrained"
    assert sorted(link.name for link in folder.iterdir()) == ["w1.mini-micro", "w2.mini-micro"]


def test_cells_have_their_world(plan):
    both = plan(world=[1, 2]).study_plan
    assert both.worlds == (1, 2) and both.axes == (*AXES, "world")
    assert [cell.world for cell in both.cells] == [1] * 10 + [2] * 10
    for world in (1, 2):
        alone = plan(world=world).study_plan
        assert both.in_world(world) == replace(both, cells=alone.cells)
        assert select_cells(both.cells, "study", world=world) == [replace(cell, world=world) for cell in alone.cells]
    with pytest.raises(UserError, match="--world: '3' is not in study study"):
        select_cells(both.cells, "study", world="3")
    with pytest.raises(UserError, match="--world: study study has not several worlds"):
        select_cells(alone.cells, "study", world="1")


def test_title_says_that_scores_are_means_over_worlds(plan):
    assert plan(world=[1, 2, 3]).study_plan.title == "Study study (made-up data, means over 3 worlds)"
    assert plan(world=1).study_plan.title == "Study study (made-up data)"


def test_plan_json_has_the_worlds(plan, tmp_path):
    both = plan(world=[1, 2]).study_plan
    (tmp_path / "plan.json").write_text(study_plan.text(both))
    assert study_plan.read(tmp_path / "plan.json").cells == both.cells


def test_costs_are_those_of_single_worlds(plan, tmp_path):
    entries = registry.load()

    def costs(made):
        nodes = [node for stage in COMPUTING for node in made.stage(stage).values()]
        return {node.id: estimate.of_node(node, made, entries, tmp_path, Hardware()) for node in nodes}

    assert costs(plan(world=[1, 2])) == costs(plan(world=1)) | costs(plan(world=2))


REFUSED = {
    "another source": (
        {"world": [1, 2], "source": "tiny", "models": ["tiny"], "languages": ["en"], "mixtures": {"none": None},
         "contrasts": {}},
        HERE + r"several worlds need `source: miniature`, found 'tiny'; name one world",
    ),
    "one world": ({"world": [1]}, HERE + r"must have at least 2, found \[1\]"),
    "a world twice": ({"world": [1, 1]}, HERE + r"has something twice: \[1, 1\]"),
    "no world": ({"world": []}, HERE + r"must have at least 2, found \[\]"),
    "below zero": ({"world": [1, -1]}, r"world\.1: must be >= 0, found -1"),
    "text": ({"world": [1, "b"]}, r"world\.1: must be a whole number, found 'b'"),
    "a target that no world moves": (
        {"world": [1, 2], "models": ["tiny"], "tasks": {"udpos": {"source": "tiny"}}, "mixtures": {"none": None},
         "contrasts": {}},
        r"targets\.udpos: tiny has the same results in every world",
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", REFUSED)
def test_refused(plan, case):
    changes, message = REFUSED[case]
    with pytest.raises(UserError, match=message) as caught:
        plan(**changes)
    assert "\n" not in str(caught.value)
