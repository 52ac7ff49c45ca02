"""Why a node has to be made, and what differs between two studies: one line each."""

import copy
import dataclasses

import pytest
import yaml
from xstilts.commands import main
from xstilts.planning.differences import Comparison, between_plans, changes, comparison
from xstilts.store import study_plan
from xstilts.store.manifest import path_of
from xstilts.store.specs import to_json
from xstilts.store.stages import STAGES

from tests.builders.projects import STUDY, plan_of

CONTENT = yaml.safe_load(STUDY.read_text())


@pytest.fixture
def plan(tmp_path):
    """Plan the matrix study, with keys that replace its own."""

    def planned(name="study", **keys):
        path = tmp_path / f"{name}.yaml"
        path.write_text(yaml.safe_dump({**CONTENT, **keys}, sort_keys=False))
        return plan_of(path)

    return planned


def compared(plan, *earlier, made=None):
    """Compare a plan with results of earlier ones: all of them, or those that are named."""
    specs = {node.id: to_json(node.spec) for each in (plan, *earlier) for node in each.nodes.values()}
    return Comparison(specs, frozenset(made if made is not None else (name for each in earlier for name in each.nodes)))


def id_of(plan, stage, name):
    (found,) = [node.id for known, node in plan.named() if known == name and node.stage == stage]
    return found


def recipe(**phase):
    content = copy.deepcopy(CONTENT["recipes"])
    content["quick"]["target"].update(phase)
    return content


def keep(results, plan, stages=STAGES, names=("record.json", "manifest.json")):
    """Pretend that nodes of a plan are made."""
    (results / plan.folder).mkdir(parents=True)
    (results / plan.folder / "plan.json").write_text(study_plan.text(plan.study_plan))
    for node in plan.nodes.values():
        if node.stage in stages:
            path_of(results, node.id).parent.mkdir(parents=True)
            for name in names:
                (path_of(results, node.id).parent / name).touch()


def test_the_nearest_result_has_the_fewest_differences(plan):
    old, new = plan(seeds=[1, 2]), plan(recipes=recipe(warmup=0.5, weight_decay=0.01), seeds=[1])
    again = plan(recipes=recipe(warmup=0.5), seeds=[1])
    name = id_of(new, "targets", "tiny.quick.three.s1.mnli")
    for earlier, nearest in (((old,), old), ((old, again), again)):
        comparing = compared(new, *earlier)
        assert comparing.nearest(name) == id_of(nearest, "targets", "tiny.quick.three.s1.mnli")
    (only,) = comparing.between(name, comparing.nearest(name))
    assert str(only) == "optimisation.weight_decay of targets is 0.01, was 0"


def test_settings_of_runs_with_other_seeds(plan):
    old, new = plan(seeds=[1]), plan(recipes=recipe(warmup=0.5), seeds=[2])
    pair = (id_of(new, "targets", "tiny.quick.three.s2.mnli"), id_of(old, "targets", "tiny.quick.three.s1.mnli"))
    said = compared(new, old).settings_between([pair, pair])
    assert said == "optimisation.warmup of targets is 0.5, was 0.1"
    assert compared(new, old).settings_between([(pair[0], pair[0])]) == ""


def test_of_a_task_that_is_added_or_removed_its_name_says_it_all(plan):
    old, new = plan(), plan(mixtures={"none": None, "three": ["mnli", "squad_v1"]})
    name = id_of(new, "intermediate", "tiny.quick.three.s1")
    nearest = id_of(old, "intermediate", "tiny.quick.three.s1")
    lists = "mnli, squad_v1", "mnli, squad_v1, commonsenseqa"
    said = "tasks of intermediate is {}, was {} (nearest: {})"
    assert compared(new, old).why(name) == f"{name}: {said.format(*lists, nearest)}"
    assert compared(old, new).why(nearest) == f"{nearest}: {said.format(*reversed(lists), name)}"


def test_what_changed_far_above_is_named_with_its_stage(plan):
    old, new = plan(), plan(limits={"dev_rows": 16, "train_rows": 8}, tasks={"mnli": {"train_rows": 40}})
    name = id_of(new, "retrieval", "tiny.quick.three.s1.tatoeba")
    line = compared(new, old).why(name)
    assert line.startswith(f"{name}: train_rows of prepared is 40, was null; train_rows of prepared is 8, was null")
    assert "\n" not in line


def test_a_parent_that_only_one_has_is_named(plan):
    """Nothing in the spec of training data says that contexts of a target may not be in it."""
    old, new = plan(), plan(targets={"xnli": None, "udpos": None, "tatoeba": None})
    name = id_of(new, "prepared", "squad_v1.training")
    contexts = id_of(old, "prepared", "xquad.contexts.en")
    assert f": parent exclude.xquad.test of prepared is not set, was {contexts} (" in compared(new, old).why(name)


def test_a_raised_version_is_named(plan, monkeypatch):
    old = plan()
    monkeypatch.setitem(STAGES, "tokens", dataclasses.replace(STAGES["tokens"], version=99))
    new = plan()
    before = old.stage("tokens").values()
    was = {node.spec.version for node in before}.pop()
    for stage in ("tokens", "targets", "predictions"):
        name = next(node.id for node in new.stage(stage).values())
        assert f": version of tokens is 99, was {was} (nearest: " in compared(new, old).why(name)


