"""The folders of a model: an adapter, those below it, and the pretrained model."""

from xstilts.store import lineage, node
from xstilts.store.manifest import EvaluationResults, TrainingResults, path_of

from tests.builders.plans import node_of, plan_study
from tests.builders.training import STUDY


def test_second_phase_reads_the_adapter_below_it(tmp_path):
    """A target on an intermediate adapter: both are its parents, and what it saves stands on both."""
    plan, results = plan_study(tmp_path, STUDY), tmp_path / "results"
    target = node_of(plan, "targets", "tiny.lora.four.s1.mnli")
    below = node_of(plan, "intermediate", "tiny.lora.four.s1")
    base = node_of(plan, "models", "tiny")
    assert [target.spec.parents[role] for role in ("model", "model.1")] == [below.id, base.id]
    prediction = node_of(plan, "predictions", "tiny.lora.four.s1.xnli")
    roles = {role: name for role, name in prediction.spec.parents.items() if role.startswith("model")}
    assert roles == {"model": target.id, "model.1": below.id, "model.2": base.id}
    assert [folder.relative_to(results).as_posix() for folder in lineage.folders(prediction.spec, results)] == [
        target.id, below.id, base.id
    ]  # fmt: skip
    # a model that was trained in full stands alone
    full = node_of(plan, "predictions", "tiny.full.four.s1.xnli")
    assert [role for role in full.spec.parents if role.startswith("model")] == ["model"]


def test_predictions_of_other_weights_are_not_whole(tmp_path):
    """As after a training on another machine; where the weights were deleted, they are taken to be the same."""
    plan = plan_study(tmp_path, STUDY)
    target = node_of(plan, "targets", "tiny.full.four.s1.mnli")
    predictions = node_of(plan, "predictions", "tiny.full.four.s1.xnli")

    def train(content):
        with node.making(path_of(tmp_path, target.id), target.spec) as made:
            (made.scratch / "model.safetensors").write_bytes(content)
            made.results = TrainingResults(run=None, steps=1, learning_rate=1.0, parameters={}, trained_before={})

    train(b"one")
    stated = EvaluationResults(
        fingerprint=lineage.fingerprint(predictions.spec, tmp_path), training={}, collapsed=False, splits={}
    )
    with node.making(path_of(tmp_path, predictions.id), predictions.spec) as made:
        made.results = stated
    assert node.is_whole(tmp_path / predictions.id, predictions.spec)
    node.remove(tmp_path / target.id)
    train(b"two")
    assert not node.is_whole(tmp_path / predictions.id, predictions.spec)
    node.remove(tmp_path / target.id)
    assert node.is_whole(tmp_path / predictions.id, predictions.spec)
