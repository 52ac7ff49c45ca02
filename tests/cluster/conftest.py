"""A Slurm for the tests of this folder, and projects that run on it."""

import shutil
import tempfile
from pathlib import Path

import pytest

from tests.builders import slurm as builder
from tests.builders.clusters import ClusterProject, Run, Training


@pytest.fixture(scope="session")
def slurm():
    if reason := builder.obstacle():
        pytest.skip(reason)
    # short, as names of sockets are
    folder = Path(tempfile.mkdtemp(prefix=builder.MARK))
    try:
        with builder.running(folder) as running:
            yield running
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def finished_run(slurm, tmp_path_factory):
    """A project that the literal command has run to its end, and the run. Tests may not change it."""
    project = ClusterProject(tmp_path_factory.mktemp("cluster"))
    run = Run(project)
    assert run.end() == 0, run.text[-5000:]
    return project, run


@pytest.fixture
def training(slurm, finished_run, tmp_path):
    """A project in which one training is to be made, as a job of Slurm's."""
    yield (training := Training(finished_run[0], tmp_path / "project"))
    slurm.clear()
    training.sweep()
