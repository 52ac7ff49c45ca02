"""Estimates against what ran."""

from xstilts.planning import estimate_compared, memory_plan
from xstilts.planning.estimate_compared import Ran
from xstilts.planning.gpu_types import GPU_TYPES
from xstilts.planning.settings import from_config

from tests.builders.plans import node_of
from tests.builders.provenance import leave

NAME = "xlm-roberta-large.jiant.mnli.s1"


def test_what_ran_is_compared_by_node_and_stage(scale, tmp_path):
    plan, entries, _ = scale
    settings, h100 = from_config({"results": str(tmp_path)}), GPU_TYPES["h100"]
    node = node_of(plan, "intermediate", NAME)
    leave(tmp_path / node.id, gpu="NVIDIA H100", gpus=2, wall_seconds=900.0, peak_gpu_memory_mb=10_000.0)
    leave(tmp_path / node_of(plan, "intermediate", "xlm-roberta-large.jiant.nine.s1").id, gpu=None, gpus=0)
    (found,), others = estimate_compared.ran(plan, entries, settings, h100)
    cost = memory_plan.of_node(node, plan, entries, settings, h100, 2).cost
    assert found == Ran(
        NAME, "intermediate", "NVIDIA H100", 2 * cost.hours(h100, "bfloat16"), 0.5, cost.memory, 10_000 * 2**20
    )
    assert others == 1
    lines = estimate_compared.text([found], others, h100).splitlines()
    ratio = f"{0.5 / found.estimated:.2f}"
    assert lines[1].split()[:4] == [NAME, f"{found.estimated:.2f}", "0.50", ratio]
    assert lines[2].startswith("intermediate: 1 node ") and lines[3].startswith("all ")
    assert "1 node without a GPU left out" in lines[-1] and max(map(len, lines)) <= 120


def test_nothing_ran_on_a_gpu(scale):
    assert estimate_compared.text([], 3, GPU_TYPES["h100"]) == (
        "No node of this study was made on a GPU, and 3 nodes without one.\n"
    )
    silent = Ran("a", "targets", "GPU", 0.0, 1.0, 1e9, None)
    assert "nan" in estimate_compared.text([silent], 0, GPU_TYPES["h100"]).splitlines()[1]
