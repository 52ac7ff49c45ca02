"""A GPU computes what the CPU computes: losses of some steps, and outputs of what was saved there and is read here."""

import itertools
import shutil
from collections.abc import Iterator

import numpy as np
import torch

from xstilts.models.backbone import load_backbone
from xstilts.models.distributed import Group
from xstilts.models.model import Model, load_model, save_model
from xstilts.store.specs.models import Method, Numerics
from xstilts.training.gpu_checks import families
from xstilts.training.gpu_checks.checks import Check, equality, largest_difference
from xstilts.training.gpu_checks.families import FAMILIES, LONGEST, VOCABULARY
from xstilts.training.gpu_checks.machine import Machine
from xstilts.training.gpu_checks.models import Steps, outputs, ready, tokens_of
from xstilts.training.gpu_checks.trainings import FULL, LORA, TASK

_STEPS, _RATE = 6, 1e-3
# the largest difference of a loss or an output, by the type of products
_LIMITS = {"float32": 1e-4, "bfloat16": 2e-2}
_CPU = torch.device("cpu")


def run(machine: Machine) -> Iterator[Check]:
    """Yield a row for each family, fine-tuning method and precision."""
    cases = list(itertools.product(FAMILIES, (FULL, LORA), _LIMITS))
    # a dry run compares the CPU with itself
    for family, method, precision in cases[::3] if machine.is_dry_run else cases:
        difference = _difference(machine, family, method, precision)
        yield equality(f"{family}, {method.name}, {precision}", difference, _LIMITS[precision])


def _difference(machine: Machine, family: str, method: Method, precision: str) -> float:
    """Return the largest difference of losses, and of outputs of the saved model."""
    folder, submodel = families.folder_of(family, machine.scratch / "families"), FAMILIES[family][1]
    dtype = "bfloat16" if precision == "bfloat16" and method.is_adapter else "float32"
    numerics = Numerics(submodel=submodel, dtype=dtype, precision=precision)
    tokens = tokens_of(np.random.default_rng(0).integers(5, LONGEST, size=16), VOCABULARY)
    losses: dict[torch.device, list[float]] = {}
    model: Model | None = None
    for device in (_CPU, machine.device):
        model = ready(load_backbone(folder, submodel, dtype), method, numerics, device)
        losses.setdefault(device, []).extend(Steps(model, tokens, _STEPS, device, rate=_RATE).losses())
    assert model is not None
    saved = machine.scratch / "saved"
    shutil.rmtree(saved, ignore_errors=True)
    saved.mkdir()
    save_model(model, saved, Group())
    read = load_model([saved, folder] if method.is_adapter else [saved], [TASK], numerics, None)
    of_losses = largest_difference(losses[_CPU][:_STEPS], losses[machine.device][-_STEPS:])
    of_outputs = (outputs(model, tokens, machine.device) - outputs(read, tokens, _CPU)).abs().max().item()
    return float(np.max([of_losses, of_outputs]))
