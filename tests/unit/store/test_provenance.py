"""How nodes were made: what a process writes of itself, and what is read of it."""

import json
import sys
from types import SimpleNamespace

import pytest
from xstilts.errors import UserError
from xstilts.store import provenance

from tests.builders.provenance import PROVENANCE, leave

TRAINING = provenance.Training(
    processes=2, max_tokens_per_device=None, gradient_checkpointing=True, tokens_per_second=9.5, joules=None
)


def test_it_says_on_how_many_gpus(monkeypatch):
    class Cuda:
        is_initialized = staticmethod(lambda: True)
        get_device_name = staticmethod(lambda: "a GPU")
        max_memory_allocated = staticmethod(lambda: 3 * 2**30)

    monkeypatch.setitem(sys.modules, "torch", SimpleNamespace(cuda=Cuda, __version__="0"))
    stated = provenance.of_process(0.0)
    assert (stated.gpu, stated.gpus, stated.gpu_seconds) == ("a GPU", 1, stated.wall_seconds)
    assert stated.peak_gpu_memory_mb == 3072
    assert provenance.of_process(0.0, training=TRAINING).gpus == 2
    monkeypatch.delitem(sys.modules, "torch")
    stated = provenance.of_process(0.0)
    assert (stated.gpu, stated.gpus, stated.gpu_seconds) == (None, 0, 0)


@pytest.mark.parametrize(
    "text",
    [
        "NVRM version: NVIDIA UNIX x86_64 Kernel Module  550.54.15  Tue Mar  5 22:23:56 UTC 2024\n",
        "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  550.54.15  Release Build\n",
    ],
)
def test_the_driver_is_what_its_kernel_module_states(tmp_path, text):
    (tmp_path / "version").write_text(text)
    assert provenance.driver(tmp_path / "version") == "550.54.15"
    assert provenance.driver(tmp_path / "none") is None


def test_it_is_read_as_it_was_written(tmp_path):
    stated = provenance.of_process(0.0, training=TRAINING)
    (tmp_path / "provenance.json").write_text(provenance.text(stated))
    assert provenance.read(tmp_path) == stated


def test_an_earlier_version_did_not_note_the_hardware(tmp_path):
    hardware = ("processor", "processors", "gpu", "gpus", "driver", "peak_gpu_memory_mb", "training")
    (tmp_path / "provenance.json").write_text(
        json.dumps({name: value for name, value in PROVENANCE.items() if name not in hardware})
    )
    stated = provenance.read(tmp_path)
    assert stated is not None and (stated.processor, stated.gpu, stated.gpu_seconds) == (None, None, 0)


def test_nodes_without_provenance_are_left_out(tmp_path):
    leave(tmp_path / "targets/one", gpus=2)
    found = provenance.of_nodes(tmp_path, ["targets/one", "targets/two"])
    assert list(found) == ["targets/one"] and found["targets/one"].gpu_seconds == 3600


def test_what_is_no_provenance_is_refused_in_one_line(tmp_path):
    leave(tmp_path, wall_seconds="long")
    with pytest.raises(UserError, match=r"provenance\.json: not the provenance of a node \(wall_seconds: .*delete the"):
        provenance.read(tmp_path)
    (tmp_path / "provenance.json").write_text("{")
    with pytest.raises(UserError, match=r"not the provenance of a node \(Invalid JSON: .*\); delete the file"):
        provenance.read(tmp_path)
