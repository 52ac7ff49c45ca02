"""Records the metrics of a training while it runs, a line every second at most (``store/metrics.py``)."""

import contextlib
import logging
import math
import resource
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO

import torch
from torch import nn

from xstilts.hardware import Hardware
from xstilts.store import metrics
from xstilts.store.metrics import Line
from xstilts.store.provenance import Training
from xstilts.training import energy

log = logging.getLogger(__name__)

# seconds between two lines at least, and lines of a training at most: so a study of thousands of trainings stays small
_SECONDS, _LINES = 1.0, 2000


class StepMetrics:
    """Collects what steps gave, and appends a line to the file now and then; it never ends a training."""

    def __init__(
        self, path: Path | None, steps: int, done: int, backbone: nn.Module, device: torch.device, processes: int = 1
    ) -> None:
        """Begin at a step of so many.

        Args:
            path: the file; None for a process that does not write.
            steps: of the training.
            done: those that were taken before.
            backbone: of what is trained. Its heads do not count: they compute few positions, as those with a label.
            device: where this process computes.
            processes: that train together.
        """
        self._path, self._done, self._device = path, done, device
        # those of a process, for each computes its share of the tokens
        self._operations = operations_per_token(backbone) / processes
        self._steps_of_line = math.ceil(steps / _LINES)
        self._file: IO[str] | None = None
        self._begin()

    def __enter__(self) -> "StepMetrics":
        if self._path is not None:
            try:
                self._path.parent.mkdir(parents=True, exist_ok=True)
                metrics.cut(self._path, self._done)
                self._file = open(self._path, "a", encoding="utf-8")  # noqa: SIM115 (open until the training ends)
            except OSError as error:
                self._give_up(error)
        self._begin()
        return self

    def __exit__(self, *_: object) -> None:
        self._end_line()
        if self._file is not None:
            self._file.close()

    def step(
        self, losses: Sequence[tuple[str, float]], gradient_norm: float, learning_rate: float, tokens: int
    ) -> None:
        """Count a step.

        Args:
            losses: the task and the loss of each of its batches.
            gradient_norm: before it is limited.
            learning_rate: of the step.
            tokens: of all its batches, without padding.
        """
        self._done += 1
        if self._file is None:
            return
        for task, loss in losses:
            self._losses.setdefault(task, []).append(loss)
        self._norms.append(gradient_norm)
        self._tokens += tokens
        self._rate = learning_rate
        now = time.monotonic()
        if now - self._since >= _SECONDS and len(self._norms) >= self._steps_of_line:
            self._write(now)

    @contextlib.contextmanager
    def paused(self) -> Iterator[None]:
        """End the line, and count neither time nor energy of what is done meanwhile: an evaluation, a checkpoint.

        So no line has steps from before and after a checkpoint, from which a training may go on.
        """
        self._end_line()
        yield
        self._begin()

    def _end_line(self) -> None:
        if self._norms:
            self._write(time.monotonic())

    def _begin(self) -> None:
        self._losses: dict[str, list[float]] = {}
        self._norms: list[float] = []
        self._tokens, self._rate = 0, 0.0
        self._since, self._joules = time.monotonic(), energy.joules(self._device)

    def _write(self, now: float) -> None:
        if self._file is None:
            return
        seconds = max(now - self._since, 1e-6)
        joules = energy.joules(self._device)
        on_gpu = self._device.type == "cuda"
        line = Line(
            step=self._done,
            learning_rate=self._rate,
            gradient_norm=round(_mean(self._norms), 6),
            loss={task: round(_mean(losses), 6) for task, losses in sorted(self._losses.items())},
            tokens=self._tokens,
            seconds=round(seconds, 3),
            tokens_per_second=round(self._tokens / seconds, 1),
            operations_per_second=float(f"{self._operations * self._tokens / seconds:.4g}"),
            memory_mb=round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1),
            gpu=torch.cuda.get_device_name(self._device) if on_gpu else None,
            gpu_memory_mb=round(torch.cuda.max_memory_allocated(self._device) / 2**20, 1) if on_gpu else None,
            joules=None if joules is None or self._joules is None else round(joules - self._joules, 1),
        )
        try:
            self._file.write(metrics.text(line))
            self._file.flush()
        except OSError as error:
            self._give_up(error)
        self._begin()

    def _give_up(self, error: OSError) -> None:
        log.warning("%s: no more metrics are written (%s)", self._path, error)
        self._file = None


def _mean(values: list[float]) -> float:
    return sum(values) / len(values)


def operations_per_token(model: nn.Module) -> float:
    """Return the floating-point operations that training takes for a token, of products with weights alone.

    For each number of a weight matrix 2 forwards, 2 backwards to the layer below, and 2 for its own gradient if it is
    trained (Kaplan et al. 2020, section 2.1). Attention between positions and layers that are computed twice to save
    memory do not count, as in the utilisation of Chowdhery et al. 2022, appendix B, but for its attention.

    Args:
        model: with weights whose ``requires_grad`` says what is trained.
    """
    total = 0.0
    for module in model.modules():
        if isinstance(module, nn.Linear):
            # weights in 4 bits are fewer elements than numbers
            total += module.in_features * module.out_features * (6 if module.weight.requires_grad else 4)
    return total


def of_training(results: Path, output: Path, hardware: Hardware, processes: int) -> Training:
    """Return how the training of a node used the hardware, by the metrics that it left.

    Args:
        results: the results folder.
        output: the node's manifest.
        hardware: what it was allowed.
        processes: that trained together.
    """
    node = output.parent.relative_to(results).as_posix()
    lines = [line for path in metrics.files_of(results, node) for line in metrics.read(path)]
    joules = [line.joules for line in lines if line.joules is not None]
    return Training(
        processes=processes,
        max_tokens_per_device=hardware.max_tokens_per_device,
        gradient_checkpointing=hardware.gradient_checkpointing,
        tokens_per_second=metrics.tokens_per_second(lines),
        # each has an equal share of the work
        joules=sum(joules) * processes if joules else None,
    )
