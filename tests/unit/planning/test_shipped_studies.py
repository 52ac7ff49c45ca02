"""The studies that come with the project: each is planned, on a mirror that has whatever the registry names."""

import dataclasses
import math
import re

import pytest
import yaml
from xstilts.evaluation.comparisons import comparisons
from xstilts.planning import registry
from xstilts.planning.study import read_study
from xstilts.store.answer import ANSWER

from tests.builders.plans import named, plan_shipped
from tests.builders.projects import ROOT, plan_of


def blocks(page):
    """Return the YAML of a page of the documents."""
    return re.findall(r"```yaml\n(.*?)```", (ROOT / "docs" / page).read_text(encoding="utf-8"), re.S)


def test_study_in_documents(tmp_path):
    study, (recipes, quantised, prompted, attention) = blocks("studies.md")[0], blocks("models-and-hardware.md")[-4:]
    path = tmp_path / "study.yaml"
    path.write_text(study)
    assert len(plan_of(path).cells) == 3 * 2 * 3
    path.write_text(yaml.safe_dump({**yaml.safe_load(study), **yaml.safe_load(recipes)}))
    plan = plan_of(path)
    assert {cell.method for cell in plan.cells} == {"lora"} and len(plan.stage("learning_rates")) == 2 + 3 * 2
    path.write_text(yaml.safe_dump({**yaml.safe_load(study), **yaml.safe_load(quantised)}))
    assert {node.spec.numerics.quantised for node in plan_of(path).stage("predictions").values()} == {"nf4"}
    path.write_text(yaml.safe_dump({**yaml.safe_load(study), **yaml.safe_load(recipes), **yaml.safe_load(prompted)}))
    assert {cell.recipe for cell in plan_of(path).cells} == {"lora", "prompted", "five_examples"}
    path.write_text(yaml.safe_dump({**yaml.safe_load(study), **yaml.safe_load(attention)}))
    by_arm = {(cell.model, cell.recipe) for cell in plan_of(path).cells}
    assert by_arm == {("xlm-roberta-large", "lora"), ("qwen3-4b-base", "lora"), ("qwen3-4b-base", "both")}


STUDIES = sorted((ROOT / "studies").glob("*.yaml"))


@pytest.mark.parametrize("path", STUDIES, ids=lambda path: path.stem)
def test_study_can_be_planned(path, full_mirror):
    plan = plan_shipped(path, full_mirror)
    study = plan.study
    tasks = registry.load().tasks
    with_prompt = sum(tasks[target.task].prompt is not None for target in study.targets.values())
    trained = sum(len(use.recipes) * len(use.mixtures) for use in study.models.values()) * len(study.targets)
    prompted = sum(len(use.prompted) for use in study.models.values()) * with_prompt
    assert len(plan.cells) == (trained + prompted) * len(study.seeds) * len(study.worlds) > 0
    assert path.read_text(encoding="utf-8").startswith("# Run:  ")


@pytest.mark.parametrize("name", ["phang2020", "xtreme_r"])
def test_full_studies_have_the_papers_tasks_and_all_languages(name, full_mirror):
    plan = plan_shipped(ROOT / f"studies/{name}.yaml", full_mirror)
    assert set(plan.study.recipes) == {"jiant", "xtreme"}
    nine = [member.task for member in plan.study.mixtures["nine"].tasks]
    assert plan.study.answer.budgets["equal epochs"].singles == tuple(nine)
    assert len(nine) == 9
    tasks = plan.study.benchmark.tasks
    assert set(plan.targets) == set(tasks)
    evaluations = named(plan, "prepared")
    for task, entry in tasks.items():
        assert set(evaluations[f"{task}.evaluation"].spec.languages) == set(entry.languages), task
        assert all(files.official for files in evaluations[f"{task}.evaluation"].spec.languages.values()), task


@pytest.mark.parametrize("name", ["phang2020", "xtreme_r"])
def test_step_matched_arms_have_what_the_study_says(name):
    """The published rows give the steps of three epochs; what nobody publishes of CCG is above the cap."""
    entries = registry.load()
    study = read_study(ROOT / f"studies/{name}.yaml", entries)
    phase = study.recipes["jiant"]["intermediate"]
    rows = {
        task: entries.of("download").tasks[task].published("train", "en")
        for task in study.answer.budgets["equal epochs"].singles
    }
    rows["ccg"] = rows["ccg"] or 39604

    def steps(*tasks, cap=math.inf):
        return phase["epochs"] * sum(math.ceil(min(rows[task], cap) / phase["batch_size"]) for task in tasks)

    assert {task: steps(task) for task in ("mnli", "squad_v1", "hellaswag")} == {
        "mnli": 36816, "squad_v1": 8214, "hellaswag": 3744,
    }  # fmt: skip
    assert steps(*rows) == pytest.approx(205000, abs=1000)
    assert steps(*rows, cap=study.mixtures["nine_capped"].sampling.cap) == 13203
    assert round(100 * (rows["mnli"] + rows["anli_plus"]) / sum(rows.values())) == 68
    scale = read_study(ROOT / "studies/scale.yaml", entries)
    # what is said of nine in scale.yaml, where ANLI+ is cut
    assert steps(*rows, cap=scale.default_limits.train_rows) == pytest.approx(139600, abs=10)
    equal = study.answer.budgets["equal steps"]
    assert {study.mixtures[mixture].sampling.steps for mixture in (equal.multi, *equal.singles)} == {12000}
    assert study.mixtures[equal.multi].tasks == study.mixtures["nine"].tasks == study.mixtures["nine_capped"].tasks


