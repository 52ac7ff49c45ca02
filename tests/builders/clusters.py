"""Projects that run on a Slurm by the literal command, and the processes of their runs."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pandas as pd
import yaml

from tests.builders.projects import ROOT, Project, checkout

STUDY = ROOT / "tests/studies/slurm.yaml"
COMMAND = ["snakemake", "--cores", "all", "--profile", "slurm"]
# tests look often for jobs that have ended
QUICK = {"slurm-init-seconds-before-status-checks": 1, "max-status-checks-per-second": 5, "latency-wait": 10}
SECONDS = 600


class ClusterProject(Project):
    """A checkout with the profile of a site that looks for ended jobs every second."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, STUDY, keep_models="all")
        checkout(folder)
        (folder / "slurm").mkdir(exist_ok=True)
        shutil.copyfile(ROOT / "slurm/config.yaml", folder / "slurm/config.yaml")
        self.change_profile(**QUICK)

    def change_profile(self, **more: object) -> None:
        content = yaml.safe_load((self.folder / "slurm/config.yaml").read_text())
        content |= {name.replace("_", "-"): value for name, value in more.items()}
        (self.folder / "slurm/config.yaml").write_text(yaml.safe_dump(content, sort_keys=False))

    def scores(self) -> pd.DataFrame:
        return pd.read_parquet(self.results / "studies/study/latest/scores.parquet")

    def half_written(self) -> list[Path]:
        """Return what is left of nodes that were not finished."""
        scratch = [path for stage in self.results.iterdir() if stage.is_dir() for path in stage.glob(".*")]
        return scratch + list((self.results / "work").glob("*/*/*"))


class Run:
    """The literal command, running in a process group of its own."""

    def __init__(self, project: Project, *arguments: str) -> None:
        self.log = project.folder / "run.log"
        with open(self.log, "w", encoding="utf-8") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", *COMMAND, *arguments],
                cwd=project.folder, env=project.environment(), stdout=output, stderr=output, start_new_session=True,
            )  # fmt: skip

    @property
    def text(self) -> str:
        return self.log.read_text(encoding="utf-8")

    def end(self, seconds: float = SECONDS) -> int:
        """Wait for the end and return the exit code; a run that hangs is killed."""
        try:
            return self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"not at its end after {seconds} s\n{self.text[-3000:]}") from None

    def signal(self, number: signal.Signals) -> None:
        os.killpg(self.process.pid, number)

    def kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            self.signal(signal.SIGKILL)
        self.process.wait()
