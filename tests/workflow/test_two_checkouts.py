"""Two checkouts that run one study into one results folder at once: both end well, with the files of one alone."""

import subprocess
import sys

import pytest
from xstilts.commands import main

from tests.builders.projects import ROOT, Project

SECONDS = 600


@pytest.mark.long
def test_two_checkouts_at_once(finished, tmp_path, capsys):
    results = tmp_path / "results"
    projects = [Project(tmp_path / name, results=str(results), keep_models="intermediate") for name in ("a", "b")]
    command = [sys.executable, "-m", "snakemake", "-s", str(ROOT / "Snakefile"), "--cores", "1"]
    runs = [
        subprocess.Popen(
            command, cwd=project.folder, env=project.environment(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True,
        )
        for project in projects
    ]  # fmt: skip
    texts = [run.communicate(timeout=SECONDS)[0] for run in runs]
    assert [run.returncode for run in runs] == [0, 0], texts
    for name in ("scores.parquet", "estimates.parquet", "tables/main.md", "figures/headline.pdf", "report.txt"):
        together, alone = (next(folder.glob(f"studies/*/latest/{name}")) for folder in (results, finished.results))
        assert together.read_bytes() == alone.read_bytes()
    assert main(["verify", str(results)]) == 0
    assert "0 fail" in capsys.readouterr().out
    # neither scratch nor what was renamed to be deleted, and weights are gone
    assert not list(results.glob("[!.]*/.*")) + list(results.glob("studies/*/*/**/.*"))
    assert not list(results.glob("targets/*/*.safetensors"))
