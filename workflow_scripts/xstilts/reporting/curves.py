"""How trainings went, as text: their loss as a line of bars, speed, memory and the use of the GPU."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from xstilts.reporting.layout import NOTHING, columns
from xstilts.store import gpu_report, metrics
from xstilts.store.metrics import Line

_BARS = "▁▂▃▄▅▆▇█"
# characters of a line of bars
_WIDTH = 24


@dataclass(frozen=True)
class Curve:
    """A training with its metrics.

    Attributes:
        name: what the study calls it.
        stage: its node's.
        precision: in which its products are computed.
        lines: its metrics, one at least.
    """

    name: str
    stage: str
    precision: str
    lines: Sequence[Line]


def text(found: Sequence[Curve], results: Path) -> str:
    """Return a table with a row for each task of each training.

    The loss is from the first to the last step, each bar the mean of a share of them, on a scale of the row's own. The
    last column is the model's utilisation of operations: its products with weights by those that the GPU was measured
    to compute in the same precision (``gpu_report``).

    Args:
        found: the trainings.
        results: the results folder, which may say how fast a GPU is.
    """
    header = ["training", "stage", "task", "loss", "first", "last", "steps", "gradient norm", "tokens/s", "memory, GB",
              "of the GPU's rate"]  # fmt: skip
    rows = [row for curve in found for row in _rows(curve, results)]
    return "\n".join(columns((header, rows), left=4)) + "\n"


def _rows(curve: Curve, results: Path) -> list[list[str]]:
    last = curve.lines[-1]
    speed = metrics.tokens_per_second(curve.lines)
    memory = (last.gpu_memory_mb or last.memory_mb) / 1024
    of_all = [str(last.step), f"{last.gradient_norm:.2f}", f"{speed:,.0f}" if speed else NOTHING, f"{memory:.1f}",
              _utilisation(curve, results)]  # fmt: skip
    rows: list[list[str]] = []
    for task in dict.fromkeys(task for line in curve.lines for task in line.loss):
        losses = [line.loss[task] for line in curve.lines if task in line.loss]
        shown = [curve.name, curve.stage] if not rows else ["", ""]
        rows.append([*shown, task, bars(losses), f"{losses[0]:.3f}", f"{losses[-1]:.3f}", *of_all])
        of_all = [""] * len(of_all)
    return rows


def _utilisation(curve: Curve, results: Path) -> str:
    """Return the share of the GPU's measured rate that is used, in percent."""
    gpu = curve.lines[-1].gpu
    path = gpu and gpu_report.path_of(results, gpu)
    rate = path and path.exists() and gpu_report.read(path).rates.get(curve.precision)
    seconds = sum(line.seconds for line in curve.lines)
    if not rate or not seconds:
        return NOTHING
    operations = sum(line.operations_per_second * line.seconds for line in curve.lines)
    return f"{100 * operations / seconds / (rate * 1e12):.0f} %"


def bars(values: Sequence[float]) -> str:
    """Return values as bars: the lowest of the row is the lowest bar, the highest the highest.

    Args:
        values: in their order, of which only finite ones are shown; of more than fit, each bar is the mean of as many
            as the others.
    """
    values = [value for value in values if math.isfinite(value)]
    if not values:
        return ""
    number = min(_WIDTH, len(values))
    edges = [round(index * len(values) / number) for index in range(number + 1)]
    means = [sum(values[low:high]) / (high - low) for low, high in zip(edges, edges[1:], strict=False)]
    low, high = min(means), max(means)
    scale = (len(_BARS) - 1) / (high - low) if high > low else 0.0
    return "".join(_BARS[round((mean - low) * scale)] for mean in means)