def test_text_and_translations_of_the_papers_study(full_mirror):
    """Claims 6a and 6b: arms with masked language modelling, and with translations as long as in English."""
    study = plan_shipped(ROOT / "studies/phang2020.yaml", full_mirror).study
    nine = study.mixtures["nine"].tasks
    (text,) = study.mixtures["mlm"].tasks
    assert study.mixtures["nine+mlm"].tasks == (*nine, dataclasses.replace(text, within=("mlm",)))
    spoken = {code for entry in study.benchmark.tasks.values() for code in entry.languages}
    assert text.task == "text" and set(text.languages) == spoken and len(spoken) == 40
    for task, steps in (("mnli", 36816), ("squad_v1", 8214)):
        translated = study.mixtures[f"{task}_translated"]
        (member,) = translated.tasks
        assert member.task == task and "en" not in member.languages and translated.sampling.steps == steps
        known = [
            code for source in registry.load().of("download").tasks[task].sources for code in source.training_languages
        ]
        assert set(member.languages) == set(known) - {"en"}


# of the real studies: multi by budget, models below 1B and above 10B, primary contrasts
BOTH = {"equal epochs": "nine", "equal steps": "nine_12k"}
XLMR, E5 = [("xlm-roberta-large", None)], [("multilingual-e5-small", None)]
SCALE = [("xlm-roberta-large", "xlm-roberta-xxl"), ("mt5-base", "mt5-xxl"), ("qwen3-0_6b-base", "qwen3-14b-base")]
QUESTIONS = {
    "phang2020": (BOTH, XLMR, ["gain", "retrieval"]),
    "xtreme_r": (BOTH, XLMR, ["gain"]),
    "scale": ({"equal steps": "nine", "equal epochs": "nine_capped"}, SCALE, ["gain"]),
    "translated": None,
    "pocket": ({"equal epochs": "three"}, E5, ["gain_of_three", "gain_of_one"]),
    "sib200": ({"equal epochs": "nine"}, XLMR, ["gain"]),
    "real": ({"equal epochs": "nine"}, E5, []),
}


@pytest.mark.parametrize("name", QUESTIONS)
def test_real_studies_ask_a_question(name):
    study = read_study(ROOT / f"studies/{name}.yaml", registry.load())
    asked = study.answer and (
        {held: budget.multi for held, budget in study.answer.budgets.items()},
        [(family.small, family.large) for family in study.answer.families.values()],
        [name for name, contrast in study.contrasts.items() if contrast.primary],
    )
    assert asked == QUESTIONS[name] and study.contrasts
    # the first budget is the primary one
    assert not asked or list(asked[0]) == list(QUESTIONS[name][0])


def test_the_large_miniature_model_is_compared_at_equal_epochs(full_mirror):
    plan = plan_shipped(ROOT / "studies/miniature_full.yaml", full_mirror).study_plan
    rows = {target: {"en": 10, "qab": 10} for target in plan.targets}
    asked = [one for one in comparisons(plan, rows) if one.name == ANSWER]
    kinds = {held: {one.size or one.kind for one in asked if one.budget == held} for held in plan.answer.budgets}
    assert kinds == {"equal epochs": {"small", "large", "interaction"}, "equal steps": {"small"}}


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


def test_the_default_study_in_several_worlds_differs_from_it_in_nothing_else():
    one, several = (
        yaml.safe_load((ROOT / f"studies/{name}.yaml").read_text(encoding="utf-8"))
        for name in ("miniature", "miniature_worlds")
    )
    assert {key for key in one | several if one.get(key) != several.get(key)} == {"description", "world"}
    assert not {*several["world"]} & {0, 1, 2, 3, 4, 5, 6, 7, *range(11, 21)}


GROUPED = {"targets", "predictions", "embeddings", "retrieval"}


def submitted(plan, together=1):
    """Count the jobs that the cluster profile submits: nodes of a group that need each other are one."""
    groups = {name: name for name, node in plan.nodes.items() if node.stage in GROUPED}

    def first(name):
        while groups[name] != name:
            name = groups[name]
        return name

    for name in list(groups):
        for parent in plan.nodes[name].parents:
            if parent in groups:
                groups[first(name)] = first(parent)
    bundles = math.ceil(len({first(name) for name in groups}) / together)
    return bundles + sum(node.stage in ("pretrained", "learning_rates", "intermediate") for node in plan.nodes.values())


def test_pocket_has_its_data_from_a_mirror_or_by_pinned_download(full_mirror):
    """The same study with a mirror and without one, and what both make is called the same."""
    path = ROOT / "studies/pocket.yaml"
    local, remote = plan_shipped(path, full_mirror), plan_shipped(path)
    kinds = [{node.spec.source.kind for node in plan.stage("data").values()} for plan in (local, remote)]
    assert kinds == [{"mirror"}, {"hub", "url"}]
    pins = [node.spec.source.revision for node in remote.stage("data").values() if node.spec.source.kind == "hub"]
    assert len(pins) >= 3 and all(len(pin) == 40 for pin in pins)
    assert [dataclasses.replace(cell, node="") for cell in local.cells] == [
        dataclasses.replace(cell, node="") for cell in remote.cells
    ]


@pytest.mark.parametrize("name", ["xtreme_r", "miniature", "pocket"])
def test_jobs_that_a_study_submits(name, full_mirror):
    """As docs/clusters.md has them."""
    plan = plan_shipped(ROOT / f"studies/{name}.yaml", full_mirror)
    fetched = sum(node.stage in ("data", "models") for node in plan.nodes.values())
    counts = len(plan.nodes), len(plan.nodes) - fetched, submitted(plan), submitted(plan, together=8)
    row = f"| `studies/{name}.yaml` | " + " | ".join(f"{count:,}" for count in counts) + " |"
    assert row in (ROOT / "docs/clusters.md").read_text(encoding="utf-8")
