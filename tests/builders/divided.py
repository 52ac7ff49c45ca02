"""Training steps of a model in one process and in several, on rows of every form, at most a few tokens at once."""

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file
from xstilts.data.dataset import Split
from xstilts.hardware import Hardware
from xstilts.models import distributed
from xstilts.models.distributed import Group
from xstilts.training.division import divide
from xstilts.training.step import Batches, make_optimiser, take_step

from tests.builders.models import CPU, fresh, optimisation, task_of
from tests.builders.processes import together

# name, form, method and precision
Case = tuple[str, str, str, str]
# so few tokens that the longer half of the rows needs more passes than the other one, in most cases
_TOKENS, _STEPS, _RATE = 30, 3, 1e-2
# with the usual epsilon Adam makes a whole step of what is a gradient by rounding alone
_OPTIMISATION = optimisation(adam_epsilon=1e-3)


class Divided:
    """What models of several cases are after a few steps, and how many passes of them do not count."""

    def __init__(self, folders: Mapping[str, Path], splits: Mapping[tuple[str, str], Split]) -> None:
        self._folders, self._splits = folders, splits

    def after_steps(self, case: Case, group: Group) -> tuple[list[float], dict[str, torch.Tensor]]:
        """Return the losses of some steps, and the weights that were trained, whole; all processes call it."""
        name, form, method, precision = case
        model = fresh(self._folders, name, form, method, precision).train()
        distributed.shard(model, group, model.reduced)
        optimiser = make_optimiser(model, _OPTIMISATION)
        split = self._splits[name, form]
        schedule: Any = SimpleNamespace(steps=_STEPS, batches=lambda step: [(0, _instances(split))])
        data = [{"train": split}]
        batches = Batches(schedule, [task_of(form)], data, [1.0], 1, group, Hardware(_TOKENS), False)
        losses = []
        for of_step in batches.from_step(0):
            losses += take_step(model, optimiser, [task_of(form)], of_step, _RATE, _OPTIMISATION, group, CPU).losses
        trained = {key: value for key, value in model.named_parameters() if value.requires_grad}
        return losses, distributed.gather(trained, group)

    def in_two(self, cases: Sequence[Case], folder: Path) -> None:
        """Write losses and weights of all cases in one pair of processes."""

        def run(group: Group) -> None:
            for case in cases:
                losses, weights = self.after_steps(case, group)
                if group.leads:
                    path = folder / "-".join(case)
                    path.with_suffix(".json").write_text(json.dumps(losses))
                    save_file({key: value.clone() for key, value in weights.items()}, path.with_suffix(".safetensors"))

        together(2, run)

    def check(self, case: Case, folder: Path) -> None:
        """Compare a case with what one process does."""
        path = folder / "-".join(case)
        losses, weights = self.after_steps(case, Group())
        # bfloat16 has eight bits
        tolerance = 1e-4 if case[3] == "float32" else 5e-2
        np.testing.assert_allclose(json.loads(path.with_suffix(".json").read_text()), losses, rtol=tolerance)
        assert len(set(losses)) == _STEPS
        found = load_file(path.with_suffix(".safetensors"))
        assert found.keys() == weights.keys()
        for key, value in weights.items():
            # what is nought but for rounding may differ by all of it, and no weight moves by more than this
            most = _RATE * _STEPS * math.sqrt(value.numel())
            distance, length = float((found[key] - value).norm()), float(value.norm())
            assert distance <= tolerance * (length + most), f"{key}: {distance:.2g} of {length:.2g}"

    def uncounted(self, case: Case) -> int:
        """Return the number of passes of both processes that do not count."""
        split = self._splits[case[:2]]
        shares = divide(split.tokens, _instances(split), 2, _TOKENS)
        return sum(not portion.counts for share in shares for portion in share)


def _instances(split: Split) -> np.ndarray:
    return np.argsort(split.tokens.lengths, kind="stable")
