"""Learning rates of the intermediate phase of studies/miniature.yaml, chosen on English dev rows.

Run:  make study STUDY=studies/miniature_rates.yaml
      python benchmarks/learning_rates.py --study results/studies/miniature_rates/latest   (writes learning_rates.csv)
      python benchmarks/learning_rates.py                                                  (prints it)

The mean dev score of the study's target for each model and mixture, over worlds and seeds, and the best learning rate
of each. Test scores are not read.
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

MEANS = ROOT / "docs/miniature/learning_rates.csv"
MILLIONTH = 1e-6


def dev_means(folder: Path) -> pd.DataFrame:
    """Return model, mixture, learning rate, and the mean dev score in percent with its standard deviation over runs."""
    study = xstilts.load(folder)
    rows = []
    for cell in study.plan.cells:
        training = manifest.results_of(study.results, cell.node, EvaluationResults).training
        mixture, _, rate = cell.mixture.rpartition("-")
        for score in dev_scores(study.plan, cell.node, training):
            rows.append((cell.model, mixture, round(int(rate) * MILLIONTH, 9), score))
    frame = pd.DataFrame(rows, columns=["model", "mixture", "learning_rate", "score"])
    groups = frame.groupby(["model", "mixture", "learning_rate"], sort=False, as_index=False)
    return groups.agg(score=("score", "mean"), deviation=("score", "std"), runs=("score", "size"))


def text(frame: pd.DataFrame) -> str:
    """Return the table in which the best learning rate of each model and mixture is marked."""
    best = set(frame.loc[frame.groupby(["model", "mixture"])["score"].idxmax()].index)
    header = ["model", "mixture", "learning rate", "dev score", "sd", "runs", ""]
    rows = [
        [row.model, row.mixture, f"{row.learning_rate:g}", f"{row.score:.1f}", f"{row.deviation:.1f}", str(row.runs)]
        + ["best" if row.Index in best else ""]
        for row in frame.itertuples()
    ]
    return layout.markdown((header, rows), "English dev scores (F1), means over two worlds and two seeds.").strip()


def main() -> None:
    """Write the means of a study, or print them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--study", type=Path, default=None, help="outputs of the study")
    study = parser.parse_args().study
    if study is not None:
        dev_means(study).to_csv(MEANS, index=False, float_format="%.4f")
    sys.stdout.write(text(pd.read_csv(MEANS)) + "\n")


if __name__ == "__main__":
    main()
