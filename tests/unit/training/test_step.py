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


@pytest.mark.parametrize(("size", "tokens"), [(2, None), (3, 60), (8, 100), (16, 60)])
def test_processes_divide_every_batch(trained, size, tokens):
    """What a step sees is a function of seed, step and process: together it is what one process sees."""
    node = node_of(trained[0], "intermediate", "tiny.full.four.s1")
    processes = [batches_of(trained, node, Group(rank, size), tokens) for rank in range(size)]
    padded = 0
    for alone, *shares in zip(batches_of(trained, node), *processes, strict=True):
        assert {(share.task, share.terms) for share in shares} == {(alone.task, alone.terms)}
        # one that makes fewer passes than another leaves it waiting
        assert len({len(share.micro_batches) for share in shares}) == 1
        counted = [micro_batch for share in shares for micro_batch in share.micro_batches if micro_batch.terms]
        padded += sum(len(share.micro_batches) for share in shares) - len(counted)
        assert sum(micro_batch.terms for micro_batch in counted) == alone.terms
        rows = [tuple(row[row != 1]) for micro_batch in counted for row in micro_batch.inputs["ids"]]
        assert sorted(rows) == sorted(tuple(row[row != 1]) for row in alone.micro_batches[0].inputs["ids"])
    # a batch has at most eight instances
    assert padded > 0 or size < 16


def test_every_process_computes_a_batch_that_cannot_be_divided(trained):
    node = node_of(trained[0], "intermediate", "tiny.full.retrieval.s1")
    processes = [batches_of(trained, node, Group(rank, 2), 60) for rank in range(2)]
    for alone, *shares in zip(batches_of(trained, node), *processes, strict=True):
        (whole,) = alone.micro_batches
        for share in shares:
            (micro_batch,) = share.micro_batches
            assert (micro_batch.inputs["ids"] == whole.inputs["ids"]).all()
            assert micro_batch.terms * 2 == share.terms == alone.terms * 2


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
