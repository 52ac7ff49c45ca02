"""What several tests of plans need."""

import hashlib

import pytest
from xstilts.planning import registry

from tests.builders.plans import file_groups


@pytest.fixture(scope="session")
def full_mirror():
    """An index of a mirror with every file that the registry names, without the files."""
    files = {}
    for task in registry.load().tasks.values():
        for _, names, split, _ in file_groups(task):
            for name in names:
                entry = files.setdefault(name, {"sha256": hashlib.sha256(name.encode()).hexdigest(), "tasks": {}})
                entry["tasks"].setdefault(task.name, {"split": split, "rows": None, "sample": False})
    return files
