"""The rebuild matrix: for every change of a finished study, the exact set of jobs that run again, and why they do."""

import contextlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from xstilts.commands import main
from xstilts.store.figures import FIGURES
from xstilts.store.files import canonical

from tests.builders.projects import Project, checkout, with_recipe_key

STUDY = {"scores", "estimates", "analyses", "tables", "report", *(f"figure {name}" for name in FIGURES)}
TARGETS = ["mnli", "udpos", "squad_v1"]
EVALUATIONS = ["xnli", "udpos", "xquad"]


def below_mixture(mixture: str, seed: int = 1, model: str = "tiny", recipe: str = "quick") -> set[str]:
    """Return the jobs of a mixture's target phase and evaluation."""
    axes = f"{model}.{recipe}.{mixture}.s{seed}"
    retrieval = f"{model}.{recipe}.{mixture}.tatoeba" if mixture == "none" else f"{axes}.tatoeba"
    jobs = {f"target {axes}.{task}" for task in TARGETS} | {f"predict {axes}.{task}" for task in EVALUATIONS}
    return jobs | {f"embed {retrieval}", f"retrieve {retrieval}"}


def whole_mixture(mixture: str, **axes) -> set[str]:
    seed, recipe, model = axes.get("seed", 1), axes.get("recipe", "quick"), axes.get("model", "tiny")
    return below_mixture(mixture, **axes) | {f"intermediate {model}.{recipe}.{mixture}.s{seed}"}


def manifest_of(project: Project, node: str) -> Path:
    """Return the manifest of a node, by stage and name."""
    stage, name = node.split()
    (path,) = [each.id for known, each in project.plan().named() if (each.stage, known) == (stage, name)]
    return Path("results", path, "manifest.json")


@pytest.fixture
def why(capsys) -> Callable[[Project, str], str]:
    """Return a function that gives the one line that ``xstilts why`` prints of a node of a project."""

    def asked(project: Project, node: str) -> str:
        path = manifest_of(project, node).parent.relative_to("results")
        capsys.readouterr()
        with contextlib.chdir(project.folder):
            assert main(["why", str(path)]) == 0
        (line,) = capsys.readouterr().out.splitlines()
        assert line.startswith(f"{path}: ")
        return line.removeprefix(f"{path}: ").partition(" (nearest: ")[0]

    return asked


def test_nothing_to_do(project, why):
    done = project.snakemake()
    assert "Nothing to be done" in done.stdout + done.stderr
    assert project.jobs() == set()
    assert all(why(project, f"{node.stage} {name}") == "made" for name, node in project.plan().named())


@dataclass(frozen=True)
class Change:
    """A change of the study, the jobs that run again, and why some of their nodes do, by stage and name."""

    edit: Callable[[dict[str, Any]], Any]
    jobs: set[str]
    why: dict[str, str] = field(default_factory=dict)


def set_key(*path_and_value):
    *path, key, value = path_and_value

    def edit(study):
        for each in path:
            study = study[each]
        study[key] = value

    return edit


def rename(axis: str, **names: str):
    def edit(study):
        study[axis] = {names.get(key, key): value for key, value in study[axis].items()}

    return edit


def in_all_mixtures(tatoeba: bool) -> set[str]:
    """Return the jobs below all mixtures that are of bitext retrieval, or those that are not."""
    jobs = below_mixture("none") | below_mixture("three")
    return {job for job in jobs if ("tatoeba" in job) == tatoeba}


