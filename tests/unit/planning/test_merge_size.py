"""What a merge takes, by numbers written out."""

from xstilts.planning import merge_size, registry
from xstilts.planning.merge_size import MergeSize

from tests.builders.plans import node_of, plan_study
from tests.builders.training import LORA, QUICK

# XLM-R Large without its pooler: layers of width 1024 with four matrices of attention, two four times as wide, their
# biases and two norms; 250,002 tokens, 514 positions, one segment, and a norm
LAYER = 4 * (1024**2 + 1024) + 2 * 4 * 1024**2 + 5 * 1024 + 4 * 1024
LARGE = 24 * LAYER + (250_002 + 514 + 1) * 1024 + 2 * 1024


def test_a_merge_needs_disk_and_the_memory_of_one_model(tmp_path):
    """Adapters are added in float32, so beside a pretrained model in bfloat16 three are laid down in float32."""
    merged = {"merge": {"of": ["mnli", "qqp", "cosmosqa"], "method": "linear"}}
    reduced = {**QUICK, "precision": "bfloat16"}
    recipes = {
        "lora": {"intermediate": {**reduced, "method": LORA}, "target": QUICK},
        "full": {"intermediate": reduced, "target": QUICK},
    }
    study = {"description": "Merged.", "source": "download", "models": ["xlm-roberta-large"], "recipes": recipes,
             "mixtures": {"merged": merged}, "targets": {"xnli": None}, "seeds": [1]}  # fmt: skip
    plan = plan_study(tmp_path, study)

    def size(recipe):
        node = node_of(plan, "merged", f"xlm-roberta-large.{recipe}.merged.s1")
        return merge_size.of_node(node, plan, registry.load(), tmp_path)

    adapters, full = size("lora"), size("full")
    assert adapters == MergeSize(disk=2 * LARGE, beside=(2 + 3 * 4) * LARGE, host=4 * LARGE + 6e9)
    assert full == MergeSize(disk=4 * LARGE, beside=4 * 4 * LARGE, host=4 * LARGE + 6e9)
    assert "2 models without a training or a GPU" in merge_size.text([adapters, full])
    assert merge_size.text([]) == ""
