"""Training where memory lacks: a model that cannot compute more than so many positions at once."""

import json
from functools import partial

import pytest
import torch
from xstilts.errors import UserError
from xstilts.hardware import Hardware
from xstilts.models.distributed import Group
from xstilts.models.model import Model
from xstilts.training import loop, memory
from xstilts.training.step import Batches, make_optimiser, take_step

from tests.builders.models import CPU
from tests.builders.plans import node_of
from tests.builders.training import run


def noted(place):
    return json.loads((place / "work/memory.json").read_text())


def start(trained, place, method="full", **hardware):
    """Return what a run has before its first step: the model, the optimiser and the batches; and what it is."""
    spec = node_of(trained[0], "intermediate", f"tiny.{method}.four.s1").spec
    (place / "work").mkdir(parents=True)
    prepared = loop.prepare(spec, trained[1], place / "work", Hardware(**hardware), Group())
    model = loop.start(prepared)
    batches = Batches(
        prepared.schedule, prepared.tasks, prepared.data, [1.0] * 4, 1, Group(), prepared.hardware, ahead=True
    )
    return model, make_optimiser(model, spec.optimisation), batches, prepared


def probe(model, optimiser, batches, prepared, method="full"):
    fitting = memory.Fitting(model, optimiser, batches, method, prepared.workplace, Group())
    fitting.probe(prepared.tasks, prepared.device)


def take_first(model, optimiser, batches, prepared, group):
    """Take the first step as the loop does."""
    take = partial(
        take_step, model, optimiser, prepared.tasks, rate=1e-3, settings=prepared.spec.optimisation, group=group,
        device=CPU,
    )  # fmt: skip
    return memory.Fitting(model, optimiser, batches, "full", prepared.workplace, group).take(take, 0, batches.at(0))


def test_the_largest_batches_are_computed_before_the_first_step(trained, tmp_path, small_device, few):
    model, optimiser, batches, prepared = started = start(trained, tmp_path)
    whole = max(
        micro.inputs["ids"].size
        for step in range(prepared.schedule.steps)
        for batch in batches.at(step)
        for micro in batch.micro_batches
    )
    before = {name: value.clone() for name, value in model.state_dict().items()}
    seen = small_device(300)
    probe(*started)
    assert max(seen) == whole and max(seen[-4:]) <= 300
    limit = batches.hardware.max_tokens_per_device
    assert limit is not None and limit <= 300 and noted(tmp_path)["max_tokens_per_device"] == limit
    # nothing of it stays
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    assert not optimiser.state and all(weight.grad is None for weight in model.parameters())
    # and all batches that follow are divided so
    made = [batch for of_step in batches.from_step(0) for batch in of_step]
    sizes = [(micro.inputs["ids"].size, micro.instances) for batch in made for micro in batch.micro_batches]
    assert all(size <= limit or instances == 1 for size, instances in sizes)


def test_a_batch_that_was_made_ahead_is_divided_again(trained, tmp_path):
    _, _, batches, _ = start(trained, tmp_path)
    coming = batches.from_step(0)
    next(coming)
    batches.hardware = Hardware(20)
    assert len(next(coming)[0].micro_batches) == len(batches.at(1)[0].micro_batches) > 1


def test_layers_are_computed_again_where_few_tokens_are_too_many(trained, tmp_path, small_device, few):
    started = start(trained, tmp_path, method="lora")
    small_device(40)
    probe(*started, method="lora")
    assert any(vars(module).get("gradient_checkpointing") for module in started[0].modules())
    assert noted(tmp_path)["gradient_checkpointing"]


def test_what_nothing_helps_ends_in_one_line(trained, tmp_path, small_device, few):
    started = start(trained, tmp_path)
    small_device(1, again=1)
    with pytest.raises(UserError, match=r"^step \d+: CUDA out of memory\. Tried to allocate 2 GiB; nothing needs less"):
        probe(*started)


def test_several_processes_leave_it_to_the_next_run(trained, tmp_path, small_device, few):
    model, optimiser, batches, prepared = start(trained, tmp_path)
    small_device(100)
    with pytest.raises(UserError, match=r"the next run continues with max_tokens_per_device \d+$"):
        take_first(model, optimiser, batches, prepared, Group(0, 2))
    found = memory.resumed(prepared.workplace, Hardware(), Group())
    assert found.max_tokens_per_device == noted(tmp_path)["max_tokens_per_device"] is not None