THREE = ["mnli", "squad_v1", "commonsenseqa"]
INTERMEDIATE, TARGET = "intermediate tiny.quick.three.s1", "targets tiny.quick.three.s1.mnli"
PREDICTIONS, EMBEDDINGS = "predictions tiny.quick.three.s1.xnli", "embeddings tiny.quick.three.s1.tatoeba"
NEW_SEED = whole_mixture("three", seed=2) | {job for job in below_mixture("none", seed=2) if "tatoeba" not in job}
CHANGES = {
    "mixture": Change(
        set_key("mixtures", "three", ["mnli", "squad_v1"]),
        whole_mixture("three") | STUDY,
        dict.fromkeys(
            [INTERMEDIATE, TARGET, PREDICTIONS], f"tasks of intermediate is mnli, squad_v1, was {', '.join(THREE)}"
        ),
    ),
    "rate": Change(
        set_key("mixtures", "three", [{"task": "mnli", "rate": 2}, *THREE[1:]]),
        whole_mixture("three") | STUDY,
        dict.fromkeys([INTERMEDIATE, TARGET, PREDICTIONS], "tasks.mnli.weight of intermediate is 2, was 1"),
    ),
    "cap": Change(
        set_key("mixtures", "three", {"tasks": THREE, "cap": 50}),
        whole_mixture("three") | STUDY,
        {INTERMEDIATE: "sampling.cap of intermediate is 50, was not set"},
    ),
    "seed": Change(
        set_key("seeds", [2]),
        NEW_SEED | STUDY,
        {
            "intermediate tiny.quick.three.s2": "seed of intermediate is 2, was 1",
            "targets tiny.quick.none.s2.mnli": "seed of targets is 2, was 1",
            "predictions tiny.quick.three.s2.xnli": "seed of intermediate is 2, was 1; seed of targets is 2, was 1",
        },
    ),
    "added seed": Change(
        set_key("seeds", [1, 2]),
        NEW_SEED | STUDY,
        {"intermediate tiny.quick.three.s2": "seed of intermediate is 2, was 1"},
    ),
    "intermediate learning rate": Change(
        set_key("recipes", "quick", "intermediate", "learning_rate", 2e-3),
        whole_mixture("three") | STUDY,
        dict.fromkeys([INTERMEDIATE, TARGET, PREDICTIONS], "learning_rate of intermediate is 0.002, was 0.001"),
    ),
    "target epochs": Change(
        set_key("recipes", "quick", "target", "epochs", 2),
        in_all_mixtures(tatoeba=False) | STUDY,
        dict.fromkeys([TARGET, PREDICTIONS], "tasks.mnli.epochs of targets is 2, was 1"),
    ),
    "early stopping": Change(
        set_key("recipes", "quick", "early_stopping", "patience", 3),
        in_all_mixtures(tatoeba=False) | STUDY,
        dict.fromkeys([TARGET, PREDICTIONS], "early_stopping.patience of targets is 3, was 10"),
    ),
    "layer of bitext retrieval": Change(
        set_key("recipes", "quick", "bitext", "layer", 1),
        in_all_mixtures(tatoeba=True) | STUDY,
        {
            EMBEDDINGS: "pooling.layer of embeddings is 1, was not set;"
            " pooling.layer_fraction of embeddings is not set, was 0.5833333333333334"
        },
    ),
    "removed target": Change(lambda study: study["targets"].pop("udpos"), STUDY),
    "removed mixture": Change(lambda study: study["mixtures"].pop("none"), STUDY),
    "added language": Change(
        set_key("languages", ["en", "de", "tr"]),
        {f"{rule} {task}.evaluation" for rule in ("fetch_data", "prepare") for task in [*EVALUATIONS, "tatoeba"]}
        | {f"tokenize tiny.{task}.evaluation.96" for task in ("xnli", "udpos")}
        | {f"tokenize tiny.{task}.evaluation.64" for task in ("xquad", "tatoeba")}
        | {job for job in below_mixture("none") | below_mixture("three") if not job.startswith("target ")}
        | STUDY,
        {
            "data xnli.evaluation": "source.files of data is xnli/test-de.tsv, xnli/test-en.tsv, xnli/test-tr.tsv,"
            " was xnli/test-de.tsv, xnli/test-en.tsv",
            PREDICTIONS: "languages of prepared is en, de, tr, was en, de; source.files of data is"
            " xnli/test-de.tsv, xnli/test-en.tsv, xnli/test-tr.tsv, was xnli/test-de.tsv, xnli/test-en.tsv",
        },
    ),
    "palette": Change(set_key("figures", {"palette": "coolwarm"}), {"figure gain_matrix", "report"}),
    "width of one figure": Change(set_key("figures", {"widths": {"spread": "column"}}), {"figure spread", "report"}),
    "width of all figures": Change(
        set_key("figures", {"width": "column"}), {*(f"figure {name}" for name in FIGURES), "report"}
    ),
    "fewer figures": Change(set_key("figures", {"only": ["headline"]}), {"report"}),
    "renamed mixture": Change(rename("mixtures", three="several"), STUDY),
    "renamed recipe": Change(rename("recipes", quick="slow"), STUDY),
    "equal mixture": Change(set_key("mixtures", "same", THREE), STUDY),
    "nested mixture": Change(
        lambda study: study.update(
            mixtures={"none": None, "pair": THREE[:2], "three": ["pair", THREE[2]]},
            models={"tiny": {"mixtures": ["none", "three"]}},
        ),
        STUDY,
    ),
    "default written out": Change(set_key("recipes", "quick", "target", "warmup", 0.1), set()),
    "key order": Change(lambda study: study.update(dict(reversed(study.items()))), set()),
    "recipe key order": Change(
        lambda study: study["recipes"].update(quick=dict(reversed(study["recipes"]["quick"].items()))), set()
    ),
}


@pytest.mark.parametrize("name", CHANGES)
def test_change(project, why, name):
    change = CHANGES[name]
    project.change(change.edit)
    assert project.jobs() == change.jobs
    # what is a study's own has no node
    assert bool(change.why) == (not change.jobs <= STUDY)
    for node, line in change.why.items():
        assert why(project, node) == line
    # whatever the change, rows for training are there
    assert why(project, "prepared mnli.training") == "made"


