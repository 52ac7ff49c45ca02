"""What training reads, made once."""

import pytest
import torch
from xstilts.models.model import Model

from tests.builders.plans import make_stages, plan_study
from tests.builders.training import STUDY


@pytest.fixture(scope="session")
def trained(tmp_path_factory):
    """A plan, and a results folder that has everything that training reads."""
    folder = tmp_path_factory.mktemp("training")
    plan = plan_study(folder, STUDY)
    make_stages(plan, folder / "results")
    return plan, folder / "results"


@pytest.fixture
def small_device(monkeypatch):
    """Let a model compute at most so many positions at once, or eight times as many where layers are computed again."""

    def limit(positions, again=8):
        real, seen = Model.forward, []

        def forward(self, task, inputs, instances):
            seen.append(inputs["ids"].numel())
            checkpoints = any(vars(module).get("gradient_checkpointing") for module in self.modules())
            if self.training and seen[-1] > positions * (again if checkpoints else 1):
                raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB\nmore")
            return real(self, task, inputs, instances)

        monkeypatch.setattr(Model, "forward", forward)
        return seen

    return limit


@pytest.fixture
def few(monkeypatch):
    """Let few tokens be so few that tests have more."""
    monkeypatch.setattr("xstilts.hardware._FEW", 100)
