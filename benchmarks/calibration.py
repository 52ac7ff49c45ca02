"""Calibration of intervals: false positives, coverage and power of simulated studies, a row for each cell.

Run:  PYTHONPATH=. python benchmarks/calibration.py [studies a cell, 2000] > calibration.csv     (half an hour)

``tests/unit/evaluation/test_calibration.py`` has the bars: 2 to 7 % false positives, 93 to 98 % coverage.
"""

import csv
import itertools
import sys
import zlib

import numpy as np

from tests.builders.simulated_arms import ARRANGEMENTS, EXAMPLES, RUN_SDS, Design, estimates, resampling_weights

DIFFERENCES = (0.0, 1.0, 2.0)


def main(studies: int) -> None:
    """Print the cells."""
    weights = {examples: resampling_weights(examples) for examples in EXAMPLES}
    table = csv.writer(sys.stdout)
    names = [f"{what}_{difference:g}" for difference in DIFFERENCES for what in ("positive", "covered")]
    table.writerow(["arrangement", "runs", "others", "apart", "examples", "run_sd", *names, "half_width", "degrees"])
    for name, arrangements in ARRANGEMENTS.items():
        for (runs, others, apart), examples, run_sd in itertools.product(arrangements, EXAMPLES, RUN_SDS):
            shares = []
            for difference in DIFFERENCES:
                design = Design(runs, run_sd, examples, difference, others, apart)
                found = estimates(design, studies, weights[examples], seed=zlib.crc32(repr(design).encode()))
                positive = np.mean([one.low > 0 or one.high < 0 for one in found])
                covered = np.mean([one.low <= difference <= one.high for one in found])
                shares += [f"{100 * positive:.1f}", f"{100 * covered:.1f}"]
            half = np.median([(one.high - one.low) / 2 for one in found])
            degrees = np.median([one.degrees or np.nan for one in found])
            cell = [name, "+".join(map(str, runs)), others, int(apart), examples, run_sd]
            table.writerow([*cell, *shares, f"{half:.2f}", f"{degrees:.1f}"])
            sys.stdout.flush()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 2000)
