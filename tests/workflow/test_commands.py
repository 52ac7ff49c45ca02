"""The literal commands of README, and what a user sees when a study is wrong."""

import json
import os
import re

import pytest

from tests.builders.pins import pin, write_pins
from tests.builders.projects import ROOT, Project, checkout


@pytest.fixture(scope="module")
def fresh(tmp_path_factory):
    """A checkout in which nothing has run."""
    project = Project(tmp_path_factory.mktemp("fresh"))
    checkout(project.folder)
    os.symlink(ROOT / "slurm", project.folder / "slurm")
    return project


def test_dag_is_a_graph_and_nothing_else(fresh):
    text = fresh.run("snakemake", "--dag").stdout
    assert text.startswith("digraph")
    assert text.rstrip().endswith("}")


def test_rulegraph_without_graphviz(fresh):
    assert "flowchart" in fresh.run("snakemake", "--rulegraph", "mermaid-js").stdout


def test_lint(fresh):
    done = fresh.run("snakemake", "--lint")
    assert "good condition" in done.stdout + done.stderr


def test_list(fresh):
    rules = fresh.run("snakemake", "--list").stdout.split()
    assert {"all", "data", "tokens", "models", "scores", "estimates", "analyses", "tables", "figures", "report"} <= set(
        rules
    )
    assert {"fetch_data", "fetch_model", "prepare", "tokenize", "intermediate", "target"} <= set(rules)
    assert {"predict", "embed", "retrieve"} <= set(rules)


def test_cluster_profile(fresh):
    done = fresh.run("snakemake", "all", "check_gpu", "--cores", "all", "--profile", "slurm", "-n")
    blocks = re.split("\n\\[", done.stdout)
    (training,) = [block for block in blocks if "\nrule intermediate:" in block]
    (check,) = [block for block in blocks if "\nrule check_gpu:" in block]
    assert "gpu=1" in check and "nodes=1" in check and "slurm_partition" not in check
    assert "slurm_partition" not in training
    assert "gpu=1" in training and "nodes=1" in training
    # a target training is one job with what it predicts, which is made ahead
    plan = fresh.plan()
    assert done.stdout.count("Group job target") == len(plan.stage("targets")) + len(plan.stage("embeddings"))
    (predicted, *_) = re.findall(r"rule predict:.*?resources: ([^\n]*)", done.stdout, re.S)
    assert "runtime=10" in predicted.split(", ")


def test_job_has_the_gpus_of_one_node(tmp_path):
    """A model that needs more is refused before anything runs; here a GPU has a millionth of a usual one's memory."""
    project = Project(tmp_path / "project", gpu_type="measured")
    report = project.folder / "results/hardware/small.json"
    report.parent.mkdir(parents=True)
    measured = {"gpu": "small", "rates": {"bfloat16": 1, "float32": 1}, "bandwidth": 1e9, "launch": 1, "memory": 80_000}
    report.write_text(json.dumps(measured))
    done = project.snakemake("-n", check=False)
    assert done.returncode
    assert "does not fit one small: less than 0.1 GB in all, 0 GB are free" in done.stdout + done.stderr


def test_downloads_are_looked_for_in_a_mirror_that_is_named(tmp_path):
    """One that ``xstilts mirror`` wrote carries data and models."""
    project = Project(tmp_path / "project", ROOT / "tests/studies/downloads.yaml", mirror="carried", offline=True)
    commands = re.findall(r"xstilts fetch .*", project.snakemake("-n", "-p").stdout)
    assert {re.search(r"--output results/(\w+)/", command)[1] for command in commands} == {"data", "models"}
    assert all("--folder carried --offline" in command for command in commands)


def test_what_needs_no_model_runs_where_snakemake_runs():
    rules = [rule for path in (ROOT / "rules").glob("*.smk") for rule in path.read_text().split("\nrule ")[1:]]
    local = {rule.partition(":")[0] for rule in rules if "    localrule: True\n" in rule}
    assert local == {
        "fetch_data",
        "fetch_model",
        "prepare",
        "tokenize",
        "make_tokenizer",
        "scores",
        "estimates",
        "analyses",
        "tables",
        "figure",
        "report",
        "paper",
    }


def test_every_job_has_log_benchmark_and_environment():
    for path in sorted((ROOT / "rules").glob("*.smk")):
        for rule in path.read_text().split("\nrule ")[1:]:
            for directive in ("log:", "benchmark:", "conda:", "shell:"):
                assert f"    {directive}" in rule, (path.name, rule.splitlines()[0], directive)


def test_snakefile_is_a_table_of_contents():
    text = (ROOT / "Snakefile").read_text()
    assert len(text.splitlines()) <= 60
    assert not re.search(r"\bdef |print\(", text)


def test_pinned_folder_that_changed_is_refused(tmp_path):
    project = Project(tmp_path / "project")
    project.change(lambda study: study.update(models=["./my-encoder"]))
    folder = project.folder / "my-encoder"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    stated = {"config.json": {"sha256": "1" * 64, "bytes": 1}}
    write_pins(project.study_file, **{"./my-encoder": pin(None, files=stated)})
    done = project.snakemake("-n", check=False)
    assert done.returncode
    text = done.stdout + done.stderr
    assert "my-encoder/config.json: changed since it was pinned; restore it, or accept the folder: xstilts pin" in text


def test_wrong_study_is_one_clear_line(fresh, tmp_path):
    project = Project(tmp_path / "wrong")
    project.change(lambda study: study.update(mixture=study.pop("mixtures")))
    done = project.snakemake("-n", check=False)
    assert done.returncode
    text = done.stdout + done.stderr
    assert "study.yaml: mixture: unknown key; did you mean 'mixtures'?" in text
    assert "Traceback (most recent call last)" not in text
    for command in ("where", "prune", "summary", "run"):
        done = project.xstilts(command, check=False)
        if command != "prune":  # which goes by earlier plans where it cannot plan
            assert done.returncode == 2
        assert "did you mean 'mixtures'?" in done.stderr
        assert "Traceback" not in done.stderr


def test_unknown_node_is_named(fresh):
    done = fresh.run("snakemake", "--cores", "1", "-n", "results/targets/nope-123456789abc/manifest.json", check=False)
    assert done.returncode
    message = "targets/nope-123456789abc: no such node in the plan of study study; xstilts where"
    assert message in done.stdout + done.stderr
    close = next(iter(fresh.plan().stage("targets"))).replace("full", "ful")
    done = fresh.run("snakemake", "--cores", "1", "-n", f"results/targets/{close}/manifest.json", check=False)
    assert "did you mean" in done.stdout + done.stderr


def test_study_is_no_argument_of_a_run(fresh):
    done = fresh.xstilts("run", "study.yaml", check=False)
    assert done.returncode == 2
    assert "XSTILTS_STUDY=study.yaml xstilts run" in done.stderr.splitlines()[-1]


def test_summary_before_anything_ran(fresh):
    assert "has no scores" in fresh.xstilts("summary").stdout