def test_long_lists_of_names_are_shortened(plan):
    languages = ["ar", "bg", "de", "el", "es", "fr", "hi", "ru", "sw", "th", "tr", "ur", "vi", "zh"]
    old, new = (
        plan(targets={"xnli": None}, languages=languages),
        plan(targets={"xnli": None}, languages=["en", *languages]),
    )
    name = id_of(new, "data", "xnli.evaluation")
    (difference,) = compared(new, old).between(name, id_of(old, "data", "xnli.evaluation"))
    assert str(difference) == "source.files of data is xnli/x.en.tsv and 14 in both, was 14 in both".replace(
        "xnli/x.en.tsv", next(name for name in difference.new.split(", ") if name not in difference.old)
    )


def test_what_is_there_and_what_is_deleted(plan):
    new = plan()
    target = id_of(new, "targets", "tiny.quick.three.s1.mnli")
    below = id_of(new, "predictions", "tiny.quick.three.s1.xnli")
    comparing = compared(new, made=[below])
    assert comparing.why(below) == f"{below}: made"
    assert comparing.why(target) == f"{target}: deleted after all that needs it was made; it is made again where needed"


def test_nothing_is_there(plan):
    new = plan()
    name = id_of(new, "targets", "tiny.quick.none.s1.mnli")
    assert compared(new).why(name) == f"{name}: not made yet, and no other result of its stage is there"


def test_results_on_disk_and_plans_that_ran(plan, tmp_path):
    old, new = plan(), plan(recipes=recipe(epochs=2))
    results = tmp_path / "results"
    keep(results, old)
    another = results / "studies/another/12345678/plan.json"
    another.parent.mkdir(parents=True)
    another.write_text('{"nodes": {"of another shape": {}}}')
    name = id_of(new, "targets", "tiny.quick.none.s1.mnli")
    assert ": tasks.mnli.epochs of targets is 2, was 1 (" in comparison(new, results).why(name)
    name = id_of(old, "predictions", "tiny.quick.none.s1.xnli")
    path_of(results, name).unlink()
    assert comparison(old, results).why(name) == f"{name}: made but for manifest.json, which its job writes"
    (path_of(results, name).parent / "record.json").unlink()
    assert (
        comparison(old, results).why(name).startswith(f"{name}: planned before, and not made then or deleted since; ")
    )


def test_changes_are_said_once_for_each_stage_that_has_to_make_nodes(plan, tmp_path):
    old, new = plan(), plan(recipes=recipe(epochs=2))
    results = tmp_path / "results"
    assert changes(old, results) == []
    keep(results, old)
    assert changes(old, results) == []
    assert [line.partition(" to make: ")[0] for line in changes(new, results)] == ["targets: 6", "predictions: 6"]
    assert all(".epochs of targets is 2, was 1" in line for line in changes(new, results))
    assert changes(plan(recipes={"slow": CONTENT["recipes"]["quick"]}), results) == []
    # the run of the new plan has begun: nothing changes any more when it goes on
    (results / new.folder).mkdir()
    (results / new.folder / "plan.json").write_text(study_plan.text(new.study_plan))
    assert changes(new, results) == []


def test_results_of_another_study_are_no_earlier_state_of_this_one(plan, tmp_path):
    slower = recipe(epochs=2)
    another, old, new = plan("another", recipes=slower), plan(seeds=[2]), plan(recipes=slower, seeds=[1, 2])
    results = tmp_path / "results"
    keep(results, another, stages={"targets"})
    assert changes(new, results) == []
    keep(results, old)
    (line,) = [line for line in changes(new, results) if line.startswith("targets: ")]
    assert ".epochs of targets is 2, was 1" in line and "seed of targets" not in line


def test_changes_after_weights_were_deleted(plan, tmp_path):
    old, new = plan(), plan(figures={"palette": "coolwarm"})
    keep(tmp_path / "results", old, stages=set(STAGES) - {"targets", "intermediate"})
    assert changes(new, tmp_path / "results") == []


def test_two_plans(plan):
    first, second = plan(), plan(languages=["en", "de", "tr"])
    assert between_plans(first, first) == []
    lines = dict(line.split(": ", 1) for line in between_plans(first, second))
    assert set(lines) == {"data", "prepared", "tokens", "predictions", "embeddings", "retrieval"}
    assert lines["predictions"].startswith("0 in both, 6 and 6 in one alone: languages of prepared is ")
    removed = between_plans(first, plan(mixtures={"none": None}))
    assert "intermediate: 0 in both, 1 and 0 in one alone" in removed


def test_diff_of_two_studies(plan, tmp_path, monkeypatch, capsys):
    plan("first")
    plan("second", seeds=[2])
    (tmp_path / "config.yaml").write_text("study: first.yaml\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("XSTILTS_STUDY", raising=False)
    assert main(["diff", "first.yaml", "first.yaml"]) == 0
    assert capsys.readouterr().out == "the two plans have the same nodes\n"
    assert main(["diff", "first.yaml", "second.yaml"]) == 0
    stages = [line.partition(":")[0] for line in capsys.readouterr().out.splitlines()]
    assert stages == ["intermediate", "targets", "predictions", "embeddings", "retrieval"]
    assert main(["diff", "first.yaml", "third.yaml"]) == 2
