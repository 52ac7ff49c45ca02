"""Learning rates of the intermediate phase of studies/miniature.yaml, chosen on English dev rows.

Run:  make study STUDY=studies/miniature_rates.yaml
      python benchmarks/learning_rates.py [--study results/studies/miniature_rates/latest]

Prints the mean dev score of the study's targets for each model and mixture, over worlds and seeds, and marks the best
learning rate of each. Test scores are not read.
"""

import argparse
import sys
from pathlib import Path

import pandas as pd

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "workflow_scripts"))

import xstilts  # noqa: E402 (the library of this checkout)
from xstilts.evaluation.arms import dev_scores  # noqa: E402
from xstilts.reporting import layout  # noqa: E402
from xstilts.store import manifest  # noqa: E402
from xstilts.store.manifest import EvaluationResults  # noqa: E402

MILLIONTH = 1e-6


def dev_means(folder: Path) -> pd.DataFrame:
    """Return model, mixture, learning rate, and the mean dev score in percent with its standard deviation over runs."""
    study = xstilts.load(folder)
    rows = []
    for cell in study.plan.cells:
        training = manifest.results_of(study.results, cell.node, EvaluationResults).training
        mixture, _, rate = cell.mixture.rpartition("-")
        for score in dev_scores(study.plan, cell.node, training):
            rows.append((cell.model, mixture, int(rate) * MILLIONTH, score))
    frame = pd.DataFrame(rows, columns=["model", "mixture", "learning_rate", "score"])
    groups = frame.groupby(["model", "mixture", "learning_rate"], sort=False, as_index=False)
    return groups.agg(score=("score", "mean"), deviation=("score", "std"), runs=("score", "size"))


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--study", type=Path, default=ROOT / "results/studies/miniature_rates/latest")
    frame = dev_means(parser.parse_args().study)
    best = frame.loc[frame.groupby(["model", "mixture"])["score"].idxmax()].index
    header = ["model", "mixture", "learning rate", "dev score", "sd", "runs", ""]
    rows = [
        [
            row.model,
            row.mixture,
            f"{row.learning_rate:g}",
            f"{row.score:.1f}",
            f"{row.deviation:.1f}",
            str(row.runs),
            mark,
        ]
        for row, mark in zip(
            frame.itertuples(), ["best" if index in best else "" for index in frame.index], strict=True
        )
    ]
    sys.stdout.write(layout.markdown((header, rows), "English dev scores, means over worlds and seeds."))


if __name__ == "__main__":
    main()
