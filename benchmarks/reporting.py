"""Seconds and memory of everything that people read of a study with 100,800 rows of scores.

Run:  PYTHONPATH=. python benchmarks/reporting.py [examples a language, 100] [--at-once 2] [--profile estimates]

4 models x 12 mixtures x 5 seeds x 5 targets x 42 languages x 2 metrics. Predictions are made up, of simulated models
that answer right or wrong, and are written as jobs write them; then the commands of the rules run, each as a process of
its own. Nodes have neither data nor weights behind them, so what a report says of these is not in the figures.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import yaml
from xstilts.store import study_plan
from xstilts.store.answer import Answer, Budget, Contrast, Family
from xstilts.store.study_plan import PlannedTarget

from tests.builders.predicted import Predicted
from tests.builders.study_plans import figure_commands

ROOT = Path(__file__).resolve().parents[1]
LANGUAGES = 42
SEEDS = range(1, 6)
# commands of a group do not wait for each other
GROUPS = [[["scores"], ["estimates"]], [["analyses"], ["tables"]], figure_commands(), [["report"]]]
STEPS = {" ".join(command[:2]): command for group in GROUPS for command in group}
SINGLES = ("mnli", "squad_v1", "hellaswag")
MIXTURES = {
    "none": (), **{name: (name,) for name in SINGLES},
    **{f"several{number}": SINGLES[:2] for number in range(7)}, "nine": SINGLES,
}  # fmt: skip
FAMILIES = {
    "first": Family(small="first-small", large="first-large"),
    "second": Family(small="second-small", large="second-large"),
}
TARGETS = {
    "xnli": PlannedTarget("xnli", "classification", "accuracy", "en", "tiny", ("xnli",), ("mnli",)),
    "pawsx": PlannedTarget("pawsx", "classification", "accuracy", "en", "tiny", ("pawsx",)),
    "xquad": PlannedTarget("xquad", "span", "f1", "en", "tiny", ("squad_v1",), ("squad_v1",)),
    "mlqa": PlannedTarget("mlqa", "span", "f1", "en", "tiny", ("squad_v1",), ("squad_v1",)),
    "tydiqa": PlannedTarget("tydiqa", "span", "f1", "en", "tiny", ("tydiqa",)),
}


@dataclass(frozen=True)
class Used:
    """What a command used: wall and CPU seconds, and its highest resident memory in MB."""

    wall: float
    processor: float
    memory: float


def write(results: Path, examples: int) -> Path:
    """Write the study's predictions and its plan, and return the path of the plan."""
    rng = np.random.default_rng(0)
    listed = list(
        yaml.safe_load((ROOT / "workflow_scripts/xstilts/registry/languages.yaml").read_text(encoding="utf-8"))
    )
    languages = ["en", *(name for name in listed if name != "en")][:LANGUAGES]
    made = Predicted(results, TARGETS, MIXTURES, parallel=("xnli", "pawsx", "xquad"))
    rows = LANGUAGES * examples
    numbers = np.tile(np.arange(examples), LANGUAGES).astype(str)
    table = pd.DataFrame(
        {"example_id": numbers, "cluster_id": numbers, "language": np.repeat(languages, examples), "split": "test"}
    )
    models = [model for family in FAMILIES.values() for model in (family.small, family.large)]
    for target, entry in TARGETS.items():
        difficulty, gold = rng.normal(size=rows), rng.choice(["a", "b", "c"], rows)
        for model in models:
            of_model = rng.normal(0.3, 0.3)
            for number, mixture in enumerate(MIXTURES):
                of_arm = of_model + 0.02 * number + 0.3 * rng.normal(size=rows)
                for seed in SEEDS:
                    right = difficulty + of_arm + 0.03 * rng.normal() + 0.5 * rng.normal(size=rows) > 0
                    names = ["correct"] if entry.form == "classification" else ["f1", "exact_match"]
                    answers = {"prediction": np.where(right, gold, "a"), "gold": gold}
                    statistics = {f"stat_{name}": right.astype(float) for name in names}
                    made.add_table((model, mixture), seed, target, table.assign(**answers, **statistics))
    budget = Budget(multi="nine", single="best", singles=SINGLES)
    plan = made.plan(
        study="large", tables=("main", "by_language", "answer", "contrasts"),
        answer=Answer(budgets={"equal epochs": budget}, families=FAMILIES, recipes=("r",)),
        contrasts={name: Contrast("mixture", (name, "none")) for name in SINGLES},
    )  # fmt: skip
    folder = results / "studies/large/1234"
    for name in ("tables", "figures", "analyses"):
        # Snakemake makes the folders of what rules write
        (folder / name).mkdir(parents=True)
    (folder / study_plan.FILE).write_text(study_plan.text(plan), encoding="utf-8")
    return folder / study_plan.FILE


def run(step: str, plan: Path, profiled: bool) -> Used:
    """Run a command and return what it used; the profile of one goes to stdout."""
    profile = ["-m", "cProfile", "-s", "cumulative"] if profiled else []
    environment = os.environ | {"PYTHONPATH": str(ROOT / "workflow_scripts"), "MPLBACKEND": "agg"}
    command = [sys.executable, *profile, "-m", "xstilts", *STEPS[step], "--plan", str(plan)]
    started = time.perf_counter()
    process = subprocess.Popen(command, env=environment)
    _, status, used = os.wait4(process.pid, 0)
    if status:
        sys.exit(f"{step} has failed")
    return Used(time.perf_counter() - started, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)


def main() -> None:
    """Print a line for each command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("examples", nargs="?", type=int, default=100, help="test examples of a target in a language")
    parser.add_argument("--at-once", type=int, default=1, help="commands that run at the same time")
    parser.add_argument("--profile", choices=STEPS, default=None, help="print the profile of one command")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="xstilts-") as folder:
        started = time.perf_counter()
        plan = write(Path(folder) / "results", arguments.examples)
        say(f"written in {time.perf_counter() - started:.0f} s: {arguments.examples} examples a target and language")
        say(f"{'':24} {'wall s':>8} {'CPU s':>8} {'MB':>8}")
        used, started = [], time.perf_counter()
        with ThreadPoolExecutor(arguments.at_once) as pool:
            for group in GROUPS:
                steps = [" ".join(command[:2]) for command in group]
                done = pool.map(lambda step: run(step, plan, step == arguments.profile), steps)
                for step, one in zip(steps, done, strict=True):
                    say(f"{step:24} {one.wall:8.1f} {one.processor:8.1f} {one.memory:8.0f}")
                    used.append(one)
        wall, processor = time.perf_counter() - started, sum(one.processor for one in used)
        say(f"{'all':24} {wall:8.1f} {processor:8.1f} {max(one.memory for one in used):8.0f}")
        rows = len(pd.read_parquet(plan.parent / "scores.parquet", columns=["score"]))
        say(f"{rows} rows of scores; the report has {(plan.parent / 'report.html').stat().st_size / 1e6:.1f} MB")


def say(line: str) -> None:
    """Write a line to stdout."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
