"""What several tests of plans need."""

import pytest

from tests.builders.plans import index_of_all


@pytest.fixture(scope="session")
def full_mirror():
    """An index of a mirror with every file that the registry names, without the files."""
    return index_of_all()
