"""Training steps of a model in one process and in several, on rows of every form, at most a few tokens at once."""

import hashlib
import json
import math
from collections.abc import Mapping
from dataclasses import replace
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
from xstilts.training.step import Batches, take_step

from tests.builders.models import CPU, fresh, optimisation, task_of
from tests.builders.processes import together

# name, form, method and precision
Case = tuple[str, str, str, str]
# so few tokens that the longer half of the rows needs more passes than the other one, in most cases
_TOKENS, _STEPS, _RATE = 30, 3, 1e-1
_OPTIMISATION = optimisation()


class Divided:
    """What models of several cases are after a few steps, and how many passes of them do not count."""

    def __init__(self, folders: Mapping[str, Path], splits: Mapping[tuple[str, str], Split]) -> None:
        self._folders, self._splits = folders, splits

    def after_steps(self, case: Case, group: Group) -> tuple[list[float], dict[str, torch.Tensor]]:
        """Return losses and gradient norms of some steps, and how far trained weights have moved, whole.

        All processes call it. It is plain gradient descent: Adam makes a whole step of what is a gradient by rounding
        alone.
        """
        name, form, method, precision = case
        model = fresh(self._folders, name, form, method, precision).train()
        distributed.shard(model, group, model.reduced)
        trained = {key: value for key, value in model.named_parameters() if value.requires_grad}
        before = {key: value.clone() for key, value in distributed.gather(trained, group).items()}
        optimiser = torch.optim.SGD(trained.values())
        split = self._splits[name, form]
        schedule: Any = SimpleNamespace(steps=_STEPS, batches=lambda step: [(0, _instances(split))])
        data = [{"train": split}]
        batches = Batches(schedule, [task_of(form)], data, [1.0], 1, group, Hardware(_TOKENS), False)
        losses = []
        for of_step in batches.from_step(0):
            taken = take_step(model, optimiser, [task_of(form)], of_step, _RATE, _OPTIMISATION, group, CPU)
            losses += [*taken.losses, taken.gradient_norm]
        assert group.shards > 1 or len(set(group.all(digest(model)))) == 1
        after = distributed.gather(trained, group)
        return losses, {key: value - before[key] for key, value in after.items()}

    def in_processes(self, number: int, shards: Mapping[Case, int], folder: Path) -> None:
        """Write losses and movements of all cases in one group of processes, each with weights in so many shards."""

        def run(group: Group) -> None:
            for case, among in shards.items():
                losses, moved = self.after_steps(case, replace(group, shards=among))
                if group.leads:
                    path = folder / "-".join(case)
                    path.with_suffix(".json").write_text(json.dumps(losses))
                    save_file(moved, path.with_suffix(".safetensors"))

        together(number, run)

    def check(self, case: Case, folder: Path) -> None:
        """Compare a case with what one process does."""
        path = folder / "-".join(case)
        losses, moved = self.after_steps(case, Group())
        # bfloat16 has eight bits, and gradients are differences; a process that counted twice would be twice as far
        of_losses, of_way = (1e-4, 1e-4) if case[3] == "float32" else (5e-2, 0.2)
        np.testing.assert_allclose(json.loads(path.with_suffix(".json").read_text()), losses, rtol=of_losses)
        found = load_file(path.with_suffix(".safetensors"))
        assert found.keys() == moved.keys()
        way = math.hypot(*(float(value.norm()) for value in moved.values()))
        assert way > 0
        distance = {key: float((found[key] - value).norm()) for key, value in moved.items()}
        worst = max(distance, key=distance.__getitem__)
        assert distance[worst] <= of_way * way, f"{worst}: {distance[worst]:.2g} of {way:.2g}"

    def uncounted(self, case: Case) -> int:
        """Return the number of passes of both processes that do not count."""
        split = self._splits[case[:2]]
        shares = divide(split.tokens, _instances(split), 2, _TOKENS)
        return sum(not portion.counts for share in shares for portion in share)


def digest(model: torch.nn.Module) -> str:
    """Return the SHA-256 of what this process holds of a model's weights."""
    found = hashlib.sha256()
    for value in model.parameters():
        found.update(distributed.local(value.detach()).contiguous().view(torch.uint8).numpy().tobytes())
    return found.hexdigest()


def _instances(split: Split) -> np.ndarray:
    return np.argsort(split.tokens.lengths, kind="stable")
