"""What becomes of an earlier LoRA adapter is said by specs of what stands on two of them, and by no other."""

import copy

import pytest
import yaml
from xstilts.store.specs.evaluation import EmbeddingsSpec, PredictionsSpec
from xstilts.store.specs.models import TrainingSpec

from tests.builders.plans import plan_study
from tests.builders.projects import STUDY


@pytest.fixture(scope="module")
def recipes():
    """The recipes of a study with LoRA in both phases: earlier adapters merged, by default; and unmerged."""
    content = yaml.safe_load(STUDY.read_text())
    (merged,) = content["recipes"].values()
    for phase in ("intermediate", "target"):
        merged[phase]["method"] = {"name": "lora", "rank": 2}
    merged["target"]["learning_rate"] = [1e-3, 2e-3]
    unmerged = copy.deepcopy(merged)
    for phase in ("intermediate", "target"):
        unmerged[phase]["method"]["earlier_adapter"] = "unmerged"
    return {"merged": merged, "unmerged": unmerged}


def planned(folder, recipe, **changes):
    """Plan the study by a recipe; xquad is trained on two sets, one after the other."""
    folder.mkdir(exist_ok=True)
    content = yaml.safe_load(STUDY.read_text()) | {"recipes": {"quick": recipe}}
    content["targets"]["xquad"] = {"trained_on": ["mnli", "squad_v1"]}
    return plan_study(folder, content | changes)


def test_nodes_above_two_adapters_move_and_no_others(recipes, tmp_path):
    merged, unmerged = planned(tmp_path, recipes["merged"]), planned(tmp_path, recipes["unmerged"])
    assert not any("unmerged" in str(node.content) for node in merged.nodes.values())
    said = set()
    for node_id, node in unmerged.nodes.items():
        if not isinstance(node.spec, TrainingSpec | PredictionsSpec | EmbeddingsSpec):
            assert node_id in merged.nodes
            continue
        adapters = len(node.spec.parents_of("model")) - (not isinstance(node.spec, TrainingSpec))
        assert node.spec.numerics.unmerged == (adapters > 1)
        assert (node_id in merged.nodes) == (adapters < 2)
        said.add((node.stage, adapters))
    # the first adapter, a second one, and in xquad a third one; vectors are of the model before the target phase
    assert said == {
        ("intermediate", 1), ("embeddings", 0), ("embeddings", 1),
        *((stage, number) for stage in ("learning_rates", "targets") for number in (1, 2, 3)),
        *(("predictions", number) for number in (1, 2, 3)),
    }  # fmt: skip


def test_the_default_written_out_moves_nothing(recipes, tmp_path):
    written = copy.deepcopy(recipes["merged"])
    written["target"]["method"]["earlier_adapter"] = "merged"
    assert planned(tmp_path, written).nodes.keys() == planned(tmp_path, recipes["merged"]).nodes.keys()


def test_a_merged_mixture_is_a_whole_model_without_adapters(recipes, tmp_path):
    mixtures = {"none": None, "soup": {"merge": {"of": ["mnli", "squad_v1"], "method": "linear"}}}
    plan = planned(tmp_path, recipes["unmerged"], mixtures=mixtures)
    (merged,) = plan.stage("merged").values()
    above = [node for node in plan.nodes.values() if node.spec.parents.get("model") == merged.id]
    assert above and not merged.spec.numerics.unmerged
    assert not any(node.spec.numerics.unmerged for node in above if isinstance(node.spec, TrainingSpec))
