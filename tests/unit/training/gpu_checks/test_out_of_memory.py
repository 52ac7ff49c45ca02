"""Whether memory has lacked is seen, for nothing is checked where it has not."""

import pytest
from xstilts.training.gpu_checks import out_of_memory
from xstilts.training.gpu_checks.checks import EQUAL, NOT_REACHED

from tests.builders.gpu_checks import machine


@pytest.mark.parametrize(("share", "verdict"), [(0.6, EQUAL), (2.0, NOT_REACHED)])
def test_memory_has_to_lack(tmp_path, monkeypatch, share, verdict):
    monkeypatch.setattr(out_of_memory, "_SHARE", share)
    (row,) = out_of_memory.run(machine(tmp_path))
    assert row.verdict == verdict
