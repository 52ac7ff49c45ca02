"""Cosines between gradients: by hand, and of a training, whose weights they do not change."""

from dataclasses import replace

import pytest
import torch
from torch import nn
from xstilts.models.distributed import Group
from xstilts.training.gradient_conflict import GradientRecord, noted, recorded

from tests.builders.plans import node_of
from tests.builders.training import KilledError, conflicts, killed_at, run


class Pair(nn.Module):
    """A backbone of two weights, of which the second begins with no gradient, and a head."""

    def __init__(self):
        super().__init__()
        self.backbone = nn.ParameterList([nn.Parameter(torch.zeros(2)), nn.Parameter(torch.zeros(1))])
        self.head = nn.Parameter(torch.zeros(1))

    def add(self, first, second=None):
        """Add gradients as a batch does."""
        weights, more = self.backbone
        (weights * torch.tensor(first)).sum().backward()
        if second is not None:
            (more * second + self.head * 100).sum().backward()


def test_cosines_by_hand():
    model = Pair()
    record = GradientRecord(model)
    for task, gradient in [("b", ([3.0, 0.0],)), ("a", ([1.0, 1.0],)), ("a", ([-2.0, 0.0], 2.0)), ("a", ([0.0, 0.0],))]:
        model.add(*gradient)
        record.add(task)
    # (3, 0, 0), (1, 1, 0), (-2, 0, 2); the last one is of zeros and has no cosine
    half = round(0.5**0.5, 6)
    assert record.cosines(7, Group()) == [
        {"step": 7, "tasks": ["a", "b"], "cosine": half},
        {"step": 7, "tasks": ["a", "b"], "cosine": -half},
        {"step": 7, "tasks": ["a", "a"], "cosine": -0.5},
    ]
    assert model.backbone[0].grad.tolist() == [2.0, 1.0]


def test_every_so_many_steps():
    state, model = {}, Pair()
    assert noted(state) == {}
    for step in range(5):
        model.zero_grad()
        with recorded(state, 2, step, model, Group()) as record:
            assert (record is not None) == (step % 2 == 0)
            for _ in range(2):
                model.add([1.0, 0.0])
                if record is not None:
                    record.add("a")
    assert [entry["step"] for entry in noted(state)["gradient_conflict"]] == [1, 3, 5]
    with recorded(state, None, 0, model, Group()) as record:
        assert record is None


@pytest.mark.parametrize("name", ["tiny.full.mixed.s1", "tiny.lora.mixed.s1"])
def test_a_training_keeps_cosines_and_its_weights_stay_the_same(trained, tmp_path, monkeypatch, name):
    spec = node_of(trained[0], "intermediate", name).spec
    stated, files = run(trained, spec, tmp_path / "recorded")
    found = conflicts(files)
    assert [entry["step"] for entry in found] == [1, 3, 5]
    assert all(entry["tasks"] == sorted(entry["tasks"]) and -1 <= entry["cosine"] <= 1 for entry in found)
    assert sum(counts.steps for counts in stated.run.tasks.values()) == 12
    without = replace(spec, sampling=replace(spec.sampling, gradient_conflict_every=None))
    _, plain = run(trained, without, tmp_path / "plain")
    assert {file: text for file, text in files.items() if file != "history.json"} == {
        file: text for file, text in plain.items() if file != "history.json"
    }
    # killed before the fourth step and resumed
    with monkeypatch.context() as patched:
        killed_at(patched, 3)
        with pytest.raises(KilledError):
            run(trained, spec, tmp_path / "killed", seconds=0)
    assert run(trained, spec, tmp_path / "killed", seconds=0) == (stated, files)
