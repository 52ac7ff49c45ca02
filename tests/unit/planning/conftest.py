"""What several tests of plans need."""

import pytest
from xstilts.planning import registry

from tests.builders.plans import index_of_all, plan_shipped
from tests.builders.projects import ROOT


@pytest.fixture(scope="session")
def full_mirror():
    """An index of a mirror with every file that the registry names, without the files."""
    return index_of_all()


@pytest.fixture(scope="session")
def scale(full_mirror, tmp_path_factory):
    """The plan of studies/scale.yaml on a machine that has neither models nor data, and its results folder."""
    plan = plan_shipped(ROOT / "studies/scale.yaml", full_mirror)
    return plan, registry.load(), tmp_path_factory.mktemp("scale") / "results"
