"""The loop: what seeds, hardware, precision and compilation do to a result."""

import json
import shutil
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file
from xstilts.hardware import Hardware
from xstilts.models.distributed import Group
from xstilts.store import metrics
from xstilts.training import loop

from tests.builders.models import METHODS, numerics
from tests.builders.plans import node_of
from tests.builders.training import RUNS, losses, run, without_dropout


def test_same_seed_same_numbers_and_another_seed_others(trained, tmp_path):
    spec = node_of(trained[0], "intermediate", "tiny.full.four.s1").spec
    assert run(trained, spec, tmp_path / "one") == run(trained, spec, tmp_path / "two")
    other = run(trained, replace(spec, seed=2), tmp_path / "three")
    assert other[1]["history.json"] != run(trained, spec, tmp_path / "four")[1]["history.json"]


def test_a_line_of_metrics_ends_where_the_model_is_evaluated_or_saved(trained, tmp_path):
    spec = node_of(trained[0], "targets", "tiny.full.none.s1.mnli").spec
    (tmp_path / "one").mkdir()
    prepared = loop.prepare(spec, trained[1], tmp_path / "one", Hardware(checkpoint_seconds=0), Group())
    state = loop.fit(replace(prepared, results=tmp_path), loop.start(prepared), 1e-3, prepared.workplace)
    (path,) = metrics.files_of(tmp_path, "targets/one")
    lines = metrics.read(path)
    assert [line.step for line in lines] == [*range(1, lines[-1].step + 1)]
    assert {evaluation["step"] for evaluation in state["evaluations"]} <= {line.step for line in lines}


@pytest.mark.parametrize(
    ("stage", "name"), [*RUNS, *(("intermediate", f"tiny.full.{name}.s1") for name in ("retrieval", "mixed"))]
)
@pytest.mark.parametrize(
    "hardware", [{"max_tokens_per_device": 200}, {"max_tokens_per_device": 1}, {"gradient_checkpointing": True}]
)
def test_what_the_hardware_may_do_changes_no_result(trained, tmp_path, stage, name, hardware):
    """A batch in parts, or layers computed twice: equal losses but for rounding, at dropout 0."""
    spec = node_of(trained[0], stage, name).spec
    trained = without_dropout(trained, spec, tmp_path / "results")
    _, one = run(trained, spec, tmp_path / "one")
    _, other = run(trained, spec, tmp_path / "other", **hardware)
    first, second = (json.loads(files["history.json"])["losses"] for files in (one, other))
    for before, after in zip(first, second, strict=True):
        assert after == pytest.approx(before, rel=1e-5)


def test_layers_beside_a_prefix_are_not_computed_again(trained, tmp_path):
    """Their keys and values stand in a cache; with the setting the training is the one without."""
    spec = node_of(trained[0], "targets", "tiny.full.none.s1.mnli").spec
    spec = replace(spec, method=METHODS["prefix"])
    _, one = run(trained, spec, tmp_path / "one")
    _, other = run(trained, spec, tmp_path / "other", gradient_checkpointing=True)
    assert one["history.json"] == other["history.json"]


@pytest.mark.skipif(shutil.which("c++") is None, reason="torch.compile needs a C++ compiler, and there is none")
@pytest.mark.long
def test_compiled_by_the_recipe_trains_the_same(trained, tmp_path):
    """The same steps up to rounding, at dropout 0: a compiler draws its own random numbers."""
    spec = node_of(trained[0], "targets", "tiny.full.none.s1.mnli").spec
    trained = without_dropout(trained, spec, tmp_path / "results")
    stated, plain = run(trained, spec, tmp_path / "plain")
    torch._dynamo.reset()
    torch._dynamo.utils.counters.clear()
    own, compiled = run(
        trained, replace(spec, optimisation=replace(spec.optimisation, compile=True)), tmp_path / "compiled"
    )
    assert torch._dynamo.utils.counters["stats"]["unique_graphs"] > 0
    assert own.run.steps_done == stated.run.steps_done
    first, second = (json.loads(files["history.json"])["losses"] for files in (plain, compiled))
    for before, after in zip(first, second, strict=True):
        assert after == pytest.approx(before, rel=1e-4)
    one, other = (load_file(tmp_path / place / "out" / "model.safetensors") for place in ("plain", "compiled"))
    assert one.keys() == other.keys()
    assert all(torch.allclose(value, other[name], atol=1e-3) for name, value in one.items())


@pytest.mark.parametrize("name", ["tiny.reduced.four.s1"])
def test_bfloat16_trains_and_reads_back_equal(trained, tmp_path, name):
    spec = node_of(trained[0], "intermediate", name).spec
    assert spec.numerics.dtype == spec.numerics.precision == "bfloat16"
    stated, files = run(trained, spec, tmp_path / "one")
    assert "adapter_model.safetensors" in files and "model.safetensors" not in files
    assert stated.parameters["trained"] < stated.parameters["all"] / 2
    _, full = run(trained, replace(spec, numerics=numerics()), tmp_path / "two")
    assert losses(files) == pytest.approx(losses(full), rel=0.05) and losses(files) != losses(full)
