"""What compiling brings: steps of a model that is compiled, against the same steps of one that is not."""

import time
from collections.abc import Iterator
from typing import Any

import torch

from xstilts.errors import first_line
from xstilts.models import stacks
from xstilts.store.specs.models import Numerics
from xstilts.training.gpu_checks.checks import NOT_RUN, REPORTED, Check
from xstilts.training.gpu_checks.machine import Machine
from xstilts.training.gpu_checks.models import Steps, config_of, random_model, tokens_of
from xstilts.training.gpu_checks.trainings import FULL, LARGE, LIKE_MNLI, stand_in, tiny

_LAYERS, _WARM, _STEPS = 6, 3, 10


def run(machine: Machine) -> Iterator[Check]:
    """Yield a row with the ratio; a dry run goes through it without a compiler, which takes it a minute."""
    model = stand_in("XLM-R Large") if machine.is_dry_run else "XLM-R Large"
    what = f"{_LAYERS} layers of {model}, {LIKE_MNLI.name}"
    plain, _ = _seconds(machine, False)
    try:
        with torch.compiler.set_stance("force_eager" if machine.is_dry_run else "default"):
            compiled, first = _seconds(machine, True)
    # compilers and their back ends have errors of their own
    except Exception as error:
        yield Check(what, f"cannot be compiled here: {first_line(error)[:80]}", "", NOT_RUN)
        return
    if machine.is_dry_run:
        yield Check(what, "not compiled in a dry run", "", NOT_RUN)
        return
    ratio = plain / compiled
    shown = f"{ratio:.2f} times as fast, the first steps take {first:.0f} s"
    yield Check(what, shown, "", REPORTED, {"ratio": ratio, "first": first})


def _seconds(machine: Machine, is_compiled: bool) -> tuple[float, float]:
    """Return seconds of a step, and of the first ones together."""
    content: dict[str, Any] = tiny(LARGE) if machine.is_dry_run else {**LARGE, "num_hidden_layers": _LAYERS}
    lengths = LIKE_MNLI.lengths(8 * (_WARM + _STEPS))
    tokens = tokens_of(lengths, content["vocab_size"])
    numerics = Numerics(submodel=None, dtype="float32", precision="bfloat16")
    model = random_model(config_of(content), FULL, numerics, machine.device)
    if is_compiled:
        # as the loop does for a recipe with `compile`
        stacks.compile_layers(model.backbone.transformer)
    steps = Steps(model, tokens, _WARM + _STEPS, machine.device)
    started = time.perf_counter()
    for step in range(_WARM):
        steps.take(steps.batches(step))
    machine.synchronise()
    begun = time.perf_counter()
    for step in range(_WARM, _WARM + _STEPS):
        steps.take(steps.batches(step))
    machine.synchronise()
    return (time.perf_counter() - begun) / _STEPS, begun - started
