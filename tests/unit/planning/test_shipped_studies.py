"""The studies that come with the project: each is planned, on a mirror that has whatever the registry names."""

import dataclasses
import math
import re

import pytest
import yaml
from xstilts.planning import registry
from xstilts.planning.study import read_study

from tests.builders.plans import named, plan_shipped
from tests.builders.projects import ROOT, plan_of


def blocks(page):
    """Return the YAML of a page of the documents."""
    return re.findall(r"```yaml\n(.*?)```", (ROOT / "docs" / page).read_text(encoding="utf-8"), re.S)


def test_study_in_documents(tmp_path):
    study, recipes = blocks("studies.md")[0], blocks("models-and-hardware.md")[-1]
    path = tmp_path / "study.yaml"
    path.write_text(study)
    assert len(plan_of(path).cells) == 3 * 2 * 3
    path.write_text(yaml.safe_dump({**yaml.safe_load(study), **yaml.safe_load(recipes)}))
    plan = plan_of(path)
    assert {cell.method for cell in plan.cells} == {"lora"} and len(plan.stage("learning_rates")) == 2 + 2


STUDIES = sorted((ROOT / "studies").glob("*.yaml"))


@pytest.mark.parametrize("path", STUDIES, ids=lambda path: path.stem)
def test_study_can_be_planned(path, full_mirror):
    plan = plan_shipped(path, full_mirror)
    study = plan.study
    trained = sum(len(use.recipes) * len(use.mixtures) for use in study.models.values())
    axes = trained * len(study.seeds) * len(study.targets)
    assert len(plan.cells) == axes > 0
    assert path.read_text(encoding="utf-8").startswith("# Run:  ")


@pytest.mark.parametrize("name", ["phang2020", "xtreme_r"])
def test_full_studies_have_the_papers_tasks_and_all_languages(name, full_mirror):
    plan = plan_shipped(ROOT / f"studies/{name}.yaml", full_mirror)
    assert set(plan.study.recipes) == {"jiant", "xtreme"}
    nine = [member.task for member in plan.study.mixtures["nine"].tasks]
    assert nine == [mixture for mixture in plan.study.mixtures if mixture not in ("none", "nine")]
    assert len(nine) == 9
    tasks = plan.study.benchmark.tasks
    assert set(plan.targets) == set(tasks)
    evaluations = named(plan, "prepared")
    for task, entry in tasks.items():
        assert set(evaluations[f"{task}.evaluation"].spec.languages) == set(entry.languages), task
        assert all(files.official for files in evaluations[f"{task}.evaluation"].spec.languages.values()), task


def test_translated_data_is_another_training_set(full_mirror):
    plan = plan_shipped(ROOT / "studies/translated.yaml", full_mirror)
    prepared = {name: node.spec for name, node in named(plan, "prepared").items() if name.endswith(".training")}
    assert prepared["mnli.training"].language == "en" and prepared["mnli@de.training"].language == "de"
    sources = {name: plan.nodes[spec.parents["data"]].spec.source for name, spec in prepared.items()}
    assert sources["mnli.training"].repository == "nyu-mll/glue"
    assert sources["mnli@de.training"].repository == "facebook/xnli"
    targets = [name for name in named(plan, "targets") if name.endswith(".none.s1.mnli@de")]
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


def test_arms_of_planted_effects_differ_in_the_file_that_they_are_trained_on(full_mirror):
    plan = plan_shipped(ROOT / "studies/planted.yaml", full_mirror)
    prepared = {name.partition(".")[0]: node for name, node in named(plan, "prepared").items()}
    files = {"planted_0": "a-0", "planted_0_again": "b-0", "planted_50": "a-50", "planted_100": "a-100"}
    specs = []
    for task, name in files.items():
        spec = prepared[task].spec
        (file,) = spec.splits["train"]
        assert file.file == f"planted/qa-{name}.train.json" and spec.train_rows is None
        specs.append(dataclasses.replace(spec, task="", splits={}, parents={**spec.parents, "data": ""}))
    assert set(plan.study.mixtures) == set(files) and all(spec == specs[0] for spec in specs)
    assert all(contrast.primary and contrast.pair[1] == "planted_0" for contrast in plan.study.contrasts.values())
