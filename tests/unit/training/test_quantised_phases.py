"""Two phases of adapters over weights in 4 bits, and predictions of what they give, by the jobs themselves."""

import json
from dataclasses import replace

import numpy as np
import pytest
from safetensors.torch import load_file
from xstilts.evaluation import predictions
from xstilts.hardware import Hardware
from xstilts.models import adapters
from xstilts.training import loop

from tests.builders.plans import make, make_stages, node_of, plan_study, results_of
from tests.builders.processes import together
from tests.builders.training import LORA, QUICK, STUDY, run, without_dropout

pytest.importorskip("bitsandbytes", reason="bitsandbytes is not installed: pip install -e '.[qlora]'")
PHASE = {**QUICK, "method": {**LORA, "earlier_adapter": "unmerged"}, "precision": "bfloat16"}


def recipe(quantised):
    phase = {**PHASE, "quantised": quantised}
    stopping = {"evaluate_every": 3, "patience": 2}
    return {"intermediate": phase, "target": phase, "early_stopping": stopping}


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A plan, and results up to the models after the intermediate phase."""
    folder = tmp_path_factory.mktemp("quantised")
    content = STUDY | {
        "recipes": {"nf4": recipe("nf4"), "plain": recipe(None)},
        "mixtures": {"none": None, "retrieval": STUDY["mixtures"]["retrieval"]},
        "targets": {"xnli": None},
    }
    plan = plan_study(folder, content)
    make_stages(plan, folder / "results", ("data", "models", "prepared", "tokens", "intermediate"))
    return plan, folder / "results"


def test_phases_and_predictions(made):
    plan, results = made
    counted = {}
    for name in ("nf4", "plain"):
        target = node_of(plan, "targets", f"tiny.{name}.retrieval.s1.mnli")
        folder = make(plan, target.id, results)
        history = json.loads((folder / "history.json").read_text())
        assert all(np.isfinite(list(entry.values())).all() for entry in history["losses"])
        counted[name] = results_of(results, target.id).parameters
        predicted = make(plan, node_of(plan, "predictions", f"tiny.{name}.retrieval.s1.xnli").id, results)
        assert len(predictions.read(predicted / predictions.FILE)) > 0
    # a number in 4 bits counts as any other
    assert counted["nf4"] == counted["plain"]


@pytest.mark.long
@pytest.mark.parametrize("shards", [1, 2])
def test_two_processes_equal_one(made, tmp_path, shards):
    """Each has all weights in 4 bits, and what is trained whole or a shard of it."""
    plan, _ = made
    spec = node_of(plan, "targets", "tiny.nf4.retrieval.s1.mnli").spec
    intermediate = node_of(plan, "intermediate", "tiny.nf4.retrieval.s1").spec
    trained = without_dropout(made, intermediate, tmp_path / "results")
    _, alone = run(trained, spec, tmp_path / "alone")
    (tmp_path / "work").mkdir()
    (tmp_path / "out").mkdir()

    def train(group):
        hardware, held = Hardware(max_tokens_per_device=60), replace(group, shards=shards)
        prepared = loop.prepare(spec, trained[1], tmp_path / "work", hardware, held)
        loop.train(prepared, trained[1], tmp_path / "out")

    together(2, train)
    first, second = json.loads(alone["history.json"]), json.loads((tmp_path / "out/history.json").read_text())
    for before, after in zip(first["losses"], second["losses"], strict=True):
        assert after == pytest.approx(before, rel=1e-3)
    one, other = (load_file(tmp_path / place / adapters.WEIGHTS) for place in ("alone/out", "out"))
    assert one.keys() == other.keys()
    way = sum(float(value.norm()) ** 2 for key, value in one.items() if "lora_B" in key) ** 0.5
    apart = sum(float((value - other[key]).norm()) ** 2 for key, value in one.items()) ** 0.5
    assert 0 < apart < 0.1 * way
