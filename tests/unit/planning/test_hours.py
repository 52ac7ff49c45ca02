"""GPU-hours by number of runs, against the estimate of each node."""

import pytest
from xstilts.planning import estimate, hours, registry
from xstilts.planning.gpu_types import GPU_TYPES
from xstilts.planning.settings import from_config
from xstilts.planning.study import read_study
from xstilts.planning.unindexed import plan_unindexed
from xstilts.store.stages import COMPUTING

from tests.builders.plans import study_file

STUDY = {
    "description": "x",
    "source": "download",
    "models": ["xlm-roberta-base"],
    "recipes": {"lora": {"intermediate": {}, "target": {"learning_rate": [1.0e-5, 1.0e-4]}}},
    "mixtures": ["none", "mnli"],
    "targets": {"xnli": None, "tatoeba": None},
    "languages": ["en", "de"],
}


def test_hours_are_those_of_the_nodes(tmp_path):
    """Of three runs: a search and the published model's vectors once, trainings and predictions three times."""
    path = study_file(tmp_path, STUDY | {"seeds": [7, 8, 9]})
    entries, settings = registry.load(), from_config({"study": str(path)})
    study, gpu_type = read_study(path, entries), GPU_TYPES["h100"]
    plan = plan_unindexed(study, entries, settings)
    nodes = [node for stage in COMPUTING for node in plan.stage(stage).values()]
    expected = sum(
        estimate.of_node(node, plan, entries, settings.results, settings.hardware).hours(
            gpu_type, estimate.numerics_of(node.spec).precision
        )
        for node in nodes
    )
    found = hours.by_runs(study, entries, settings, gpu_type)
    assert found.at(3) == pytest.approx(expected) and 0 < found.once < found.at(1)
    assert found.at(5) - found.at(3) == pytest.approx(2 * found.per_run)
