"""Time of a study on a Slurm of this machine, by the literal command, from nothing to the report.

Run:  PYTHONPATH=. python benchmarks/cluster.py [studies/miniature.yaml]

Needs root and apt, or a machine with Slurm's programs (tests/builders/slurm.py). The same study by `make study` in a
fresh clone is what to compare it with.
"""

import subprocess
import sys
import tempfile
import time
from pathlib import Path

import psutil

from tests.builders import slurm
from tests.builders.projects import ROOT, Project, checkout

COMMAND = ["snakemake", "--cores", "all", "--profile", str(ROOT / "slurm"), "--group-components", "target=8"]


def main() -> None:
    study = ROOT / (sys.argv[1] if len(sys.argv) > 1 else "studies/miniature.yaml")
    if reason := slurm.obstacle():
        sys.exit(reason)
    with (
        tempfile.TemporaryDirectory(prefix=slurm.MARK) as daemons,
        tempfile.TemporaryDirectory() as folder,
        slurm.running(Path(daemons)) as running,
    ):
        project = Project(Path(folder) / "project", study)
        checkout(project.folder)
        busy, started = psutil.cpu_times(), time.perf_counter()
        with open(project.folder / "run.log", "w", encoding="utf-8") as output:
            code = subprocess.call(
                [sys.executable, "-m", *COMMAND], cwd=project.folder, env=project.environment(), stdout=output,
                stderr=output,
            )  # fmt: skip
        seconds, now = time.perf_counter() - started, psutil.cpu_times()
        cpu = now.user + now.system + now.nice - busy.user - busy.system - busy.nice
        if code:
            sys.exit(project.folder.joinpath("run.log").read_text(encoding="utf-8")[-5000:])
        jobs = len(running.jobs(project.folder))
        sys.stdout.write(f"{study.stem}: {seconds:.0f} s, {cpu:.0f} CPU-seconds of the machine, {jobs} jobs\n")


if __name__ == "__main__":
    main()
