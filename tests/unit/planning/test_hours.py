"""GPU-hours by number of runs, against the estimate of each node."""

from collections.abc import Iterable, Mapping

import pytest
from xstilts.planning import estimate, hours, registry
from xstilts.planning.gpu_types import GPU_TYPES
from xstilts.planning.settings import from_config
from xstilts.planning.study import read_study
from xstilts.planning.unindexed import plan_unindexed
from xstilts.store.stages import COMPUTING
from xstilts.store.study_plan import Cell

from tests.builders.plans import study_file

STUDY = {
    "description": "x",
    "source": "download",
    "models": ["xlm-roberta-base"],
    "recipes": {"lora": {"intermediate": {}, "target": {"learning_rate": [1.0e-5, 1.0e-4]}}},
    "mixtures": ["none", "mnli", "squad_v1"],
    "targets": {"xnli": None, "tydiqa": None, "tatoeba": None},
    "languages": ["en", "de"],
    "seeds": [7, 8, 9],
}


@pytest.fixture
def planned(tmp_path) -> tuple[hours.StudyHours, Mapping[str, float]]:
    """The hours of the study as they are found, and those of every node of its plan by stage and name."""
    path = study_file(tmp_path, STUDY)
    entries, settings = registry.load(), from_config({"study": str(path)})
    study, gpu_type = read_study(path, entries), GPU_TYPES["h100"]
    plan = plan_unindexed(study, entries, settings)
    of_nodes = {
        f"{stage} {plan.made.names[node.id][0]}": estimate.of_node(
            node, plan, entries, settings.results, settings.hardware
        ).hours(gpu_type, estimate.numerics_of(node.spec).precision)
        for stage in COMPUTING
        for node in plan.stage(stage).values()
    }
    return hours.of_study(study, entries, settings, gpu_type), of_nodes


def results(mixture: str, *targets: str) -> Iterable[Cell]:
    """Return an arm's results on some targets; of a seed and a node that the study need not have."""
    return {Cell("xlm-roberta-base", "lora", "full", mixture, 1, target, "") for target in targets}


def test_hours_are_those_of_the_nodes(planned):
    """Of three runs: searches and the published model's vectors once, trainings and predictions three times."""
    found, of_nodes = planned[0].whole(), planned[1]
    assert found.at(3) == pytest.approx(sum(of_nodes.values())) and 0 < found.once < found.at(1)
    assert found.at(5) - found.at(3) == pytest.approx(2 * found.per_run)


def test_results_need_what_they_stand_on(planned):
    """Counted by hand: XNLI after SQuAD needs its search once, and in each run three nodes."""
    of_study, of_nodes = planned
    once = ["learning_rates xlm-roberta-base.lora.squad_v1.mnli"]
    of_a_run = [
        "intermediate xlm-roberta-base.lora.squad_v1.s{}",
        "targets xlm-roberta-base.lora.squad_v1.s{}.mnli",
        "predictions xlm-roberta-base.lora.squad_v1.s{}.xnli",
    ]
    found = of_study.of(results("squad_v1", "xnli"))
    assert found.once == pytest.approx(sum(map(of_nodes.get, once)))
    for seed in STUDY["seeds"]:
        assert found.per_run == pytest.approx(sum(of_nodes[name.format(seed)] for name in of_a_run))


def test_what_several_results_need_counts_once(planned):
    """The second target of an arm needs no second intermediate training; without one, vectors are made once for all."""
    of_study, of_nodes = planned
    both, one, other = (
        of_study.of(results("squad_v1", *targets)).per_run for targets in (("xnli", "tydiqa"), ("xnli",), ("tydiqa",))
    )
    assert both == pytest.approx(one + other - of_nodes["intermediate xlm-roberta-base.lora.squad_v1.s7"])
    vectors = of_study.of(results("none", "tatoeba"))
    assert vectors.per_run == pytest.approx(0)
    assert vectors.once == pytest.approx(of_nodes["embeddings xlm-roberta-base.lora.none.tatoeba"])


def test_all_results_need_the_whole_study(planned):
    of_study, _ = planned
    every = {cell for mixture in STUDY["mixtures"] for cell in results(mixture, *STUDY["targets"])}
    assert of_study.of(every).at(3) == pytest.approx(of_study.whole().at(3))
    assert of_study.of([]).at(3) == 0
