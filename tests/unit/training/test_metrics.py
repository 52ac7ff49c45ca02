"""Metrics of a training, recorded while it runs."""

import logging

import pytest
import torch
from torch import nn
from xstilts.hardware import Hardware
from xstilts.store import metrics as store
from xstilts.training import metrics
from xstilts.training.metrics import StepMetrics

CPU = torch.device("cpu")
# six operations a token: one weight
MODEL = nn.Linear(1, 1, bias=False)


@pytest.fixture
def clock(monkeypatch):
    """A clock that a test sets."""
    now = [0.0]
    monkeypatch.setattr(metrics.time, "monotonic", lambda: now[0])
    return now


def test_a_line_is_of_the_steps_since_the_line_before(tmp_path, clock):
    path = tmp_path / "logs/targets/one.metrics.jsonl"
    with StepMetrics(path, steps=10, done=0, backbone=MODEL, device=CPU) as recorded:
        for step, (task, loss) in enumerate([("mnli", 1.0), ("qqp", 3.0), ("mnli", 2.0)], 1):
            clock[0] = step * 0.5
            recorded.step([(task, loss)], float(step), 0.1 * step, 30)
    first, last = store.read(path)
    assert (first.step, first.loss, first.gradient_norm) == (2, {"mnli": 1.0, "qqp": 3.0}, 1.5)
    assert (first.tokens, first.seconds, first.tokens_per_second, first.operations_per_second) == (60, 1.0, 60, 360)
    # what is left when a training ends, or is interrupted
    assert (last.step, last.loss, last.learning_rate) == (3, {"mnli": 2.0}, pytest.approx(0.3))
    assert first.memory_mb > 0 and first.gpu is None


def test_a_long_training_has_no_more_lines_than_are_read(tmp_path, clock, monkeypatch):
    monkeypatch.setattr(metrics, "_LINES", 4)
    path = tmp_path / "one.metrics.jsonl"
    with StepMetrics(path, steps=100, done=0, backbone=MODEL, device=CPU) as recorded:
        for step in range(100):
            clock[0] = 10.0 * step
            recorded.step([("mnli", 1.0)], 1.0, 1e-3, 1)
    assert [line.step for line in store.read(path)] == [25, 50, 75, 100]


def test_a_resumed_training_goes_on_from_its_checkpoint(tmp_path, clock):
    path = tmp_path / "one.metrics.jsonl"
    for done, steps in ((0, (1, 2, 3)), (2, (3, 4))):
        with StepMetrics(path, steps=4, done=done, backbone=MODEL, device=CPU) as recorded:
            for step in steps:
                clock[0] += 2.0
                recorded.step([("mnli", float(step))], 1.0, 1e-3, 1)
    assert [line.step for line in store.read(path)] == [1, 2, 3, 4]


def test_evaluations_and_checkpoints_are_no_part_of_a_line(tmp_path, clock, monkeypatch):
    """Neither their time nor their energy, of a counter that goes with the clock; a checkpoint is between two lines."""
    monkeypatch.setattr(metrics.energy, "joules", lambda device: 7.0 * clock[0])
    path = tmp_path / "one.metrics.jsonl"
    with StepMetrics(path, steps=4, done=0, backbone=MODEL, device=CPU) as recorded:
        for step in range(1, 5):
            clock[0] += 0.25
            recorded.step([("mnli", 1.0)], 1.0, 1e-3, 1)
            if step == 2:
                with recorded.paused():
                    clock[0] += 100.0
    assert [(line.step, line.seconds, line.joules) for line in store.read(path)] == [(2, 0.5, 3.5), (4, 0.5, 3.5)]


def test_several_processes_have_shares_of_operations_and_as_much_energy_each(tmp_path, clock, monkeypatch):
    monkeypatch.setattr(metrics.energy, "joules", lambda device: 7.0 * clock[0])
    path = store.path_of(tmp_path, "targets/one")
    with StepMetrics(path, steps=1, done=0, backbone=MODEL, device=CPU, processes=3) as recorded:
        clock[0] += 2.0
        recorded.step([("mnli", 1.0)], 1.0, 1e-3, 10)
    (line,) = store.read(path)
    assert (line.operations_per_second, line.joules) == (10.0, 14.0)
    assert metrics.of_training(tmp_path, tmp_path / "targets/one/manifest.json", Hardware(), 3).joules == 42.0


def test_a_full_disk_does_not_end_a_training(tmp_path, clock, caplog):
    (tmp_path / "logs").write_text("a file in place of the folder")
    with caplog.at_level(logging.WARNING), StepMetrics(tmp_path / "logs/one.jsonl", 1, 0, MODEL, CPU) as recorded:
        recorded.step([("mnli", 1.0)], 1.0, 1e-3, 1)
    assert "no more metrics are written" in caplog.text


def test_operations_are_two_for_each_weight_and_pass():
    model = nn.Sequential(nn.Embedding(10, 4), nn.Linear(4, 3), nn.LayerNorm(3), nn.Linear(3, 2))
    assert metrics.operations_per_token(model) == 6 * (12 + 6)
    model[1].requires_grad_(False)
    assert metrics.operations_per_token(model) == 4 * 12 + 6 * 6
