"""The summary of a plan that is not there."""

import argparse

import pytest
from xstilts.commands import summary
from xstilts.errors import UserError


def test_summary_of_a_plan_that_is_not_there(tmp_path):
    with pytest.raises(UserError, match="nope.json: no such plan"):
        summary.run(argparse.Namespace(plan=tmp_path / "nope.json"))
