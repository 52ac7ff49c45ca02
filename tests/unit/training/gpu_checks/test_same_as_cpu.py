"""What differs between two devices, or between a model and what was saved of it, is found."""

import math

import pytest
import torch
from xstilts.training.gpu_checks import resuming, same_as_cpu
from xstilts.training.gpu_checks.checks import DIFFERS, EQUAL, REPORTED
from xstilts.training.gpu_checks.families import FAMILIES
from xstilts.training.gpu_checks.models import Steps
from xstilts.training.gpu_checks.runs import Left

from tests.builders.gpu_checks import machine


def losses_of_the_second(monkeypatch):
    """Let losses drift more and more from model to model."""
    real, drift = Steps.losses, iter(range(100))

    def losses(self):
        by = 1e-3 * next(drift)
        return [loss + by for loss in real(self)]

    monkeypatch.setattr(Steps, "losses", losses)


def losses_that_end_in_no_number(monkeypatch):
    real = Steps.losses
    monkeypatch.setattr(Steps, "losses", lambda self: [*real(self)[:-1], math.nan])


def weights_that_are_read(monkeypatch):
    real = same_as_cpu.load_model

    def load_model(*arguments):
        model = real(*arguments)
        with torch.no_grad():
            for weight in model.heads.parameters():
                weight.add_(0.1)
        return model

    monkeypatch.setattr(same_as_cpu, "load_model", load_model)


@pytest.mark.parametrize(
    ("change", "verdicts"),
    [
        (None, {EQUAL}),
        (losses_of_the_second, {EQUAL, DIFFERS}),
        (losses_that_end_in_no_number, {DIFFERS}),
        (weights_that_are_read, {DIFFERS}),
    ],
)
def test_a_difference_is_found(tmp_path, monkeypatch, change, verdicts):
    """One of a thousandth is more than float32 may have, and less than bfloat16 may."""
    monkeypatch.setattr(same_as_cpu, "FAMILIES", {"qwen3": FAMILIES["qwen3"]})
    if change is not None:
        change(monkeypatch)
    rows = [*same_as_cpu.run(machine(tmp_path))]
    assert len(rows) == 2 and {row.verdict for row in rows} == verdicts


@pytest.mark.parametrize(
    ("other", "is_reproducible", "verdict"),
    [("a", True, EQUAL), ("b", True, DIFFERS), ("a", False, REPORTED), ("b", False, REPORTED)],
)
def test_runs_have_to_be_the_same_where_kernels_are_reproducible(other, is_reproducible, verdict):
    whole, again = Left({"model": "a"}, 1), Left({"model": other}, 2)
    assert resuming.same("a run", whole, again, is_reproducible).verdict == verdict