def test_two_values_swapped(project, why):
    """Snakemake compares parameters as a set of values; a spec tells them apart."""

    def seed_and_epochs(seed, epochs):
        def edit(study):
            study["seeds"] = [seed]
            study["recipes"]["quick"]["intermediate"]["epochs"] = epochs

        return edit

    project.change(seed_and_epochs(2, 1))
    first = project.plan().stage("intermediate")
    project.change(seed_and_epochs(1, 2))
    second = project.plan().stage("intermediate")
    assert set(first) & set(second) == set()
    assert project.jobs() == whole_mixture("three") | STUDY
    assert why(project, INTERMEDIATE).startswith("tasks.commonsenseqa.epochs of intermediate is 2, was 1; ")


def test_added_model(project, why):
    project.change(lambda study: study.update(models=["tiny", "multilingual-e5-small"]))
    jobs = project.jobs()
    new = {job for job in jobs if "multilingual-e5-small" in job}
    assert jobs - new == STUDY
    assert whole_mixture("three", model="multilingual-e5-small") < new
    line = why(project, "intermediate multilingual-e5-small.quick.three.s1")
    assert line.startswith('source.kind of models is "hub", was "tiny"; ')


def test_comment(project):
    project.study_file.write_text("# a comment\n" + project.study_file.read_text())
    assert project.jobs() == set()


def test_touched_files(project):
    for stage in ("data", "models", "prepared", "tokens", "intermediate"):
        for path in (project.results / stage).rglob("*"):
            os.utime(path, follow_symlinks=False)
    assert project.jobs() == set()


def copy_with_another_time(source, target):
    shutil.copyfile(source, target)
    os.utime(target, (time.time() - 1000,) * 2)


@pytest.mark.parametrize("copy", [shutil.copy2, copy_with_another_time], ids=["with times", "without times"])
def test_copied_results(project, tmp_path, copy):
    """A fresh checkout with the results copied, without Snakemake's records."""
    fresh = Project(tmp_path / "fresh")
    shutil.copytree(project.results, fresh.results, symlinks=True, copy_function=copy)
    checkout(fresh.folder)
    if copy is shutil.copy2:
        assert fresh.jobs() == set()
    else:
        assert "Nothing to be done" in fresh.xstilts("run", "--", "--dry-run").stdout


def test_going_back(project):
    """Back at an earlier mixture nothing runs, whatever Snakemake remembers, and `latest` shows the right tables."""
    before = project.study
    table = (project.results / "studies/study/latest/tables/main.md").read_text()
    project.change(lambda study: study["mixtures"].update(three=["mnli"]))
    project.snakemake("--cores", "2", "tables")
    changed = (project.results / "studies/study/latest/tables/main.md").read_text()
    project.change(lambda study: study.update(before))
    assert project.jobs() == set()
    assert project.jobs("--rerun-triggers", "mtime") == set()
    shutil.rmtree(project.folder / ".snakemake")
    assert project.jobs("--rerun-triggers", "mtime") == set()
    project.snakemake()
    assert (project.results / "studies/study/latest/tables/main.md").read_text() == table != changed


def test_other_machine(project):
    """Cores, GPUs, threads and memory are no part of a result."""
    assert project.jobs("--cores", "1") == set()
    assert project.jobs("--cores", "16", "--resources", "gpu=4") == set()
    assert project.jobs("--set-resources", "target:mem_mb=1", "target:cpus_per_task=8") == set()
    project.configure(offline=True, keep_models="none", mirror="/nowhere")
    assert project.jobs() == set()


def log_of(project: Project, node: str) -> str:
    folder = manifest_of(project, node).parent
    return (project.results / "logs" / folder.parent.name / f"{folder.name}.log").read_text()


def test_added_language_is_all_that_is_predicted(project):
    project.change(lambda study: study.update(languages=["en", "de", "tr"]))
    project.snakemake(str(manifest_of(project, PREDICTIONS)))
    log = log_of(project, PREDICTIONS)
    assert re.search("taken over from .*: de, en$", log, re.M)
    assert re.findall("predicting (..):", log) == ["tr"]


def test_a_training_makes_the_predictions_that_are_asked_of_it(project, why):
    """Their own job finds them whole."""
    path = manifest_of(project, PREDICTIONS)
    before = (project.folder / path).read_bytes()
    shutil.rmtree(project.folder / path.parent)
    assert why(project, PREDICTIONS).startswith("planned before, and not made then or deleted since; ")
    shutil.rmtree(project.folder / manifest_of(project, TARGET).parent)
    assert project.jobs(str(path)) == {"target tiny.quick.three.s1.mnli", "predict tiny.quick.three.s1.xnli"}
    project.snakemake(str(path))
    assert re.findall("predicting (..):", log_of(project, TARGET)) == ["de", "en"]
    log = log_of(project, PREDICTIONS)
    assert "is whole already" in log
    assert "predicting" not in log
    assert (project.folder / path).read_bytes() == before
    assert why(project, PREDICTIONS) == "made"


