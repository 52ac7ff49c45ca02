"""Projects that run on a Slurm by the literal command, and the processes of their runs."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pandas as pd
import yaml
from xstilts.store.manifest import path_of
from xstilts.store.node import HISTORY

from tests.builders.plans import node_of
from tests.builders.projects import ROOT, Project, checkout
from tests.builders.slurm import wait_for

STUDY = ROOT / "tests/studies/slurm.yaml"
COMMAND = ["snakemake", "--cores", "all", "--profile", "slurm"]
# tests look often for jobs that have ended, and on one machine no file takes long
QUICK = {"slurm-init-seconds-before-status-checks": 1, "max-status-checks-per-second": 5, "latency-wait": 3}
# a run that hangs is a failure; on a busy machine one job of Slurm's may take three minutes
SECONDS = 1200
# a training without an intermediate phase, and what is predicted with its model
TRAINING, PREDICTIONS = "tiny.quick.none.s1.mnli", "tiny.quick.none.s1.xnli"


class ClusterProject(Project):
    """A checkout with the profile of a site that looks for ended jobs every second."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, STUDY)
        checkout(folder)
        (folder / "slurm").mkdir(exist_ok=True)
        shutil.copyfile(ROOT / "slurm/config.yaml", folder / "slurm/config.yaml")
        self.change_profile(**QUICK)

    def change_profile(self, **more: object) -> None:
        content = yaml.safe_load((self.folder / "slurm/config.yaml").read_text())
        (self.folder / "slurm/config.yaml").write_text(yaml.safe_dump(content | more, sort_keys=False))

    def scores(self) -> pd.DataFrame:
        return pd.read_parquet(self.results / "studies/study/latest/scores.parquet")


class Training(ClusterProject):
    """A copy of a finished project without one training and its predictions, which are one job of Slurm's."""

    def __init__(self, finished: ClusterProject, folder: Path) -> None:
        shutil.copytree(finished.folder, folder, symlinks=True)
        super().__init__(folder)
        self.locate()
        self.before = self.files()
        for name in (self.training, self.predicted):
            shutil.rmtree(self.results / name)
        self.log.unlink()

    def locate(self) -> None:
        """Find the nodes, which move when the study is changed."""
        self.training = node_of(self.plan(), "targets", TRAINING).id
        self.predicted = node_of(self.plan(), "predictions", PREDICTIONS).id
        self.log = self.results / f"logs/{self.training}.log"

    def files(self) -> dict[str, str]:
        """Return the manifest of the predictions, which has the SHA-256 of them and of the weights, and the history.

        The weights themselves are gone by then.
        """
        paths = (path_of(self.results, self.predicted), self.results / self.training / HISTORY)
        return {path.name: path.read_text(encoding="utf-8") for path in paths}

    def run_literally(self, **environment: str) -> "Run":
        return Run(self, str(path_of(Path("results"), self.predicted)), **environment)

    def change_rules(self, *changes: tuple[str, str]) -> None:
        """Give the project rules of its own, which ask for other resources: with other texts in the place of some."""
        rules = self.folder / "rules"
        rules.unlink()
        shutil.copytree(ROOT / "rules", rules)
        text = (rules / "resources.smk").read_text()
        for before, after in changes:
            assert text.count(before) == 1
            text = text.replace(before, after)
        (rules / "resources.smk").write_text(text)

    def waits(self) -> bool:
        """Tell whether the training waits for its lock, which a test holds."""
        return self.log.exists() and "is in use by" in self.log.read_text()

    def is_as_before(self) -> bool:
        return self.files() == self.before and not self.half_written()


class Run:
    """The literal command, running in a process group of its own."""

    def __init__(self, project: ClusterProject, *arguments: str, **environment: str) -> None:
        self.project, self.output = project, project.folder / "run.log"
        with open(self.output, "w", encoding="utf-8") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", *COMMAND, *arguments],
                cwd=project.folder, env=project.environment(**environment), stdout=output, stderr=output,
                start_new_session=True,
                # tests that run in the background have Ctrl-C ignored, and what they start inherits that
                preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
            )  # fmt: skip

    @property
    def text(self) -> str:
        return self.output.read_text(encoding="utf-8")

    def reaches(self, condition, what: str) -> None:
        """Wait until something is so, while the run goes on."""
        wait_for(lambda: condition() or self.process.poll() is not None, what, SECONDS)
        assert self.process.poll() is None, self.text[-3000:]

    def end(self) -> int:
        """Wait for the end and return the exit code; a run that hangs is killed."""
        try:
            return self.process.wait(SECONDS)
        except subprocess.TimeoutExpired:
            self.project.sweep()
            raise AssertionError(f"not at its end after {SECONDS} s\n{self.text[-3000:]}") from None

    def signal(self, number: signal.Signals) -> None:
        os.killpg(self.process.pid, number)
