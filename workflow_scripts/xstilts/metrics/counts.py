"""F1 of counts, as tags and mined pairs are scored."""

from collections.abc import Mapping


def f1(sums: Mapping[str, float]) -> float:
    """Return the F1 (0 to 1) of ``true_positives``, ``false_positives`` and ``false_negatives``; 0 if all are 0."""
    hits, misses = sums["true_positives"], sums["false_positives"] + sums["false_negatives"]
    return 2 * hits / (2 * hits + misses) if hits + misses else 0.0