def test_a_whole_node_without_its_manifest_is_adopted(project, why):
    """The job writes the manifest again, and needs no more than this: no torch, and hardly any time."""
    path = manifest_of(project, PREDICTIONS)
    before = (project.folder / path).read_bytes()
    (project.folder / path).unlink()
    assert project.jobs(str(path)) == {"predict tiny.quick.three.s1.xnli"}
    assert why(project, PREDICTIONS) == "made but for manifest.json, which its job writes"
    spec = canonical(json.loads(before)["spec"])
    code = (
        "import sys, time\nfrom xstilts.commands import main\nassert main(sys.argv[1:]) == 0\n"
        "print(time.process_time(), *{'torch', 'transformers', 'pandas', 'datasets'} & set(sys.modules))"
    )
    command = [sys.executable, "-c", code, "predict", "--spec", spec, "--output", str(path)]
    done = subprocess.run(command, cwd=project.folder, env=project.environment(), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (seconds,) = done.stdout.split()
    assert float(seconds) < 2
    assert (project.folder / path).read_bytes() == before
    (project.folder / path).unlink()
    project.snakemake(str(path))
    assert "is whole already" in log_of(project, PREDICTIONS)
    assert (project.folder / path).read_bytes() == before
    assert why(project, PREDICTIONS) == "made"


@pytest.mark.long
def test_results_of_older_names_are_found(project):
    """Study, recipe and mixtures have other names: only what shows these is written again, with the same scores."""
    before = pd.read_parquet(project.results / "studies/study/latest/scores.parquet")
    names = {"quick": "slow", "three": "several"}
    project.change(rename("recipes", **names))
    project.change(rename("mixtures", **names))
    project.study_file = project.study_file.rename(project.folder / "renamed.yaml")
    project.configure(study="renamed.yaml")
    assert project.jobs() == STUDY
    project.snakemake()
    after = pd.read_parquet(project.results / "studies/renamed/latest/scores.parquet")
    assert set(after["mixture"]) == {"none", "several"}
    pd.testing.assert_frame_equal(after, before.replace({"recipe": names, "mixture": names}))
    links = project.results / "studies/renamed/latest/nodes/intermediate"
    assert [path.name for path in links.iterdir()] == ["tiny.slow.several.s1"]
    assert (links / "tiny.slow.several.s1/manifest.json").exists()
    assert project.jobs() == set()


def test_a_key_that_is_added_to_recipes_makes_nothing_run_at_its_neutral_value(project, tmp_path):
    package = with_recipe_key(tmp_path / "checkout")
    checkout(tmp_path / "checkout")
    for value, targets in ((None, 0), (0.9, 0), (0.8, 6)):
        if value is not None:
            project.change(set_key("recipes", "quick", "target", "adam_beta1", value))
        done = project.snakemake("-n", "-s", str(tmp_path / "checkout/Snakefile"), PYTHONPATH=str(package))
        assert len(re.findall("^rule target:$", done.stdout, re.M)) == targets
        # the report says of every setting whose value it is
        rules = set(re.findall(r"^(?:local)?rule (\w+):$", done.stdout, re.M))
        assert (rules - {"all"} == {"report"}) == (targets == 0)


def test_deleted_models(project, why):
    """Weights may go once the predictions are there; a language more then costs the training again, and says so."""
    shutil.rmtree(project.results / "targets")
    assert project.jobs() == set()
    project.change(lambda study: study["targets"].update(xnli={"languages": ["en", "de", "tr"]}))
    trained = {f"target tiny.quick.{mixture}.s1.mnli" for mixture in ("none", "three")}
    assert {job for job in project.jobs() if job.startswith("target ")} == trained
    assert why(project, TARGET) == "deleted after all that needs it was made; it is made again where needed"
    assert why(project, PREDICTIONS).startswith("languages of prepared is en, de, tr, was en, de; ")


@pytest.mark.parametrize("table", ["scores", "estimates"])
def test_deleted_table_is_made_again(project, table, capsys):
    """And with it what is made of it; until then the summary says what is missing."""
    (project.results / f"studies/study/latest/{table}.parquet").unlink()
    assert project.jobs() == STUDY - {"scores", "estimates"} | {table}
    with contextlib.chdir(project.folder):
        assert main(["summary"]) == 0
    assert f"The study has no {table}" in capsys.readouterr().out
