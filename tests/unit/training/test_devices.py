"""Who gets which GPU."""

import contextlib
import fcntl
import os
import subprocess
import sys
from subprocess import PIPE

import pytest
import torch
from xstilts.errors import UserError
from xstilts.training import devices

from tests.builders.projects import ROOT


def fake_driver(tmp_path, monkeypatch, gpus):
    script = tmp_path / "bin/nvidia-smi"
    script.parent.mkdir()
    lines = "\n".join(f"GPU {number}: made up" for number in range(gpus))
    script.write_text(f"#!/bin/sh\necho '{lines}'\n")
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{script.parent}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)


JOB = """
import os, pathlib, sys
from xstilts.training import devices
devices.claim_gpus(pathlib.Path(sys.argv[1]), 1)
print(os.environ["CUDA_VISIBLE_DEVICES"], flush=True)
sys.stdin.read()
"""


@contextlib.contextmanager
def job(folder):
    """A process that claims a GPU, until it ends; and which one."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "workflow_scripts")}
    command = [sys.executable, "-c", JOB, str(folder)]
    with subprocess.Popen(command, env=environment, stdin=PIPE, stdout=PIPE, text=True) as process:
        yield process.stdout.readline().strip()
        process.stdin.close()


def test_each_job_gets_a_gpu_of_its_own(tmp_path, monkeypatch):
    fake_driver(tmp_path, monkeypatch, 2)
    with job(tmp_path) as first:
        with job(tmp_path) as second:
            assert {first, second} == {"0", "1"}
            with open(tmp_path / "gpu-1.lock") as file, pytest.raises(BlockingIOError):
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        # what the second job had is free again
        with job(tmp_path) as third:
            assert third == second


def test_devices_set_by_a_cluster_are_left_alone(tmp_path, monkeypatch):
    fake_driver(tmp_path, monkeypatch, 2)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "5")
    devices.claim_gpus(tmp_path, 1)
    assert os.environ["CUDA_VISIBLE_DEVICES"] == "5"


@pytest.mark.parametrize(
    ("given", "where"), [(None, "this machine has 2"), ("0,GPU-5", "CUDA_VISIBLE_DEVICES=0,GPU-5 names 2")]
)
def test_more_gpus_than_there_are_is_refused(tmp_path, monkeypatch, given, where):
    """In one line, before a process asks CUDA for a device that it has not."""
    fake_driver(tmp_path, monkeypatch, 2)
    if given is not None:
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", given)
    with pytest.raises(UserError, match=f"^4 GPUs are asked for, but {where}; lower gpus_per_training in config.yaml"):
        devices.claim_gpus(tmp_path, 4)
    assert os.environ.get("CUDA_VISIBLE_DEVICES") == given


@pytest.mark.parametrize("given", ["", "-1", "NoDevFiles"])
def test_several_processes_compute_on_processors_where_no_gpu_is_named(tmp_path, monkeypatch, given):
    fake_driver(tmp_path, monkeypatch, 2)
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", given)
    devices.claim_gpus(tmp_path, 4)
    assert os.environ["CUDA_VISIBLE_DEVICES"] == given


def test_no_gpu(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert devices.count_gpus() == 0
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES", raising=False)
    devices.claim_gpus(tmp_path, 1)
    assert "CUDA_VISIBLE_DEVICES" not in os.environ


def test_reproducible_kernels(monkeypatch):
    """What has no such kernel is computed all the same."""
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", "")
    try:
        devices.use_reproducible_kernels()
        assert torch.are_deterministic_algorithms_enabled() and torch.is_deterministic_algorithms_warn_only_enabled()
        assert os.environ["CUBLAS_WORKSPACE_CONFIG"] == ":4096:8"
    finally:
        torch.use_deterministic_algorithms(False)
