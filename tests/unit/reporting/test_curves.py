"""How trainings went, as text."""


from xstilts.reporting import curves
from xstilts.reporting.curves import Curve

from tests.builders.metrics_lines import line


def test_bars_are_on_a_scale_of_their_own():
    assert curves.bars([3.0, 2.0, 1.0]) == "█▅▁"
    assert curves.bars([1.0, 1.0]) == "▁▁"
    falling = curves.bars([float(value) for value in range(100, 0, -1)])
    assert len(falling) == 24 and falling[0] == "█" and falling[-1] == "▁" and sorted(falling, reverse=True) == [*falling]


def test_a_mixture_has_a_row_for_each_task():
    lines = [line(10, loss={"mnli": 1.1, "qqp": 0.7}), line(20, loss={"mnli": 0.9}, gpu_memory_mb=2048.0)]
    header, first, second, *_ = curves.text([Curve("tiny.two.s1", "intermediate", "float32", lines)]).splitlines()
    assert header.split()[:3] == ["training", "stage", "task"]
    assert first.split() == ["tiny.two.s1", "intermediate", "mnli", "█▁", "1.100", "0.900", "20", "0.50", "50", "2.0"]
    assert second.split() == ["qqp", "▁", "0.700", "0.700"]
