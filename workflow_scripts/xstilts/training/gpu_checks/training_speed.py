"""How fast large models train, what share of the GPU's rate that is, and how much memory it takes.

Of each training the largest number of tokens at once is taken that fits. Operations and memory are those of ``xstilts
estimate``; what is computed for padding does not count.
"""

import gc
import time
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch.autograd import DeviceType
from torch.profiler import ProfilerActivity, profile

from xstilts.training.gpu_checks.checks import MISSED, NOT_RUN, REPORTED, Check
from xstilts.training.gpu_checks.machine import Machine
from xstilts.training.gpu_checks.models import Steps, config_of, random_model, tokens_of
from xstilts.training.gpu_checks.trainings import BUDGETS, STEPS, TRAININGS, Expected, Training, hardware_of

# how far the peak of memory may be from the estimate
_TOLERANCE = 0.15
_WARM, _PROFILED = 2, 2
_WAITS = ("cudaStreamSynchronize", "cudaDeviceSynchronize", "cudaEventSynchronize")


def run(machine: Machine) -> Iterator[Check]:
    """Yield the rows of each training."""
    for each in TRAININGS:
        training = each.in_dry_run() if machine.is_dry_run else each
        yield from _measured(machine, training)
        gc.collect()
        if machine.has_gpu:
            torch.cuda.empty_cache()


def _measured(machine: Machine, training: Training) -> Iterator[Check]:
    texts = training.texts
    tokens = tokens_of(texts.lengths(texts.batch_size * (_WARM + STEPS + _PROFILED)), training.config["vocab_size"])
    try:
        model = random_model(config_of(training.config), training.method, training.numerics, machine.device)
    except torch.OutOfMemoryError:
        yield Check(training.name, "the weights do not fit", "", NOT_RUN)
        return
    for budget in BUDGETS:
        if machine.has_gpu:
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats()
        try:
            steps = Steps(
                model, tokens, _WARM + STEPS + _PROFILED, machine.device, training.task, hardware=hardware_of(budget)
            )
            yield from _rows(machine, training, budget, steps)
            return
        except torch.OutOfMemoryError:
            model.zero_grad()
    yield Check(training.name, f"{BUDGETS[-1]} tokens at once do not fit", "fits", MISSED)


def _rows(machine: Machine, training: Training, budget: int, steps: Steps) -> Iterator[Check]:
    for step in range(_WARM):
        steps.take(steps.batches(step))
    machine.synchronise()
    chosen = [steps.batches(step) for step in range(_WARM, _WARM + STEPS)]
    started = time.perf_counter()
    for batches in chosen:
        steps.take(batches)
    machine.synchronise()
    each = (time.perf_counter() - started) / STEPS
    computed = sum(batch.tokens for batches in chosen for batch in batches) / STEPS
    speed = f"{each * 1e3:.4g} ms a step, {computed / each:,.0f} tokens/s, {budget:,} tokens at once"
    values = {"seconds": each, "tokens_per_second": computed / each, "max_tokens_per_device": float(budget)}
    yield Check(training.name, speed, "", REPORTED, values)
    expected = machine.expected(training, hardware_of(budget))
    yield _utilisation(machine, training, expected, each)
    yield _peak(machine, training, expected)
    yield _busy(machine, training, steps, each)


def _utilisation(machine: Machine, training: Training, expected: Expected, each: float) -> Check:
    """Return the share of the measured rate of products that a training comes to (MFU)."""
    what, bar = f"{training.name}: share of the rate", training.share
    shown_bar = "" if bar is None else f"{bar:.0%}"
    if machine.throughput is None:
        return Check(what, "the rate was not measured", shown_bar, NOT_RUN)
    share = expected.operations / each / machine.throughput
    verdict = REPORTED if bar is None else machine.judge(share >= bar)
    return Check(what, f"{share:.1%}", shown_bar, verdict, {"utilisation": share})


def _peak(machine: Machine, training: Training, expected: Expected) -> Check:
    """Return the most memory that a training took, beside its estimate."""
    what, bar = f"{training.name}: memory", f"within {_TOLERANCE:.0%}"
    if not machine.has_gpu:
        return Check(what, f"estimate {expected.memory / 1e9:.3g} GB", bar, machine.judge(False))
    peak = torch.cuda.max_memory_allocated()
    difference = peak / expected.memory - 1
    shown = f"{peak / 1e9:.3g} GB, {difference:+.0%} of the estimate"
    values = {"peak": float(peak), "estimate": expected.memory}
    return Check(what, shown, bar, machine.judge(abs(difference) <= _TOLERANCE), values)


def _busy(machine: Machine, training: Training, steps: Steps, each: float) -> Check:
    """Return the share of the time in which the GPU computes, and how often it is given work and waited for."""
    what = f"{training.name}: busy"
    if not machine.has_gpu:
        return Check(what, "not measured on a CPU", "", NOT_RUN)
    found = activity(machine, steps, range(_WARM + STEPS, _WARM + STEPS + _PROFILED))
    shown = f"{found.seconds / each:.0%} of a step, {found.launches:,.0f} launches, {found.waits:.0f} waits"
    return Check(what, shown, "", REPORTED, {"busy": found.seconds / each, "launches": found.launches})


@dataclass(frozen=True)
class Activity:
    """What a GPU does in a step: seconds in which it computes, kernels that are launched, and waits for it."""

    seconds: float
    launches: float
    waits: float


def activity(machine: Machine, steps: Steps, chosen: range) -> Activity:
    """Take steps, and return what the GPU does in one of them.

    Args:
        machine: where they are taken.
        steps: all of them.
        chosen: the numbers of those that are taken.
    """
    with profile(activities=[ProfilerActivity.CPU, *([ProfilerActivity.CUDA] if machine.has_gpu else [])]) as profiled:
        for step in chosen:
            steps.take(steps.batches(step))
    events = profiled.key_averages()
    # ranges that have a name of their own cover the kernels in them
    kernels = [event for event in events if event.device_type == DeviceType.CUDA and not event.is_user_annotation]
    return Activity(
        seconds=sum(event.self_device_time_total for event in kernels) / 1e6 / len(chosen),
        launches=sum(event.count for event in events if "LaunchKernel" in event.key) / len(chosen),
        waits=sum(event.count for event in events if event.key in _WAITS) / len(chosen),
    )
