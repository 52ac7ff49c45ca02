"""False alarms: how often an arm is said to differ from itself with other seeds (docs/miniature.md).

Run:  make study STUDY=studies/miniature_seeds.yaml
      python benchmarks/false_alarms.py --study results/studies/miniature_seeds/latest   (writes runs.parquet)
      python benchmarks/false_alarms.py                                                  (counts)

The first call keeps of each run its zero-shot score of each target, as measured and under each resampling of examples.
The second one splits the eight runs of every arm in all ways into three against three, the same way in all arms, and
counts how often the interval of their difference leaves 0, and how often it does when 2 points are added to one side.
Both sides are arms of the pool of the variance between runs, which has twice the degrees of freedom of a study's.
"""

import argparse
import itertools
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from scipy import stats

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "workflow_scripts"))

import xstilts  # noqa: E402 (the library of this checkout)
from xstilts.evaluation import arms, intervals, outcomes, resampling  # noqa: E402
from xstilts.reporting import layout  # noqa: E402
from xstilts.store.study_plan import StudyPlan  # noqa: E402

RUNS = ROOT / "docs/miniature/seeds/runs.parquet"
SIDE = 3
PLANTED = 2.0
HUNDREDTHS = 100


def runs_of(plan: StudyPlan, results: Path) -> pd.DataFrame:
    """Return a row a run and target: model, mixture, seed, target, clusters, pool, score, and the scores of all draws.

    The score is in percent, those of the draws in hundredths of it, which makes the file small.
    """
    examples = {target: resampling.examples_of(plan, results, target) for target in plan.targets}
    rows = {target: {name: len(split.ids) for name, split in splits.items()} for target, splits in examples.items()}
    asked = [outcome for target in plan.targets for outcome in outcomes.zero_shot(plan, rows, [target])]
    measured = arms.measure(plan, results, examples, [term for outcome in asked for term in outcome.terms])
    kept = []
    for outcome in asked:
        splits = [examples[term.target][term.language] for term in outcome.terms]
        clusters = resampling.clusters_in(splits)
        for arm, runs in arms.runs_of(measured, outcome).items():
            for seed, (score, *drawn) in zip(runs.seeds, runs.values, strict=True):
                kept.append(
                    {
                        **{"model": arm.model, "mixture": arm.mixture, "seed": seed, "target": outcome.target},
                        **{"clusters": clusters, "pool": runs.pool, "score": score, "draws": in_hundredths(drawn)},
                    }
                )
    return pd.DataFrame(kept)


def in_hundredths(scores: Sequence[float]) -> np.ndarray:
    """Return scores in percent as whole hundredths."""
    return np.round(np.array(scores) * HUNDREDTHS).astype(np.int16)


def splits(seeds: list[int]) -> Iterator[tuple[list[int], list[int]]]:
    """Yield all ways to take three seeds against three others, each once."""
    for first in itertools.combinations(seeds, SIDE):
        for second in itertools.combinations([seed for seed in seeds if seed not in first], SIDE):
            if first < second:
                yield list(first), list(second)


def alarms(runs: pd.DataFrame) -> pd.DataFrame:
    """Return for each arm and target in which share of all splits a difference is found, of nothing and of 2 points."""
    counted = []
    for target, of_target in runs.groupby("target", sort=False):
        clusters, seeds = int(of_target["clusters"].iloc[0]), sorted(set(of_target["seed"]))
        of_arms = {
            mixture: of_arm.set_index("seed").loc[seeds] for mixture, of_arm in of_target.groupby("mixture", sort=False)
        }
        pool_of = {mixture: of_arm["pool"].iloc[0] for mixture, of_arm in of_arms.items()}
        scores = {mixture: of_arm["score"].to_numpy() for mixture, of_arm in of_arms.items()}
        # of shape (draws, runs)
        draws = {mixture: np.stack(of_arm["draws"], axis=1) / HUNDREDTHS for mixture, of_arm in of_arms.items()}
        for first, second in splits(list(range(len(seeds)))):
            pools = {
                pool: intervals.run_variance(
                    [
                        scores[mixture][side]
                        for mixture in pool_of
                        if pool_of[mixture] == pool
                        for side in (first, second)
                    ]
                )
                for pool in set(pool_of.values())
            }
            for mixture, pool in pool_of.items():
                sides = [
                    intervals.WeightedArm(coefficient, scores[mixture][side], draws[mixture][:, side], pool)
                    for coefficient, side in ((1.0, first), (-1.0, second))
                ]
                found = intervals.estimate(sides, pools, clusters)
                half = found.high - found.value
                counted.append(
                    {
                        "target": target,
                        "mixture": mixture,
                        "nothing": abs(found.value) > half,
                        "planted": found.value + PLANTED > half,
                        "half_width": half,
                    }
                )
    return pd.DataFrame(counted).groupby(["target", "mixture"], sort=False, as_index=False).mean()


def over_arms(shares: pd.Series) -> tuple[float, float, float]:
    """Return the mean share with the ends of its 95 % interval over arms and targets (t); all in percent."""
    low, high = stats.t.interval(0.95, len(shares) - 1, shares.mean(), stats.sem(shares))
    return 100 * float(shares.mean()), 100 * float(low), 100 * float(high)


def with_one_pool(runs: pd.DataFrame) -> pd.DataFrame:
    """Return the runs with one pool for all arms that have an intermediate phase, however many tasks they have."""
    plain = runs.loc[runs["mixture"] == "none", "pool"]
    return runs.assign(pool=runs["pool"].where(runs["pool"].isin(plain), "an intermediate phase"))


def text(runs: pd.DataFrame, counted: pd.DataFrame, one_pool: pd.DataFrame) -> str:
    """Return the table of shares, and their means with intervals.

    Args:
        runs: the runs.
        counted: their shares.
        one_pool: the same with one pool.
    """
    deviations = runs.groupby(["target", "mixture"])["score"].std()
    rows = [
        [
            *(row.target, row.mixture, f"{deviations[row.target, row.mixture]:.1f}", f"{100 * row.nothing:.1f}"),
            *(f"{100 * row.planted:.0f}", f"{row.half_width:.1f}", f"{100 * before:.1f}"),
        ]
        for row, before in zip(counted.itertuples(), one_pool["nothing"], strict=True)
    ]
    found = f"found of {PLANTED:g} points, %"
    header = ["target", "arm", "sd of runs", "found of nothing, %", found, "half width", "of nothing with one pool, %"]
    mean, low, high = over_arms(counted["nothing"])
    mean_before, low_before, high_before = over_arms(one_pool["nothing"])
    legend = (
        f"Over arms and targets: of nothing {mean:.1f} % [{low:.1f}, {high:.1f}], of {PLANTED:g} points"
        f" {100 * counted['planted'].mean():.0f} %; of nothing with one pool for all arms that have an intermediate"
        f" phase {mean_before:.1f} % [{low_before:.1f}, {high_before:.1f}]."
    )
    return layout.markdown((header, rows), "Three runs of an arm against three others of the same arm.", legend).strip()


def main() -> None:
    """Keep the runs of a study, or count."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--study", type=Path, default=None, help="outputs of the study whose runs are to be kept")
    study = parser.parse_args().study
    if study is not None:
        loaded = xstilts.load(study)
        RUNS.parent.mkdir(parents=True, exist_ok=True)
        runs_of(loaded.plan, loaded.results).to_parquet(RUNS, index=False)
    runs = pd.read_parquet(RUNS)
    sys.stdout.write(text(runs, alarms(runs), alarms(with_one_pool(runs))) + "\n")


if __name__ == "__main__":
    main()
