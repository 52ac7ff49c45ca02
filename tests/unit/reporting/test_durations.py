"""Computing time in the unit in which it is read best, by hand."""

import pytest
from xstilts.reporting import durations


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        (7200, "2.0 hours"), (3_600_000, "1,000.0 hours"), (3599, "60.0 minutes"), (60, "1.0 minutes"),
        (59, "59.0 seconds"), (0.1, "0.10 seconds"), (0, "0.0 seconds"),
    ],
)  # fmt: skip
def test_units(seconds, expected):
    unit = durations.unit(seconds)
    assert f"{durations.number(seconds, unit)} {unit}" == expected
