"""The benchmark of fine-tuning goes through what it measures on a GPU, on the CPU with tiny models."""

import runpy
import sys

import numpy as np
import pytest
from xstilts.training.gpu_checks.models import tokens_of

from tests.builders.gpu_checks import machine
from tests.builders.projects import ROOT

BENCHMARKS = ROOT / "benchmarks"


@pytest.mark.long
def test_it_is_ready_for_a_gpu(tmp_path, monkeypatch, capsys):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    for name in ("fine_tuning", "finetune_vs_trainer"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    benchmark = runpy.run_path(str(BENCHMARKS / "finetune_vs_trainer.py"))
    sides = sys.modules["fine_tuning"]
    lengths = np.random.default_rng(0).integers(8, 32, size=4 * 90)
    task = sides.Task("mnli", "classification", tokens_of(lengths, 500), [{}] * len(lengths), 4, 32, 1)
    benchmark["large_models"]([task], machine(tmp_path))
    lines = [line for line in capsys.readouterr().out.splitlines() if ", bar " in line]
    assert [line.partition(", bar ")[2] for line in lines] == [
        "1.3: not judged",
        "45 % of that rate: not judged",
        "40 % of that rate: not judged",
    ]
