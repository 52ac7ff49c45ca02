"""The studies that come with the project: each is planned, on a mirror that has whatever the registry names."""

import math
import re

import pytest
import yaml
from xstilts.planning import registry
from xstilts.planning.study import read_study

from tests.builders.plans import named, plan_shipped, study_file
from tests.builders.projects import ROOT, plan_of


def yaml_of(page: str, start: str) -> str:
    """Return the block of YAML of a page that starts with a line."""
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    (block,) = [block for block in re.findall(r"```yaml\n(.*?)```", text, re.S) if block.startswith(start)]
    return block


def test_study_and_recipes_of_the_pages(tmp_path):
    study, recipes = yaml_of("studies.md", "description:"), yaml_of("models-and-hardware.md", "recipes:")
    path = study_file(tmp_path, study)
    assert len(plan_of(path).cells) == 3 * 2 * 3
    plan = plan_of(study_file(tmp_path, {**yaml.safe_load(study), **yaml.safe_load(recipes)}))
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
