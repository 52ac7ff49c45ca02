"""Successive halving."""

import pytest
from xstilts.store.halving import rungs


@pytest.mark.parametrize(("settings", "sizes"), [(2, [2]), (3, [3, 2]), (4, [4, 2]), (5, [5, 3, 2]), (8, [8, 4, 2])])
def test_rungs_halve_the_settings_and_share_the_budget_evenly(settings, sizes):
    found = rungs(settings, 0.6)
    assert [rung.settings for rung in found] == sizes
    costs = [rung.settings * rung.share for rung in found]
    assert costs == pytest.approx([0.6 / len(sizes)] * len(sizes))
