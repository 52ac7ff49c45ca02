"""What was measured of GPUs: where it stands, and what is refused."""

import json

import pytest
from xstilts.errors import UserError
from xstilts.store import gpu_report
from xstilts.store.gpu_report import GpuReport

MEASURED = {
    "gpu": "NVIDIA H100 80GB HBM3",
    "rates": {"bfloat16": 700.0, "tf32": 350.0, "float32": 50.0},
    "bandwidth": 2.9e12,
    "launch": 5e-6,
    "memory": 85_000_000_000,
}


def test_it_is_read_whatever_else_is_in_it(tmp_path):
    assert gpu_report.of_machine(tmp_path) == []
    path = gpu_report.path_of(tmp_path, MEASURED["gpu"])
    assert path == tmp_path / "hardware/nvidia-h100-80gb-hbm3.json"
    path.parent.mkdir()
    path.write_text(json.dumps({**MEASURED, "checks": [{"check": "reload"}]}))
    assert gpu_report.of_machine(tmp_path) == [GpuReport(**MEASURED)]


@pytest.mark.parametrize(
    "change, found",
    [
        ({"bandwidth": "fast"}, "bandwidth: "),
        ({"launch": 0}, "launch: "),
        ({"rates": {"bfloat16": -1}}, "rates.bfloat16: "),
        ({"memory": None}, "memory: "),
    ],
)
def test_what_is_no_report_is_refused_in_one_line(tmp_path, change, found):
    path = gpu_report.path_of(tmp_path, "a GPU")
    path.parent.mkdir()
    path.write_text(json.dumps({**MEASURED, **change}))
    with pytest.raises(UserError, match=rf"a-gpu\.json: not what xstilts check-gpu writes \({found}.*measure again"):
        gpu_report.read(path)
    path.write_text("{")
    with pytest.raises(UserError, match=r"\(Invalid JSON"):
        gpu_report.read(path)
