"""Time of planning, and time and memory of a dry run, of studies/xtreme_r.yaml, as if all its data were in the mirror.

Run:  PYTHONPATH=. python benchmarks/planning.py
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from xstilts.planning import index

from tests.builders.plans import index_of_all
from tests.builders.projects import ROOT, checkout

STUDY = "studies/xtreme_r.yaml"
ROUNDS = 5
PLAN = """
import sys, time
from xstilts.planning.settings import from_config, plan_of
settings = from_config(dict(setting.split("=", 1) for setting in sys.argv[1:]))
started = time.perf_counter()
plan = plan_of(settings)
print(time.perf_counter() - started, len(plan.nodes), len(plan.cells))
"""


def settings_of(folder: Path) -> list[str]:
    """Write the index of a mirror without files, and return the settings by which Snakemake plans with it."""
    mirror = folder / "mirror"
    mirror.mkdir()
    index.write(mirror, "mirror.yaml", folder / "results", index_of_all())
    (folder / "config.yaml").write_text("{}\n")
    return [f"study={ROOT / STUDY}", f"mirror={mirror}"]


def timed(command: list[str], folder: Path) -> tuple[float, float, str]:
    """Run a command; return its seconds, its peak memory in megabytes, and what it prints."""
    with tempfile.TemporaryFile("w+") as output:
        started = time.perf_counter()
        process = subprocess.Popen(command, cwd=folder, stdout=output, stderr=subprocess.STDOUT)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - started
        output.seek(0)
        text = output.read()
    assert status == 0, text
    return seconds, usage.ru_maxrss / 1000, text


def main() -> None:
    with tempfile.TemporaryDirectory() as parent:
        folder = Path(parent)
        checkout(folder)
        settings = settings_of(folder)
        dry = [sys.executable, "-m", "snakemake", "-n", "--quiet", "all", "--cores", "1", "--config", *settings]
        plans, runs, memory = [], [], 0.0
        for _ in range(ROUNDS):
            *_, last = timed([sys.executable, "-c", PLAN, *settings], folder)[2].splitlines()
            seconds, nodes, cells = last.split()
            plans.append(float(seconds))
            taken, megabytes, _ = timed(dry, folder)
            runs.append(taken)
            memory = max(memory, megabytes)
        sys.stdout.write(f"{STUDY}: {nodes} nodes, {cells} cells\n")
        for what, times in (("plan", plans), ("snakemake -n", runs)):
            row = f"{min(times):.2f} {statistics.median(times):.2f} {max(times):.2f}"
            sys.stdout.write(f"{what}: min median max of {ROUNDS}: {row} s\n")
        sys.stdout.write(f"snakemake -n: {memory:.0f} MB\n")


if __name__ == "__main__":
    main()
