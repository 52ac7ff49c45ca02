"""The studies that come with the project: each is planned, on a mirror that has whatever the registry names."""

import hashlib
import math

import pytest
from conftest import ROOT
from xstilts.planning import index, registry
from xstilts.planning.plan import make_plan
from xstilts.planning.sourcing import Indexes
from xstilts.planning.study import read_study

STUDIES = sorted((ROOT / "studies").glob("*.yaml"))


@pytest.fixture(scope="module")
def full_mirror():
    """An index of a mirror with every file that the registry names, without the files."""
    files = {}
    for task in registry.load().tasks.values():
        for _, names, split, _ in index._file_groups(task):
            for name in names:
                entry = files.setdefault(name, {"sha256": hashlib.sha256(name.encode()).hexdigest(), "tasks": {}})
                entry["tasks"].setdefault(task.name, {"split": split, "rows": 100, "sample": False})
    return files


def plan_of(path, mirror):
    known = registry.load()
    study = read_study(path, known)
    models = {name: {"model.safetensors": {"sha256": "0" * 64}} for name in study.models
              if not (known.models[name]["generated"] or known.models[name]["pretrained"])}  # fmt: skip
    return make_plan(study, known, Indexes(mirror, models))


@pytest.mark.parametrize("path", STUDIES, ids=lambda path: path.stem)
def test_study_can_be_planned(path, full_mirror):
    plan = plan_of(path, full_mirror)
    study = plan.study
    trained = sum(len(use.recipes) * len(use.mixtures) for use in study.models.values())
    axes = trained * len(study.seeds) * len(study.targets)
    assert len(plan.cells) == axes > 0
    assert path.read_text(encoding="utf-8").startswith("# Run:  ")


@pytest.mark.parametrize("name", ["phang2020", "xtreme_r"])
def test_full_studies_have_the_papers_tasks_and_all_languages(name, full_mirror):
    plan = plan_of(ROOT / f"studies/{name}.yaml", full_mirror)
    assert set(plan.study.recipes) == {"jiant", "xtreme"}
    nine = [member.task for member in plan.study.mixtures["nine"].tasks]
    assert nine == [mixture for mixture in plan.study.mixtures if mixture not in ("none", "nine")]
    assert len(nine) == 9
    tasks = registry.load().benchmarks[plan.study.benchmark]["tasks"]
    assert set(plan.targets) == set(tasks)
    evaluations = {node.name: node for node in plan.stage("prepared").values()}
    for task, entry in tasks.items():
        assert set(evaluations[f"{task}.evaluation"].spec["languages"]) == set(entry["languages"]), task
        assert all(part["official"] for part in evaluations[f"{task}.evaluation"].spec["languages"].values()), task


def test_translated_data_is_another_training_set(full_mirror):
    plan = plan_of(ROOT / "studies/translated.yaml", full_mirror)
    prepared = {node.name: node.spec for node in plan.stage("prepared").values() if node.name.endswith(".training")}
    assert prepared["mnli.training"]["language"] == "en" and prepared["mnli@de.training"]["language"] == "de"
    sources = {name: plan.nodes[spec["parents"]["data"]].spec["source"] for name, spec in prepared.items()}
    assert sources["mnli.training"]["repository"] == "nyu-mll/glue"
    assert sources["mnli@de.training"]["repository"] == "facebook/xnli"
    targets = [node for node in plan.stage("targets").values() if node.name.endswith(".none.s1.mnli@de")]
    assert len(targets) == 1


def test_step_matched_runs_of_the_miniature_have_the_same_steps():
    """Every task of the world has more rows than the limits let through, and is passed once."""
    study = read_study(ROOT / "studies/miniature_full.yaml", registry.load())
    phase = study.recipes["mini"]["intermediate"]

    def steps(mixture):
        members = study.mixtures[mixture].tasks
        limits = [study.limits(member.task).train_rows for member in members]
        return phase["epochs"] * sum(math.ceil(limit / phase["batch_size"]) for limit in limits)

    assert study.mixtures["mnli_long"].sampling.steps == study.mixtures["squad_v1_long"].sampling.steps == steps("nine")
    assert study.mixtures["nine_short"].sampling.steps == steps("mnli")
