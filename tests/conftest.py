"""Fixtures of all tests: a study that has run, and the folder of real data."""

import os
import shutil
from pathlib import Path

import pytest

from tests.builders.projects import Project


@pytest.fixture(scope="session")
def finished(tmp_path_factory) -> Project:
    """A project whose study has run to its end. Tests may not change it; see ``project``."""
    project = Project(tmp_path_factory.mktemp("finished"), keep_models="all")
    done = project.snakemake()
    project.output = done.stdout + done.stderr
    return project


@pytest.fixture
def project(finished, tmp_path) -> Project:
    """A copy of the finished project, with its file times and Snakemake's records."""
    folder = tmp_path / "project"
    shutil.copytree(finished.folder, folder, symlinks=True)
    return Project(folder)


@pytest.fixture(scope="session")
def mirror() -> Path:
    """The folder of real raw data, where there is one."""
    folder = os.environ.get("XSTILTS_MIRROR")
    if not folder:
        pytest.skip("XSTILTS_MIRROR is not set: no real data on this machine")
    return Path(folder)


def pytest_addoption(parser):
    parser.addoption("--golden", action="store_true", help="write tests/end_to_end/golden.json anew")


def pytest_collection_modifyitems(items):
    """Run whole studies first: they take longest."""
    items.sort(key=lambda item: "unit" in item.path.parts)
