"""Model cards: the hub's own library reads them, and they say what the study knows."""

from dataclasses import replace

import pytest
import yaml
from huggingface_hub._eval_results import parse_eval_result_entries
from huggingface_hub.repocard_data import model_index_to_eval_results
from xstilts.evaluation import exported_arms, model_card
from xstilts.reporting import study_results
from xstilts.store.specs import to_json
from xstilts.store.specs.evaluation import Prompting

from tests.builders.exported import finished


@pytest.fixture(scope="module")
def card(tmp_path_factory):
    """Return the folder of the card of the arm with MNLI."""
    tmp_path = tmp_path_factory.mktemp("exported")
    study = study_results.load(finished(tmp_path))
    for arm in exported_arms.collect(study.plan, study.results, study.scores):
        model_card.write(arm, tmp_path / "out")
    return tmp_path / "out/s.r.mnli"


def test_the_model_index(card):
    _, head, text = (card / "README.md").read_text().split("---\n")
    metadata = yaml.safe_load(head)
    assert metadata["base_model"] == "FacebookAI/xlm-roberta-base"
    name, found = model_index_to_eval_results(metadata["model-index"])
    by_metric = {(one.dataset_name, one.metric_type): one for one in found}
    accuracy = by_metric["XNLI, de", "accuracy"]
    assert (name, accuracy.metric_value, accuracy.task_type) == ("s.r.mnli", 70, "text-classification")
    assert accuracy.metric_name == "accuracy in percent, mean over 2 runs, standard error 10, collapsed: seed 2"
    hub = (accuracy.dataset_type, accuracy.dataset_config, accuracy.dataset_split, accuracy.dataset_revision)
    assert hub == ("facebook/xnli", "de", "test", "b" * 40)
    retrieved = by_metric["tatoeba, de", "accuracy"]
    assert (retrieved.dataset_type, retrieved.dataset_config, retrieved.dataset_revision) == ("tatoeba", None, None)
    assert by_metric["xquad, de", "f1"].metric_name == "f1 in percent, one run"
    assert "| xnli | de | accuracy (percent) | 70.00 | 10.00 | 2, collapsed: seed 2 | 10 examples of test |" in text
    assert f"starts from FacebookAI/xlm-roberta-base at {'c' * 40}; intermediate tasks: mnli; recipe r" in text


def test_prompts_are_no_training(tmp_path):
    study = study_results.load(finished(tmp_path))
    asked = Prompting(examples=2, seed=1)
    nodes = {
        name: replace(node, content=to_json(replace(node.spec, prompting=asked)))
        for name, node in study.plan.nodes.items()
        if name.startswith("predictions/s.r.none")
    }
    plan = replace(study.plan, nodes={**study.plan.nodes, **nodes})
    arm, _ = exported_arms.collect(plan, study.results, study.scores)
    assert {(one.trained_on, one.prompt_examples) for one in arm.results} == {((), 2)}
    model_card.write(arm, tmp_path / "out")
    text = (tmp_path / "out/s.r.none/README.md").read_text()
    assert "seeds 1, 2. The pretrained model answers prompts; a score is" in text
    (german, _) = yaml.safe_load((tmp_path / "out/s.r.none/.eval_results/xnli.yaml").read_text())
    assert german["notes"].endswith("10 examples of test; nothing trained; prompted, 2 examples")


def test_eval_results_are_of_data_sets_of_the_hub_alone(card):
    (path,) = (card / ".eval_results").iterdir()
    assert path.name == "xnli.yaml"
    german, english = parse_eval_result_entries(yaml.safe_load(path.read_text()))
    assert (german.dataset_id, german.task_id, german.value, english.value) == ("facebook/xnli", "de", 70, 100)
    assert (german.dataset_revision, german.date) == ("b" * 40, "2026-11-29T12:00:00+00:00")
    assert german.notes == (
        "accuracy in percent, mean over 2 runs, standard error 10, collapsed: seed 2; 10 examples of test; intermediate"
        " tasks mnli; trained on mnli"
    )
