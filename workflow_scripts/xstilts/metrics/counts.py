"""F1 of counts, as tags and mined pairs are scored."""

from collections.abc import Mapping
from typing import Any


def f1(sums: Mapping[str, Any]) -> Any:
    """Return the F1 (0 to 1) of ``true_positives``, ``false_positives`` and ``false_negatives``; 0 if all are 0.

    Of numbers it is a number, of arrays an array of the same shape.
    """
    hits, misses = sums["true_positives"], sums["false_positives"] + sums["false_negatives"]
    both = 2 * hits + misses
    return 2 * hits / (both + (both == 0))