def test_whole_weights_that_lack_memory_are_divided_by_the_next_run(trained, tmp_path, small_device, few):
    """And by all that follow, whatever number of shards the settings say; but not where one GPU had too little."""
    model, optimiser, batches, prepared = start(
        trained, tmp_path, max_tokens_per_device=1, gradient_checkpointing=True, shards=1
    )
    small_device(1, again=1)
    with pytest.raises(
        UserError, match=r"with max_tokens_per_device 1 and gradient_checkpointing and sharded weights$"
    ):
        take_first(model, optimiser, batches, prepared, Group(0, 2))
    for _ in range(2):
        assert memory.resumed(prepared.workplace, Hardware(shards=1), Group()) == Hardware(1, True)
    assert memory.resumed(prepared.workplace, Hardware(shards=4), Group()).shards == 4
    (tmp_path / "alone").mkdir()
    memory.resumed(tmp_path / "alone", Hardware(), Group())
    assert memory.resumed(tmp_path / "alone", Hardware(shards=1), Group()).shards == 1


def test_a_weight_that_was_changed_is_not_changed_again(trained, tmp_path):
    model, optimiser, batches, prepared = start(trained, tmp_path)

    def lacks(*_):
        raise torch.OutOfMemoryError("CUDA out of memory")

    optimiser.register_step_post_hook(lacks)
    with pytest.raises(UserError, match=r"the optimiser: CUDA out of memory; lower max_tokens_per_device in"):
        take_first(model, optimiser, batches, prepared, Group())


@pytest.mark.parametrize(
    ("began", "given", "found"),
    [
        (Hardware(None), Hardware(64), Hardware(64)),
        (Hardware(64), Hardware(None), Hardware(64)),
        (Hardware(64), Hardware(128, True, 5), Hardware(64, True, 5)),
        (Hardware(64, True), Hardware(32), Hardware(32, True)),
        (Hardware(), Hardware(), Hardware()),
    ],
)
def test_a_run_continues_as_it_began_or_with_less(tmp_path, began, given, found):
    assert memory.resumed(tmp_path, began, Group()) == began
    assert memory.resumed(tmp_path, given, Group()) == found
    assert memory.resumed(tmp_path, Hardware(), Group()).max_tokens_per_device == found.max_tokens_per_device


def test_a_damaged_note_is_named(tmp_path):
    (tmp_path / "memory.json").write_text("{}")
    with pytest.raises(UserError, match=r"memory\.json: .*delete .*memory\.json and run again"):
        memory.resumed(tmp_path, Hardware(), Group())


def test_a_step_that_fails_is_taken_again_as_if_nothing_had_been(trained, tmp_path, small_device, few):
    spec = node_of(trained[0], "targets", "tiny.full.none.s1.mnli").spec
    small_device(120)
    found = run(trained, spec, tmp_path / "found")
    limit = noted(tmp_path / "found")["max_tokens_per_device"]
    assert limit is not None and limit <= 120
    assert found == run(trained, spec, tmp_path / "given", max_tokens_per_device=limit)


def test_gradients_of_a_step_that_failed_are_forgotten(trained, tmp_path, few, monkeypatch):
    """Those of the passes before the one that memory lacked for."""
    model, optimiser, batches, prepared = start(trained, tmp_path / "failed", max_tokens_per_device=200)
    real, passes = Model.forward, []

    def second_fails(self, *arguments):
        passes.append(self)
        if len(passes) == 2:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return real(self, *arguments)

    monkeypatch.setattr(Model, "forward", second_fails)
    taken = take_first(model, optimiser, batches, prepared, Group())
    other, its_optimiser, its_batches, prepared = start(trained, tmp_path / "given")
    its_batches.hardware = batches.hardware
    assert batches.hardware != Hardware(200) and len(passes) > 2
    given = take_first(other, its_optimiser, its_batches, prepared, Group())
    assert (taken.losses, taken.gradient_norm) == (given.losses, given.gradient_norm)
    assert all(torch.equal(value, other.state_dict()[name]) for name, value in model.state_dict().items())
