"""Project folders, in which Snakemake runs this checkout's Snakefile; and plans of studies."""

import contextlib
import copy
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import yaml
from xstilts.planning import registry
from xstilts.planning.nodes import Plan
from xstilts.planning.settings import from_config
from xstilts.planning.settings import plan_of as plan_with
from xstilts.planning.study import read_study
from xstilts.store import lock

ROOT = Path(__file__).parents[2]
STUDY = ROOT / "tests/studies/matrix.yaml"


class Project:
    """A folder with config.yaml, a study and results."""

    def __init__(self, folder: Path, study: Path = STUDY, **config: object) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.study_file = folder / "study.yaml"
        shutil.copyfile(study, self.study_file)
        self.configure(study="study.yaml", **config)

    def configure(self, **config: object) -> None:
        path = self.folder / "config.yaml"
        content = yaml.safe_load(path.read_text()) if path.exists() else {}
        path.write_text(yaml.safe_dump({**content, **config}))

    @property
    def results(self) -> Path:
        return self.folder / "results"

    @property
    def study(self) -> dict:
        return yaml.safe_load(self.study_file.read_text())

    def change(self, edit) -> None:
        """Edit the study by a function on its content."""
        content = copy.deepcopy(self.study)
        edit(content)
        self.study_file.write_text(yaml.safe_dump(content, sort_keys=False))

    def environment(self, **more: str) -> dict[str, str]:
        kept = {key: value for key, value in os.environ.items() if not key.startswith("XSTILTS_")}
        paths = {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
        return {**kept, **paths, "PYTHONPATH": str(ROOT / "workflow_scripts"), **more}

    def run(self, *arguments: str, check: bool = True, **environment: str) -> subprocess.CompletedProcess:
        command = [sys.executable, "-m", *arguments]
        done = subprocess.run(
            command, cwd=self.folder, env=self.environment(**environment), capture_output=True, text=True, timeout=500
        )
        if check and done.returncode:
            raise AssertionError(f"{' '.join(arguments)}: exit {done.returncode}\n{done.stdout}\n{done.stderr}")
        return done

    def snakemake(self, *arguments: str, check: bool = True, **environment: str) -> subprocess.CompletedProcess:
        options = ["snakemake", "-s", str(ROOT / "Snakefile")]
        if "--cores" not in arguments:
            options += ["--cores", "2"]
        return self.run(*options, *arguments, check=check, **environment)

    def xstilts(self, *arguments: str, check: bool = True, **environment: str) -> subprocess.CompletedProcess:
        return self.run("xstilts", *arguments, check=check, **environment)

    def jobs(self, *arguments: str, **environment: str) -> set[str]:
        """Return the jobs of a dry run: the rule, and what the study calls the node or figure; else the rule alone."""
        text = self.snakemake("-n", *arguments, **environment).stdout
        names, found = self.plan().made.names, set()
        for rule, output in re.findall(r"^(?:local)?rule (\w+):\n(?:    (?!output).*\n)*    output: (\S+)", text, re.M):
            node = re.fullmatch(r"results/(\w+/[^/]+-[0-9a-f]{12})/manifest.json,?", output)
            figure = re.search(r"/figures/(\w+)\.", output)
            found.add(f"{rule} {names[node[1]][0] if node else figure[1]}" if node or figure else rule)
        return found

    def plan(self) -> Plan:
        return plan_of(self.study_file)

    def processes(self) -> list[psutil.Process]:
        """Return what runs in this folder: runs, and their jobs."""
        found = []
        for process in psutil.process_iter():
            with contextlib.suppress(psutil.Error):
                if Path(process.cwd()) == self.folder:
                    found.append(process)
        return found

    def sweep(self) -> None:
        """End what is left of runs and of their jobs."""
        for process in self.processes():
            with contextlib.suppress(psutil.Error):
                process.kill()

    def half_written(self) -> list[Path]:
        """Return what is left of nodes that were not finished."""
        scratch = [path for stage in self.results.iterdir() if stage.is_dir() for path in stage.glob(".*")]
        return scratch + list((self.results / "work").glob("*/*/*"))


def checkout(folder: Path) -> None:
    """Make a project folder look like a checkout, for commands that call Snakemake themselves."""
    for name in ("Snakefile", "rules", "envs", "workflow_scripts"):
        if not (folder / name).exists():
            os.symlink(ROOT / name, folder / name)


# a key of recipes that is added later, in two places: what stands there, and what takes its place
RECIPE_KEY = {
    "phase.py": (
        "    adam_beta2: float = setting(",
        '    adam_beta1: float = setting(0.9, "Decay of AdamW\'s first moments.", neutral=0.9, minimum=0, maximum=1)\n'
        "    adam_beta2: float = setting(",
    ),
    "training/step.py": ("betas=(0.9, ", "betas=(settings.adam_beta1, "),
}


def with_recipe_key(folder: Path) -> Path:
    """Copy the package into a folder, add a key to its recipes, and return what PYTHONPATH needs to have."""
    scripts = folder / "workflow_scripts"
    shutil.copytree(ROOT / "workflow_scripts", scripts, ignore=shutil.ignore_patterns("*.egg-info", "__pycache__"))
    for name, (before, after) in RECIPE_KEY.items():
        path = scripts / "xstilts" / name
        text = path.read_text()
        assert text.count(before) == 1
        path.write_text(text.replace(before, after))
    return scripts


@contextlib.contextmanager
def locked(node: Path) -> Iterator[None]:
    """Hold the lock of a node, whose job waits meanwhile."""
    with lock.held(node):
        yield


def plan_of(study: Path, **config: object) -> Plan:
    """Plan a study file with machine settings."""
    settings = from_config({"study": str(study), **config})
    return plan_with(settings, read_study(study, registry.load()))
