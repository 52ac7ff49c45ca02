"""What the profile of a step says, and trainings that do not fit."""

from types import SimpleNamespace

import pytest
import torch
from torch.autograd import DeviceType
from xstilts.training.gpu_checks import training_speed
from xstilts.training.gpu_checks.checks import MISSED, NOT_JUDGED, NOT_RUN
from xstilts.training.gpu_checks.models import Steps, config_of, random_model, tokens_of
from xstilts.training.gpu_checks.trainings import BUDGETS, TRAININGS

from tests.builders.gpu_checks import machine

TRAINING = TRAININGS[0].in_dry_run()


def event(key, count=2, microseconds=0.0, device=DeviceType.CPU, is_range=False):
    return SimpleNamespace(
        key=key, count=count, self_device_time_total=microseconds, device_type=device, is_user_annotation=is_range
    )


def test_a_gpu_is_busy_while_kernels_run_and_not_while_ranges_of_them_last(tmp_path, monkeypatch):
    events = [
        event("cudaLaunchKernel", count=30),
        event("cuLaunchKernelEx", count=10),
        event("cudaStreamSynchronize", count=4),
        event("aten::mm", microseconds=3e6),
        event("gemm", microseconds=3e6, device=DeviceType.CUDA),
        event("Optimizer.step", microseconds=4e6, device=DeviceType.CUDA, is_range=True),
    ]
    real, profiles = training_speed.profile, []

    def profile(**settings):
        profiles.append(real(**settings))
        profiles[-1].key_averages = lambda: events
        return profiles[-1]

    monkeypatch.setattr(training_speed, "profile", profile)
    found = training_speed.activity(machine(tmp_path), SimpleNamespace(batches=int, take=float), range(2))
    assert (found.seconds, found.launches, found.waits) == (1.5, 20, 2)


def test_steps_are_profiled(tmp_path):
    """On a CPU no kernel of a GPU is found in them."""
    tokens = tokens_of(TRAINING.texts.lengths(8), TRAINING.config["vocab_size"])
    model = random_model(config_of(TRAINING.config), TRAINING.method, TRAINING.numerics, torch.device("cpu"))
    steps = Steps(model, tokens, 2, torch.device("cpu"))
    assert training_speed.activity(machine(tmp_path), steps, range(1)) == training_speed.Activity(0, 0, 0)


@pytest.mark.parametrize("fits", [2048, 0])
def test_the_largest_number_of_tokens_that_fits_is_taken(tmp_path, monkeypatch, fits):
    """What lacked memory leaves no gradient behind."""
    here = machine(tmp_path)
    tried = []

    def take(self, batches):
        tried.append(self.budget)
        assert all(weight.grad is None for weight in self.model.parameters())
        if self.budget > fits:
            for weight in self.model.parameters():
                weight.grad = torch.zeros_like(weight)
            raise torch.OutOfMemoryError("of 80 GB")
        return 0.0

    def init(self, model, *arguments, hardware):
        self.model, self.budget = model, hardware.max_tokens_per_device

    monkeypatch.setattr(training_speed, "random_model", lambda *_: torch.nn.Linear(1, 1))
    monkeypatch.setattr(Steps, "__init__", init)
    monkeypatch.setattr(Steps, "take", take)
    monkeypatch.setattr(Steps, "batches", lambda self, step: [SimpleNamespace(tokens=1)])
    monkeypatch.setattr(training_speed, "TRAININGS", TRAININGS[:1])
    rows = [*training_speed.run(here)]
    assert [*dict.fromkeys(tried)] == [budget for budget in BUDGETS if budget >= fits]
    if fits:
        assert [row.verdict for row in rows[1:]] == [NOT_JUDGED, NOT_JUDGED, NOT_RUN]
        assert "2,048 tokens at once" in rows[0].measured
    else:
        assert [row.verdict for row in rows] == [MISSED]
