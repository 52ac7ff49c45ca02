"""How trainings went, as text."""

import json
import math

from xstilts.reporting import curves
from xstilts.reporting.curves import Curve
from xstilts.store import gpu_report

from tests.builders.metrics_lines import line


def test_bars_are_on_a_scale_of_their_own():
    assert curves.bars([3.0, 2.0, 1.0]) == "█▅▁"
    assert curves.bars([1.0, 1.0]) == "▁▁"
    falling = curves.bars([float(value) for value in range(100, 0, -1)])
    assert (
        len(falling) == 24 and falling[0] == "█" and falling[-1] == "▁" and sorted(falling, reverse=True) == [*falling]
    )


def test_bars_are_of_finite_values():
    assert curves.bars([2.0, math.nan, math.inf, 1.0]) == "█▁"
    assert curves.bars([math.nan]) == ""


def test_a_mixture_has_a_row_for_each_task(tmp_path):
    lines = [line(10, loss={"mnli": 1.1, "qqp": 0.7}), line(20, loss={"mnli": 0.9}, gpu_memory_mb=2048.0)]
    header, first, second, *_ = curves.text(
        [Curve("tiny.two.s1", "intermediate", "float32", lines)], tmp_path
    ).splitlines()
    assert header.split()[:3] == ["training", "stage", "task"]
    assert first.split() == [
        "tiny.two.s1",
        "intermediate",
        "mnli",
        "█▁",
        "1.100",
        "0.900",
        "20",
        "0.50",
        "50",
        "2.0",
        curves.NOTHING,
    ]
    assert second.split() == ["qqp", "▁", "0.700", "0.700"]


def test_utilisation_is_by_the_rate_that_was_measured_in_the_same_precision(tmp_path):
    stated = {"gpu": "A GPU", "rates": {"bfloat16": 500.0}, "bandwidth": 1e12, "launch": 1e-6, "memory": 10**9}
    path = gpu_report.path_of(tmp_path, "A GPU")
    path.parent.mkdir()
    path.write_text(json.dumps(stated))
    lines = [line(10, gpu="A GPU", operations_per_second=1e14), line(20, gpu="A GPU", operations_per_second=3e14)]
    rows = [
        curves.text([Curve("one", "targets", precision, lines)], tmp_path).splitlines()[1]
        for precision in ("bfloat16", "float32")
    ]
    assert rows[0].endswith("  40 %") and rows[1].endswith(curves.NOTHING)
