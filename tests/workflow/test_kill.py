"""Killed runs resume: the training process, and Snakemake itself."""

import contextlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time

import psutil
import pytest
from xstilts.store import manifest
from xstilts.store.manifest import path_of

from tests.builders.plans import node_of, spec_text
from tests.builders.projects import Project, checkout, locked

SECONDS = 120


def wait_for(condition, what):
    deadline = time.monotonic() + SECONDS
    while not condition():
        assert time.monotonic() < deadline, f"{what} did not happen in {SECONDS} s"
        time.sleep(0.02)


def start(project, *arguments):
    return subprocess.Popen(
        [sys.executable, "-m", *arguments], cwd=project.folder, env=project.environment(), stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True, start_new_session=True,
    )  # fmt: skip


def target_node(project, name):
    node = node_of(project.plan(), "targets", name)
    return node


def train_command(project, node, output):
    return ["xstilts", "train", "--spec", spec_text(node.spec), "--output", str(output),
            "--checkpoint-seconds", "0"]  # fmt: skip


def outputs(output):
    """Return the SHA-256 of weights and history."""
    return {name: file.sha256 for name, file in manifest.read(output).files.items()}


def test_killed_training_resumes_to_the_same_weights(project):
    """SIGKILL in the middle, then the same command: the weights are those of the run that was not interrupted."""
    node = target_node(project, "tiny.quick.three.s1.mnli")
    reference = outputs(path_of(project.results, node.id))
    output = project.results / "targets/again-00000000/manifest.json"
    work = project.results / "work/targets/again-00000000"
    process = start(project, *train_command(project, node, output))
    wait_for(lambda: list(work.glob("checkpoint-*/state.json")) or process.poll() is not None, "a checkpoint")
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert not output.exists()
    assert list(work.glob("checkpoint-*"))
    done = project.run(*train_command(project, node, output))
    assert "resuming at step" in done.stderr
    assert outputs(output) == reference
    assert not work.exists()
    assert [path.name for path in output.parent.parent.glob("*again*")] == ["again-00000000"]


def test_broken_checkpoint_is_passed_over(project):
    node = target_node(project, "tiny.quick.none.s1.mnli")
    reference = outputs(path_of(project.results, node.id))
    output = project.results / "targets/again-00000000/manifest.json"
    broken = project.results / "work/targets/again-00000000/checkpoint-000000003"
    broken.mkdir(parents=True)
    (broken / "model.safetensors").write_bytes(b"truncated")
    (broken / "optimiser.safetensors").write_bytes(b"")
    (broken / "state.json").write_text(json.dumps({"step": 3}))
    done = project.run(*train_command(project, node, output))
    assert "starting anew" in done.stderr
    assert outputs(output) == reference


def test_second_process_waits_for_the_first(project):
    node = target_node(project, "tiny.quick.none.s1.mnli")
    output = project.results / "targets/again-00000000/manifest.json"
    processes = [start(project, *train_command(project, node, output)) for _ in range(2)]
    texts = [process.communicate(timeout=SECONDS)[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0], texts
    # one trained, and the other found the node complete when its turn came
    assert sum("dev accuracy" in text for text in texts) == 1
    assert sum("is in use by process" in text for text in texts) <= 1
    assert output.exists()


@pytest.mark.skipif(sys.platform != "linux", reason="reads the processes of this machine from /proc")
def test_killed_snakemake_is_unlocked_and_resumed(project):
    """The literal command says who runs while a run is alive; after SIGKILL of Snakemake it unlocks and resumes.

    The training that the killed Snakemake had started ends with it; where it lives on, the one that is started anew
    waits for it.
    """
    checkout(project.folder)
    node = target_node(project, "tiny.quick.three.s1.udpos")
    shutil.rmtree(project.results / node.id)
    goal = f"results/{node.id}/manifest.json"
    log = project.results / f"logs/{node.id}.log"
    with locked(project.results / node.id):
        process = start(project, "snakemake", "--cores", "1", goal)
        wait_for(lambda: log.exists() and "is in use by" in log.read_text(), "training")
        alive = project.run("snakemake", "--cores", "1", goal, check=False)
        assert alive.returncode
        assert f"a run is alive in this folder (process {process.pid} on" in alive.stderr
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    resumed = project.run("snakemake", "--cores", "1", goal)
    assert "an earlier run was killed; unlocking and resuming" in resumed.stderr
    assert (project.folder / goal).exists()
    assert not list((project.results / "targets").glob(".*"))


@pytest.mark.long
def test_training_killed_thirty_times(project):
    """SIGKILL at random moments of a training with a checkpoint every step: the weights are those of one left alone."""
    node = target_node(project, "tiny.quick.three.s1.squad_v1")
    reference = outputs(path_of(project.results, node.id))
    output = project.results / "targets/again-00000000/manifest.json"
    rng, kills = random.Random(0), 0
    while kills < 30:
        process = start(project, *train_command(project, node, output))
        time.sleep(rng.uniform(4, 9))
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            kills += 1
        else:
            # it came to its end: the rest of the kills are of a new one
            assert outputs(output) == reference
            shutil.rmtree(output.parent)
        process.communicate()
    project.run(*train_command(project, node, output))
    assert outputs(output) == reference


def all_outputs(project):
    """Return the SHA-256 of every file of every node, and the scores."""
    nodes = {node.id: outputs(path_of(project.results, node.id)) for node in project.plan().nodes.values()}
    return nodes, (project.results / "studies/study/latest/scores.parquet").read_bytes()


@pytest.mark.long
def test_run_killed_sixty_times(finished, tmp_path):
    """SIGKILL of a whole run or of one of its processes, at random moments: the outputs are those of one left alone."""
    reference = all_outputs(finished)
    project = Project(tmp_path / "project", keep_models="all")
    checkout(project.folder)
    rng, kills, code = random.Random(0), 0, None
    while code != 0 or kills < 60:
        if code == 0:
            # it came to its end: the rest of the kills are of a new one
            shutil.rmtree(project.results)
        with open(project.folder / "run.log", "w") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "xstilts", "run", "--cores", "2"], cwd=project.folder,
                env=project.environment(), stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        time.sleep(rng.uniform(2, 14))
        if kills < 60 and process.poll() is None:
            alive = project.processes()
            for victim in alive if rng.random() < 0.5 else [rng.choice(alive)]:
                with contextlib.suppress(psutil.NoSuchProcess):
                    victim.kill()
            kills += 1
        code = process.wait(SECONDS * 5)
        if code == 0:
            assert all_outputs(project) == reference
            assert not project.half_written()
