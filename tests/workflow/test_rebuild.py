"""The rebuild matrix: for every change of a finished study, the exact set of jobs that run again."""

import os
import re
import shutil

import pytest

from tests.builders.projects import Project, checkout

STUDY = {"scores", "tables", "figures", "report"}
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


def test_nothing_to_do(project):
    done = project.snakemake()
    assert "Nothing to be done" in done.stdout + done.stderr
    assert project.jobs() == set()


def set_key(*path_and_value):
    *path, key, value = path_and_value

    def edit(study):
        for part in path:
            study = study[part]
        study[key] = value

    return edit


CHANGES = {
    "mixture": (
        set_key("mixtures", "three", ["mnli", "squad_v1"]),
        whole_mixture("three") | STUDY,
    ),
    "rate": (
        set_key("mixtures", "three", [{"task": "mnli", "rate": 2}, "squad_v1", "commonsenseqa"]),
        whole_mixture("three") | STUDY,
    ),
    "cap": (
        set_key("mixtures", "three", {"tasks": ["mnli", "squad_v1", "commonsenseqa"], "cap": 50}),
        whole_mixture("three") | STUDY,
    ),
    "seed": (
        set_key("seeds", [2]),
        whole_mixture("three", seed=2)
        | {job for job in below_mixture("none", seed=2) if "tatoeba" not in job}
        | STUDY,
    ),
    "added seed": (
        set_key("seeds", [1, 2]),
        whole_mixture("three", seed=2)
        | {job for job in below_mixture("none", seed=2) if "tatoeba" not in job}
        | STUDY,
    ),
    "intermediate learning rate": (
        set_key("recipes", "quick", "intermediate", "learning_rate", 2e-3),
        whole_mixture("three") | STUDY,
    ),
    "target epochs": (
        set_key("recipes", "quick", "target", "epochs", 2),
        {job for mixture in ("none", "three") for job in below_mixture(mixture) if "tatoeba" not in job} | STUDY,
    ),
    "early stopping": (
        set_key("recipes", "quick", "early_stopping", "patience", 3),
        {job for mixture in ("none", "three") for job in below_mixture(mixture) if "tatoeba" not in job} | STUDY,
    ),
    "layer of bitext retrieval": (
        set_key("recipes", "quick", "bitext", "layer", 1.0),
        {job for mixture in ("none", "three") for job in below_mixture(mixture) if "tatoeba" in job} | STUDY,
    ),
    "removed target": (
        lambda study: study["targets"].pop("udpos"),
        STUDY,
    ),
    "removed mixture": (
        lambda study: study["mixtures"].pop("none"),
        STUDY,
    ),
    "added language": (
        set_key("languages", ["en", "de", "tr"]),
        {f"{rule} {task}.evaluation" for rule in ("fetch_data", "prepare") for task in [*EVALUATIONS, "tatoeba"]}
        | {f"tokenize tiny.{task}.evaluation.96" for task in ("xnli", "udpos")}
        | {f"tokenize tiny.{task}.evaluation.64" for task in ("xquad", "tatoeba")}
        | {
            job
            for mixture in ("none", "three")
            for job in below_mixture(mixture)
            if not job.startswith("target ")
        }
        | STUDY,
    ),
    "figure option": (set_key("figures", {"palette": "coolwarm"}), STUDY),
    "default written out": (set_key("recipes", "quick", "target", "warmup", 0.1), set()),
    "key order": (lambda study: study.update(dict(reversed(study.items()))), set()),
    "recipe key order": (
        lambda study: study["recipes"].update(quick=dict(reversed(study["recipes"]["quick"].items()))),
        set(),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CHANGES)
def test_change(project, name):
    edit, expected = CHANGES[name]
    project.change(edit)
    assert project.jobs() == expected


def test_two_values_swapped(project):
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


def test_added_model(project):
    project.change(lambda study: study.update(models=["tiny", "multilingual-e5-small"]))
    new = {job for job in project.jobs() if "multilingual-e5-small" in job}
    assert project.jobs() - new == STUDY
    assert whole_mixture("three", model="multilingual-e5-small") < new


def test_comment(project):
    project.study_file.write_text("# a comment\n" + project.study_file.read_text())
    assert project.jobs() == set()


def test_touched_files(project):
    for stage in ("data", "models", "prepared", "tokens", "intermediate"):
        for path in (project.results / stage).rglob("*"):
            os.utime(path, follow_symlinks=False)
    assert project.jobs() == set()


@pytest.mark.parametrize("copy", [shutil.copy2, shutil.copyfile], ids=["with times", "without times"])
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


def test_added_language_is_all_that_is_predicted(project):
    project.change(lambda study: study.update(languages=["en", "de", "tr"]))
    node = next(node for node in project.plan().stage("predictions").values())
    project.snakemake(f"results/{node.id}/manifest.json")
    logs = [path.read_text() for path in (project.results / "logs/predictions").glob("*.log")]
    (log,) = [text for text in logs if "taken over" in text]
    assert re.search("taken over from .*: de, en$", log, re.M)
    assert re.findall("predicting (..):", log) == ["tr"]


def test_deleted_models(project):
    """Weights may go once the predictions are there; a language more then costs the training again, and says so."""
    shutil.rmtree(project.results / "targets")
    assert project.jobs() == set()
    project.change(lambda study: study["targets"].update(xnli={"languages": ["en", "de", "tr"]}))
    trained = {f"target tiny.quick.{mixture}.s1.mnli" for mixture in ("none", "three")}
    assert {job for job in project.jobs() if job.startswith("target ")} == trained


def test_deleted_figure(project):
    folder = (project.results / "studies/study/latest").resolve()
    scores = (folder / "scores.parquet").stat().st_mtime_ns
    (folder / "figures/gains.png").unlink()
    assert project.jobs("figures") == {"figures"}
    project.snakemake("figures", "--cores", "1")
    assert (folder / "figures/gains.png").exists()
    assert (folder / "scores.parquet").stat().st_mtime_ns == scores


def test_unknown_node(project):
    done = project.snakemake("-n", "results/targets/nope-12345678/manifest.json", check=False)
    assert done.returncode
    message = "targets/nope-12345678: no such address in the plan of study study; xstilts where"
    assert message in done.stdout + done.stderr
    close = next(iter(project.plan().stage("targets"))).replace("quick", "quik")
    done = project.snakemake("-n", f"results/targets/{close}/manifest.json", check=False)
    assert "did you mean" in done.stdout + done.stderr
