"""Time of planning, and of a dry run, for 4 models x 12 mixtures x 3 seeds x 12 targets.

Run:  python benchmarks/planning.py

Works on a copy of the checkout whose registry has copies of the tasks and of the tiny model under other names.
"""

import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parents[1]
TARGETS = {"xnli": 4, "udpos": 3, "xquad": 4, "tatoeba": 1}
ROUNDS = 5


def grown_checkout(folder: Path) -> None:
    skipped = shutil.ignore_patterns(".git", ".venv", "results", ".snakemake", "__pycache__")
    shutil.copytree(ROOT, folder, ignore=skipped)
    registry = folder / "workflow_scripts/xstilts/registry"
    targets = []
    for task, copies in TARGETS.items():
        for number in range(copies):
            name = f"{task}{number or ''}"
            shutil.copyfile(
                ROOT / f"workflow_scripts/xstilts/registry/tasks/{task}.yaml", registry / f"tasks/{name}.yaml"
            )
            targets.append(name)
    models = yaml.safe_load((registry / "models.yaml").read_text())
    for number in range(4):
        models[f"model{number}"] = models["tiny"]
    (registry / "models.yaml").write_text(yaml.safe_dump(models))
    intermediate = ["mnli", "squad_v1", "commonsenseqa", "udpos"]
    subsets = [[task for bit, task in enumerate(intermediate) if chosen >> bit & 1] for chosen in range(1, 12)]
    study = {
        "description": "As large as the full study.", "source": "tiny", "models": [f"model{n}" for n in range(4)],
        "mixtures": {"none": None, **{f"mixture{n}": tasks for n, tasks in enumerate(subsets)}},
        "targets": dict.fromkeys(targets), "languages": ["en", "de", "hi", "sw", "tr", "zh"], "seeds": [1, 2, 3],
    }  # fmt: skip
    (folder / "studies/large.yaml").write_text(yaml.safe_dump(study))


def timed(command: list[str], folder: Path) -> tuple[float, str]:
    started = time.perf_counter()
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True)
    return time.perf_counter() - started, done.stdout + done.stderr


PLAN = """
import sys, time
sys.path.insert(0, "workflow_scripts")
from xstilts.planning.settings import from_config, plan_of
settings = from_config({"study": "studies/large.yaml"})
started = time.perf_counter()
plan = plan_of(settings)
print(time.perf_counter() - started, len(plan.nodes), len(plan.cells))
"""


def main() -> None:
    with tempfile.TemporaryDirectory() as parent:
        folder = Path(parent) / "checkout"
        grown_checkout(folder)
        plans, runs = [], []
        for _ in range(ROUNDS):
            seconds, nodes, cells = timed([sys.executable, "-c", PLAN], folder)[1].split()
            plans.append(float(seconds))
            dry = [sys.executable, "-m", "snakemake", "-n", "--quiet", "all", "--cores", "1"]
            runs.append(timed([*dry, "--config", "study=studies/large.yaml"], folder)[0])
        for what, times in (("plan", plans), ("snakemake -n", runs)):
            row = f"{min(times):.2f} {statistics.median(times):.2f} {max(times):.2f}"
            sys.stdout.write(f"{what}: {nodes} nodes, {cells} cells: min median max of {ROUNDS}: {row} s\n")


if __name__ == "__main__":
    main()
