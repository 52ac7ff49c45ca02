"""The file on a GPU: rates as estimates read them, and all rows."""

import json

import pytest
from xstilts.errors import UserError
from xstilts.store import gpu_report
from xstilts.training.gpu_checks import report

from tests.builders.gpu_checks import FOUND, NAME, RATES


def test_estimates_read_the_rates_and_people_the_rows(tmp_path):
    path = report.write(FOUND, NAME, tmp_path)
    (read,) = gpu_report.of_machine(tmp_path)
    assert (read.gpu, read.memory, read.bandwidth, read.launch) == (NAME, 85e9, RATES["bandwidth"], RATES["launch"])
    assert read.rates == {name: RATES[name] for name in ("bfloat16", "tf32", "float32")}
    assert report.read(path).checks == FOUND


@pytest.mark.parametrize("missing", ["environment", "rates"])
def test_nothing_is_written_before_the_rates_are_there(tmp_path, missing):
    assert report.write({part: rows for part, rows in FOUND.items() if part != missing}, NAME, tmp_path) is None
    assert gpu_report.of_machine(tmp_path) == []


def test_a_file_without_rows_is_named(tmp_path):
    path = report.write(FOUND, NAME, tmp_path)
    content = json.loads(path.read_text())
    path.write_text(json.dumps({**content, "checks": {"rates": [{"what": "?"}]}}))
    with pytest.raises(UserError, match=rf"{path.name}: damaged .*measure again"):
        report.read(path)
