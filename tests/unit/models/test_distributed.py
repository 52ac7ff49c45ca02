"""Where a job computes, by what it was given."""

import pytest
import torch
from xstilts.errors import UserError
from xstilts.models import distributed

# a rule in a job of Slurm's is a step
GIVEN_BY = ("CUDA_VISIBLE_DEVICES", "SLURM_STEP_GPUS", "SLURM_JOB_GPUS")


@pytest.fixture
def broken(monkeypatch):
    """CUDA that does not work, and no word of a GPU."""

    def init():
        raise RuntimeError("The NVIDIA driver on your system is too old (found version 11040).\nUpdate it.")

    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.cuda, "init", init)
    for name in GIVEN_BY:
        monkeypatch.delenv(name, raising=False)
    return monkeypatch


@pytest.mark.parametrize("name", GIVEN_BY)
def test_a_gpu_that_was_given_and_does_not_work_ends_the_job(broken, name):
    broken.setenv(name, "0")
    with pytest.raises(
        UserError, match=rf"has a GPU \({name}=0\), .* driver on your system is too old .*; install"
    ) as error:
        distributed.device()
    assert "\n" not in str(error.value)


def test_a_driver_that_lists_a_gpu_may_be_too_old_for_it(broken):
    broken.setattr(torch.cuda, "is_available", lambda: True)
    with pytest.raises(UserError, match="too old"):
        distributed.device()


@pytest.mark.parametrize("given", [None, "", "-1", "NoDevFiles"])
def test_without_a_gpu_the_cpu_computes(broken, given):
    """Of a cluster's GPU that its user hides, too."""
    broken.setenv("SLURM_JOB_GPUS", "" if given is None else "0")
    if given is not None:
        broken.setenv("CUDA_VISIBLE_DEVICES", given)
    assert distributed.device() == torch.device("cpu")


def test_a_gpu_that_works_computes(broken):
    broken.setattr(torch.cuda, "init", lambda: None)
    broken.setenv("CUDA_VISIBLE_DEVICES", "0")
    assert distributed.device() == torch.device("cuda")
