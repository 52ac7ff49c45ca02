"""What training reads, made once."""

import pytest

from tests.builders.plans import make_stages, plan_study
from tests.builders.training import STUDY


@pytest.fixture(scope="session")
def trained(tmp_path_factory):
    """A plan, and a results folder that has everything that training reads."""
    folder = tmp_path_factory.mktemp("training")
    plan = plan_study(folder, STUDY)
    make_stages(plan, folder / "results")
    return plan, folder / "results"
