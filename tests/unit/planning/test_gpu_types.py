"""GPU types: as stated, and as they were measured here."""

import json

import pytest
from xstilts.errors import UserError
from xstilts.planning.gpu_types import GPU_TYPES, of_machine
from xstilts.store import gpu_report

REPORT = {
    "gpu": "NVIDIA H100 80GB HBM3",
    "rates": {"bfloat16": 650.0, "float32": 50.0},
    "bandwidth": 2.9e12,
    "launch": 7e-6,
    "memory": 85_000_000_000,
}


def leave(results, **changes):
    content = {**REPORT, **changes}
    path = gpu_report.path_of(results, content["gpu"])
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(content))


def test_what_was_measured_comes_first(tmp_path):
    assert of_machine("h100", tmp_path) == GPU_TYPES["h100"]
    assert GPU_TYPES["h100"].rate("bfloat16") == pytest.approx(0.7 * 989e12)
    leave(tmp_path)
    found = of_machine("h100", tmp_path)
    assert (found.memory, found.rate("bfloat16"), found.rate("float32")) == (85, 650e12, 50e12)
    assert (found.bandwidth, found.launch) == (2.9, 7e-6)
    # neither another name nor another memory
    for name in ("a100-80", "h200"):
        assert of_machine(name, tmp_path) == GPU_TYPES[name]
    leave(tmp_path, gpu="NVIDIA H100 NVL", memory=100_000_000_000)
    assert of_machine("h100", tmp_path) == found


def test_the_measured_one(tmp_path):
    with pytest.raises(UserError, match="gpu_type: measured, but .* has no file of a GPU; run xstilts check-gpu"):
        of_machine("measured", tmp_path)
    leave(tmp_path, gpu="Another", memory=24_000_000_000)
    found = of_machine("measured", tmp_path)
    assert (found.name, found.memory, found.rate("bfloat16"), found.usable) == ("Another", 24, 650e12, 21.6e9)
    leave(tmp_path)
    with pytest.raises(UserError, match=r"several GPUs \(Another, NVIDIA H100 80GB HBM3\); name the type of one: a100"):
        of_machine("measured", tmp_path)


def test_several_that_are_of_one_type(tmp_path):
    leave(tmp_path)
    leave(tmp_path, gpu="NVIDIA H100 PCIe")
    with pytest.raises(UserError, match=r"^gpu_type: h100: .* \(NVIDIA H100 80GB HBM3, NVIDIA H100 PCIe\); delete all"):
        of_machine("h100", tmp_path)
    assert of_machine("l40s", tmp_path) == GPU_TYPES["l40s"]


def test_a_rate_that_nobody_knows(tmp_path):
    leave(tmp_path, rates={"bfloat16": 650.0})
    assert of_machine("h100", tmp_path).rate("float32") == pytest.approx(0.7 * 67e12)
    with pytest.raises(UserError, match="its rate of float32 was not measured; run xstilts check-gpu again"):
        of_machine("measured", tmp_path)
