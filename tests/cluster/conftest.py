"""A Slurm for the tests of this folder, and projects that run on it."""

import shutil
import tempfile
from pathlib import Path

import pytest


from tests.builders import slurm as builder
from tests.builders.clusters import ClusterProject, Run


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
def finished_on_slurm(slurm, tmp_path_factory):
    """A project that the literal command has run to its end, with its run. Tests may not change it."""
    project = ClusterProject(tmp_path_factory.mktemp("cluster"))
    project.ended = Run(project)
    code = project.ended.end()
    assert code == 0, project.ended.text[-5000:]
    return project
