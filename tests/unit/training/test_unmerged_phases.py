"""Two phases whose adapters stay unmerged, and predictions and vectors of what they give, by the jobs themselves."""

import json

import numpy as np
import pytest
from safetensors.torch import load_file
from xstilts.evaluation import predictions
from xstilts.hardware import Hardware
from xstilts.models import adapters
from xstilts.store.manifest import TrainingResults
from xstilts.training import loop

from tests.builders.plans import make, make_stages, node_of, plan_study, results_of
from tests.builders.processes import together
from tests.builders.training import LORA, QUICK, STUDY, run, without_dropout


def recipe(earlier_adapter):
    phase = {**QUICK, "method": {**LORA, "earlier_adapter": earlier_adapter}}
    stopping = {"evaluate_every": 3, "patience": 2}
    return {"intermediate": phase, "target": phase, "early_stopping": stopping, "bitext": {"max_length": 48}}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A plan with adapters merged and unmerged, and results up to the models after the intermediate phase."""
    folder = tmp_path_factory.mktemp("unmerged")
    content = STUDY | {
        "recipes": {name: recipe(name) for name in ("merged", "unmerged")},
        "mixtures": {"none": None, "retrieval": STUDY["mixtures"]["retrieval"]},
        "targets": {"xnli": None, "tatoeba_after_squad": None},
    }
    plan = plan_study(folder, content)
    make_stages(plan, folder / "results", ("data", "models", "prepared", "tokens", "intermediate"))
    return plan, folder / "results"


def test_phases_and_what_is_predicted_are_those_of_merged_adapters_up_to_rounding(made):
    plan, results = made
    assert len(plan.stage("intermediate")) == 1
    folders = {}
    for name in ("merged", "unmerged"):
        target = node_of(plan, "targets", f"tiny.{name}.retrieval.s1.mnli")
        predicted = node_of(plan, "predictions", f"tiny.{name}.retrieval.s1.xnli")
        folders[name] = make(plan, target.id, results), make(plan, predicted.id, results)
    first, second = (json.loads((each[0] / "history.json").read_text()) for each in folders.values())
    for before, after in zip(first["losses"], second["losses"], strict=True):
        assert after == pytest.approx(before, rel=1e-4)
    weights = [load_file(each[0] / adapters.WEIGHTS) for each in folders.values()]
    assert weights[0].keys() == weights[1].keys()
    trained = results_of(results, node_of(plan, "targets", "tiny.unmerged.retrieval.s1.mnli").id)
    assert isinstance(trained, TrainingResults)
    own = sum(value.numel() for value in weights[1].values())
    heads = sum(value.numel() for value in load_file(folders["unmerged"][0] / "heads.safetensors").values())
    assert trained.parameters["trained"] == own + heads
    tables = [predictions.read(each[1] / predictions.FILE) for each in folders.values()]
    assert len(tables[0]) == len(tables[1]) > 0
    assert tables[0][["example_id", "language", "gold"]].equals(tables[1][["example_id", "language", "gold"]])
    assert (tables[0]["prediction"] == tables[1]["prediction"]).mean() > 0.9


def test_vectors_of_unmerged_adapters(made):
    """Of texts after both phases: those of merged adapters, and not those of a model without the intermediate phase."""
    plan, results = made

    def vectors(name, mixture):
        folder = make(plan, node_of(plan, "embeddings", f"tiny.{name}.{mixture}.s1.tatoeba_after_squad").id, results)
        paths = sorted(folder.glob("*.npy"))
        assert paths
        return np.concatenate([np.load(path) for path in paths])

    unmerged = vectors("unmerged", "retrieval")
    np.testing.assert_allclose(vectors("merged", "retrieval"), unmerged, rtol=1e-3, atol=1e-3)
    assert np.abs(vectors("unmerged", "none") - unmerged).max() > 1e-2


@pytest.mark.long
def test_two_processes_equal_one_with_an_adapter_below(made, tmp_path):
    """Over gloo, at dropout 0."""
    plan, _ = made
    spec = node_of(plan, "targets", "tiny.unmerged.retrieval.s1.mnli").spec
    intermediate = node_of(plan, "intermediate", "tiny.unmerged.retrieval.s1").spec
    trained = without_dropout(made, intermediate, tmp_path / "results")
    _, alone = run(trained, spec, tmp_path / "alone")
    (tmp_path / "work").mkdir()
    (tmp_path / "out").mkdir()

    def train(group):
        prepared = loop.prepare(spec, trained[1], tmp_path / "work", Hardware(max_tokens_per_device=60), group)
        loop.train(prepared, trained[1], tmp_path / "out")

    together(2, train)
    first, second = json.loads(alone["history.json"]), json.loads((tmp_path / "out/history.json").read_text())
    for before, after in zip(first["losses"], second["losses"], strict=True):
        assert after == pytest.approx(before, rel=1e-5, abs=1e-5)
    one, other = (load_file(tmp_path / place / adapters.WEIGHTS) for place in ("alone/out", "out"))
    assert one.keys() == other.keys()
    assert max(float((one[key] - other[key]).abs().max()) for key in one) < 2e-3
