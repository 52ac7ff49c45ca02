"""Time of a study on a Slurm of this machine, by the literal command, from nothing to the report.

Run:  PYTHONPATH=. python benchmarks/cluster.py [studies/miniature.yaml]

Needs root and apt, or a machine with Slurm's programs (tests/builders/slurm.py). CPU-seconds are those of the run, of
all its jobs and of Slurm's daemons, so other work on the machine does not count. The same study by `make study` in a
fresh clone is what to compare it with.
"""

import contextlib
import ctypes
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.builders import slurm
from tests.builders.projects import ROOT, Project, checkout

COMMAND = ["snakemake", "--cores", "all", "--profile", str(ROOT / "slurm"), "--group-components", "target=8"]
# prctl(2): a process whose parent has ended, as Slurm's daemon for a job's step, becomes a child of this one
_PR_SET_CHILD_SUBREAPER = 36


def main() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1)
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
        started = time.perf_counter()
        with open(project.folder / "run.log", "w", encoding="utf-8") as output:
            code = subprocess.call(
                [sys.executable, "-m", *COMMAND], cwd=project.folder, env=project.environment(), stdout=output,
                stderr=output,
            )  # fmt: skip
        seconds = time.perf_counter() - started
        if code:
            sys.exit(project.folder.joinpath("run.log").read_text(encoding="utf-8")[-5000:])
        jobs = len(running.jobs(project.folder))
    with contextlib.suppress(ChildProcessError):
        while True:
            os.wait()
    spent = os.times()
    cpu = spent.children_user + spent.children_system
    sys.stdout.write(f"{study.stem}: {seconds:.0f} s, {cpu:.0f} CPU-seconds, {jobs} jobs\n")


if __name__ == "__main__":
    main()
