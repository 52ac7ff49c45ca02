"""A study on a Slurm without accounts, by the literal command."""

import pytest

from tests.builders.projects import ROOT

# answers as sacct does, and notes that it was asked
SACCT = """#!/bin/sh
echo asked >> {asked}
for name; do :; done
exec squeue --format='%i|%T' --states=all --noheader --name "$name"
"""


def test_literal_command_runs_a_study_to_its_end(finished_run):
    """Three jobs are submitted: the intermediate training, and a target training with its predictions in either arm."""
    project, run = finished_run
    assert run.text.count("has been submitted with SLURM jobid") == 3
    assert set(project.scores()["mixture"]) == {"none", "one"}
    assert not project.half_written()
    # the outputs of a group are there until Snakemake has seen them, then weights go
    assert "MissingOutputException" not in run.text
    assert not list(project.results.glob("targets/*/*.safetensors"))


@pytest.mark.cluster
def test_step_has_all_that_its_job_has(slurm, tmp_path):
    said = tmp_path / "said"
    step = f"{ROOT}/rules/slurm_step.sh -c 'echo $SLURM_STEP_ID $SLURM_CPUS_ON_NODE $SLURM_STEP_GPUS; exit 75'"
    asked = ["--cpus-per-task=3", "--gpus=2", "--mem=2000", f"--output={said}", f"--chdir={tmp_path}"]
    slurm.ask("sbatch", "--wait", *asked, f"--wrap={step}", check=False)
    # before them srun says that this Slurm binds no processes to cores
    *_, first, second = said.read_text().splitlines()
    assert first == "0 3 0,1"
    # it ends as its command ends
    assert second.endswith("Exited with exit code 75")


@pytest.mark.cluster
def test_where_slurm_keeps_accounts_sacct_is_asked(training, tmp_path):
    asked = tmp_path / "asked"
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/sacct").write_text(SACCT.format(asked=asked))
    (tmp_path / "bin/sacct").chmod(0o755)
    path = f"{tmp_path / 'bin'}:{training.environment()['PATH']}"
    run = training.run_literally(PATH=path)
    assert run.end() == 0, run.text
    assert training.is_as_before()
    # once at the start, then whenever jobs are looked for
    assert len(asked.read_text().split()) > 2


@pytest.mark.cluster
def test_job_goes_to_the_partition_that_fits_it_best(slurm, training):
    done = training.xstilts("slurm-profile")
    assert "partitions day, long, short" in done.stderr
    run = training.run_literally()
    assert run.end() == 0, run.text
    # twelve hours are too long for `short`, and `long` is for a week
    assert [job.partition for job in slurm.jobs(training.folder)] == ["day"]
