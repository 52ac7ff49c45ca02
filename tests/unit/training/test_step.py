"""A step: its batch in micro-batches and in processes, and losses that stop a run."""

from dataclasses import replace

import pytest
from xstilts.errors import UserError
from xstilts.models.distributed import Group
from xstilts.training.step import check_loss

from tests.builders.plans import node_of
from tests.builders.training import batches_of, run


def test_a_batch_in_micro_batches_has_all_of_it_once(trained):
    node = node_of(trained[0], "intermediate", "tiny.full.four.s1")
    for whole, divided in zip(batches_of(trained, node), batches_of(trained, node, tokens=100), strict=True):
        (alone,) = whole.micro_batches
        assert sum(micro_batch.instances for micro_batch in divided.micro_batches) == alone.instances
        assert sum(micro_batch.terms for micro_batch in divided.micro_batches) == alone.terms
        rows = sorted(
            tuple(row[row != 1]) for micro_batch in divided.micro_batches for row in micro_batch.inputs["ids"]
        )
        assert rows == sorted(tuple(row[row != 1]) for row in alone.inputs["ids"])
        # one instance is never divided, though it may be five sequences
        ids = [micro_batch.inputs["ids"] for micro_batch in divided.micro_batches]
        assert all(len(one) in (1, 5) or one.size <= 100 for one in ids)


@pytest.mark.parametrize("size", [2, 3, 8])
def test_processes_divide_every_batch(trained, size):
    """What a step sees is a function of seed, step and process: together it is what one process sees."""
    node = node_of(trained[0], "intermediate", "tiny.full.four.s1")
    processes = [batches_of(trained, node, Group(rank, size)) for rank in range(size)]
    for alone, *shares in zip(batches_of(trained, node), *processes, strict=True):
        assert {share.task for share in shares} == {alone.task}
        counted = [share.micro_batches[0] for share in shares if share.micro_batches[0].terms]
        assert sum(micro_batch.terms for micro_batch in counted) == alone.micro_batches[0].terms
        rows = [tuple(row[row != 1]) for micro_batch in counted for row in micro_batch.inputs["ids"]]
        assert rows == [tuple(row[row != 1]) for row in alone.micro_batches[0].inputs["ids"]]


@pytest.mark.parametrize(
    ("rate", "message"),
    [(1e30, r"mnli: the loss is (nan|inf) at step \d+ \(learning rate [\d.e+]+\); lower the learning rate")],
)
def test_loss_that_is_no_number_stops_the_run(trained, tmp_path, rate, message):
    spec = node_of(trained[0], "targets", "tiny.full.none.s1.mnli").spec
    with pytest.raises(UserError, match=message):
        run(trained, replace(spec, learning_rate=rate), tmp_path)
    assert not list((tmp_path / "work").glob("checkpoint-*"))


def test_loss_that_explodes_stops_the_run():
    """Twenty steps at 2, then 50 a step: the mean of the last twenty passes 20 and five times 2 at the eighth."""
    state = {"first": {}, "last": {}}
    for step in range(20):
        check_loss(state, "mnli", 2.0, step, 1e-3)
    for step in range(20, 27):
        check_loss(state, "mnli", 50.0, step, 1e-3)
    check_loss(state, "text", 50.0, 27, 1e-3)
    with pytest.raises(UserError, match=r"mnli: the loss exploded from 2 to 21.2 at step 28 \(learning rate 1.0"):
        check_loss(state, "mnli", 50.0, 28, 1e-3)
    # from 50 at the start to 100 is no explosion, nor is 19 after 2
    for start, then in ((50.0, 100.0), (2.0, 19.0)):
        state = {"first": {}, "last": {}}
        for step in range(60):
            check_loss(state, "mnli", start if step < 20 else then, step, 1e-3)
