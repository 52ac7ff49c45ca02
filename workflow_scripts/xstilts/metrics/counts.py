"""F1 of counts, as tags and mined pairs are scored."""

from collections.abc import Mapping
from typing import Any

import numpy as np


def f1(sums: Mapping[str, Any]) -> Any:
    """Return the F1 (0 to 1) of ``true_positives``, ``false_positives`` and ``false_negatives``; 0 if all are 0.

    Args:
        sums: by name, numbers or arrays of one shape.
    """
    hits, misses = sums["true_positives"], sums["false_positives"] + sums["false_negatives"]
    all_counts = 2 * hits + misses
    return 2 * hits / np.where(all_counts > 0, all_counts, 1)
