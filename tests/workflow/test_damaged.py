"""Results that were damaged between two runs, and a disk that takes no more: one line with file and remedy."""

import contextlib
import json
import resource
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from xstilts.commands import main
from xstilts.store.manifest import MANIFEST, RECORD
from xstilts.store.opening import WITHDRAWN

STUDY = "studies/study/latest"


@dataclass(frozen=True)
class Case:
    """A file of a finished study, and a command that reads it: that of a stage, or of the study's outputs."""

    file: str
    command: str
    stage: str | None = None
    name: str = "*"

    def argv(self, results: Path) -> list[str]:
        """Return the command line; a node is made again, beside the one that is there."""
        if self.stage is None:
            figure = ["--name", "headline"] if self.command == "figure" else []
            return [self.command, "--plan", str(results / STUDY / "plan.json"), *figure]
        manifest = next(results.glob(f"{self.stage}/{self.name}/manifest.json"))
        spec = json.dumps(json.loads(manifest.read_text())["spec"])
        return [self.command, "--spec", spec, "--output", str(results / self.stage / "again-0/manifest.json")]


CASES = {
    "plan": Case(f"{STUDY}/plan.json", "scores"),
    "scores": Case(f"{STUDY}/scores.parquet", "tables"),
    "estimates": Case(f"{STUDY}/estimates.parquet", "tables"),
    "analysis": Case(f"{STUDY}/analyses/learning_curves.parquet", "report"),
    "drawing": Case(f"{STUDY}/figures/spread.svg", "report"),
    "record": Case("predictions/*.on.xnli-*/record.json", "scores"),
    "predictions": Case("predictions/*.on.xnli-*/predictions.parquet", "scores"),
    "history": Case("targets/*.mnli.s1-*/history.json", "analyses"),
    "rows": Case("prepared/mnli.training-*/train.parquet", "tokenize", "tokens", "mnli.training.*"),
    "tokenizer": Case("models/*/tokenizer.json", "tokenize", "tokens", "mnli.training.*"),
    "configuration": Case("models/*/config.json", "tokenize", "tokens", "mnli.training.*"),
    "tokens": Case("tokens/mnli.training.*/train/ids.npy", "train", "targets", "*full.mnli.s1-*"),
    "pretrained weights": Case("models/*/model.safetensors", "train", "targets", "*full.mnli.s1-*"),
    "trained weights": Case(
        "targets/*full.mnli.s1-*/model.safetensors", "predict", "predictions", "*full.mnli.s1.on.xnli-*"
    ),
    "head": Case("targets/*full.mnli.s1-*/heads.safetensors", "predict", "predictions", "*full.mnli.s1.on.xnli-*"),
    "vectors": Case("embeddings/*x32.on.tatoeba-*/de.npy", "retrieve", "retrieval", "*x32.on.tatoeba-*"),
}
DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "cut": lambda content: content[: len(content) // 2],
    "empty": lambda content: b"",
    "of another kind": lambda content: b"[1, 2]\n",
}


@pytest.fixture(scope="module")
def results(finished, tmp_path_factory) -> Path:
    """A copy of the finished study's results, whose files each test puts back."""
    folder = tmp_path_factory.mktemp("damaged") / "results"
    shutil.copytree(finished.results, folder, symlinks=True)
    return folder


def folder_of(results: Path, path: Path) -> Path:
    """Return the folder of a file: of a node's file the node's."""
    stage, node, *_ = path.relative_to(results).parts
    return path.parent if stage == "studies" else results / stage / node


@contextlib.contextmanager
def damaged(path: Path, folder: Path, damage: Callable[[bytes], bytes]):
    """Damage a file; then have it, and its node, as they were before."""
    content, record = path.read_bytes(), folder / RECORD
    path.write_bytes(damage(content))
    yield
    if (folder / WITHDRAWN).exists():
        (folder / WITHDRAWN).replace(record)
    path.write_bytes(content)
    if record.exists():
        shutil.copyfile(record, folder / MANIFEST)


def line_of(argv: list[str], caplog) -> str:
    """Run a command that fails, and return what it says."""
    caplog.clear()
    assert main(argv) == 2
    (record,) = [record for record in caplog.records if record.levelname == "ERROR"]
    (line,) = record.getMessage().splitlines()
    return line


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("name", CASES)
def test_a_damaged_file_is_named_with_its_remedy(results, caplog, name, damage):
    case = CASES[name]
    path = next(results.glob(case.file))
    argv, folder = case.argv(results), folder_of(results, path)
    with damaged(path, folder, DAMAGES[damage]):
        line = line_of(argv, caplog)
    assert str(folder) in line
    assert any(remedy in line for remedy in ("run again", "run the study again", "next run makes it again"))
    assert not list(results.glob("*/again-0*")) + list(results.glob("*/.again-0*"))


@pytest.mark.parametrize("name", ["rows", "analysis", "scores", "drawing"])
def test_a_disk_that_takes_no_more_is_named(results, caplog, name):
    """As full as a limit on the size of files makes it."""
    argv = CASES[name].argv(results)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100, before[1]))
    try:
        line = line_of(argv, caplog)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert "then run the same command again" in line
    assert not list(results.glob("*/again-0*")) + list(results.glob("*/.again-0*"))
