"""Weights and moments in one file of each process; they are read again by as many processes, or by another number."""

import logging
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file
from torch import nn
from xstilts.models import distributed
from xstilts.models.distributed import Group
from xstilts.training.checkpoints import Writer, checkpoints, resume

from tests.builders.processes import together

RUN = "run"


class Small(nn.Module):
    """Five rows, which two processes cannot share equally, and one, of which the second process has nothing."""

    def __init__(self):
        super().__init__()
        self.stack = nn.ModuleList([nn.Linear(3, 5), nn.Linear(5, 1)])
        # frozen, and not saved
        self.frozen = nn.Parameter(torch.ones(4), requires_grad=False)


def started(group, seed):
    """Return a model with weights that its seed decides, and its optimiser, for a process of a group."""
    torch.manual_seed(seed)
    model = Small()
    distributed.shard(model, group, False)
    return model, torch.optim.AdamW([value for value in model.parameters() if value.requires_grad], lr=0.1)


def steps(model, optimiser, number):
    """Take steps whose gradients depend on the weights alone."""
    for _ in range(number):
        for parameter in optimiser.param_groups[0]["params"]:
            parameter.grad = parameter.detach() * 2
        optimiser.step()


def held(model):
    return {name: distributed.local(value.detach()) for name, value in model.named_parameters()}


def whole(model, group):
    return distributed.gather(dict(model.named_parameters()), group)


def expected(number):
    """Return the weights after some steps in one process."""
    model, optimiser = started(Group(), 1)
    steps(model, optimiser, number)
    return whole(model, Group())


def same(found, others):
    return found.keys() == others.keys() and all(torch.equal(found[name], value) for name, value in others.items())


@pytest.fixture(scope="module")
def of_two(tmp_path_factory):
    """A work directory with checkpoints of two processes after three and four steps."""
    work = tmp_path_factory.mktemp("two")

    def save(group):
        model, optimiser = started(group, 1)

        def refuse(*_):
            raise AssertionError("something is gathered")

        distributed.whole = torch.distributed.tensor.DTensor.full_tensor = refuse
        with Writer(work, RUN, 600, group) as writer:
            for step in (3, 4):
                steps(model, optimiser, 3 if step == 3 else 1)
                writer.save(model, optimiser, {"step": step}, [])
        assert len(checkpoints(work)) == 2

    together(2, save)
    return work


def test_each_process_writes_its_shards(of_two):
    _, last = checkpoints(of_two)
    names = [f"{kind}-0000{rank}-of-00002.safetensors" for kind in ("model", "optimiser") for rank in (1, 2)]
    assert sorted(path.name for path in last.iterdir()) == [*names, "state.json"]
    first, second = (load_file(last / name) for name in names[:2])
    assert [first["stack.0.weight"].shape, second["stack.0.weight"].shape] == [(3, 3), (2, 3)]
    assert [first["stack.1.bias"].shape, second["stack.1.bias"].shape] == [(1,), (0,)]
    saved = {name: torch.cat([first[name], second[name]]) for name in first}
    assert same({**saved, "frozen": torch.ones(4)}, expected(4))


def test_two_processes_go_on_with_their_own_files(of_two):
    """As if they had not ended, and without a word to each other about any tensor."""

    def go_on(group):
        model, optimiser = started(group, 2)
        distributed.alike = None
        assert resume(of_two, RUN, model, optimiser, group) == {"step": 4}
        steps(model, optimiser, 2)
        found = whole(model, group)
        assert not group.leads or same(found, expected(6))

    together(2, go_on)


def test_one_process_goes_on_with_the_files_of_two(of_two):
    model, optimiser = started(Group(), 2)
    assert resume(of_two, RUN, model, optimiser, Group()) == {"step": 4}
    steps(model, optimiser, 2)
    assert same(held(model), expected(6))


def test_other_numbers_of_processes_go_on_with_the_files_of_one_and_two(of_two, tmp_path):
    model, optimiser = started(Group(), 1)
    steps(model, optimiser, 4)
    with Writer(tmp_path, RUN, 600, Group()) as writer:
        writer.save(model, optimiser, {"step": 4}, [])
    (of_one,) = checkpoints(tmp_path)
    assert sorted(path.name for path in of_one.iterdir()) == [
        "model.safetensors",
        "optimiser.safetensors",
        "state.json",
    ]

    def go_on(group):
        for work in (tmp_path, of_two):
            model, optimiser = started(group, 2)
            assert resume(work, RUN, model, optimiser, group) == {"step": 4}
            steps(model, optimiser, 2)
            found = whole(model, group)
            assert not group.leads or same(found, expected(6))

    together(3, go_on)


def test_whole_weights_are_written_once_and_read_by_all(of_two, tmp_path):
    """By two processes that have them whole, from one such file and from two shards; and by two that have shards."""

    def save_and_go_on(group):
        whole_group = replace(group, shards=1)
        model, optimiser = started(whole_group, 1)
        steps(model, optimiser, 4)
        with Writer(tmp_path, RUN, 600, whole_group) as writer:
            writer.save(model, optimiser, {"step": 4}, [])
        (path,) = checkpoints(tmp_path)
        assert {file.name for file in path.iterdir()} == {
            "model.safetensors", "optimiser.safetensors", "state.json"
        }  # fmt: skip
        for work, readers in ((tmp_path, whole_group), (of_two, whole_group), (tmp_path, group)):
            model, optimiser = started(readers, 2)
            assert resume(work, RUN, model, optimiser, readers) == {"step": 4}
            steps(model, optimiser, 2)
            found = whole(model, readers)
            assert not group.leads or same(found, expected(6))

    together(2, save_and_go_on)


def test_of_several_nodes_the_first_one_writes_its_shards(of_two, tmp_path):
    """Two replicas of two shards each: a file for each shard, which all read again, and others do, too."""

    def save_and_go_on(group):
        nodes = replace(group, shards=2)
        model, optimiser = started(nodes, 1)
        steps(model, optimiser, 4)
        with Writer(tmp_path, RUN, 600, nodes) as writer:
            writer.save(model, optimiser, {"step": 4}, [])
        found = whole(model, nodes)
        assert not group.leads or same(found, expected(4))
        (path,), last = checkpoints(tmp_path), checkpoints(of_two)[-1]
        assert {file.name for file in path.iterdir()} == {file.name for file in last.iterdir()}
        for work, readers in ((tmp_path, nodes), (of_two, nodes), (tmp_path, group)):
            model, optimiser = started(readers, 2)
            assert resume(work, RUN, model, optimiser, readers) == {"step": 4}
            steps(model, optimiser, 2)
            found = whole(model, readers)
            assert not group.leads or same(found, expected(6))

    together(4, save_and_go_on)


def test_a_file_that_is_damaged_is_refused_by_all(of_two):
    """Each process reads some of the files alone, and all of them take the checkpoint before."""
    _, last = checkpoints(of_two)
    path = last / "optimiser-00002-of-00002.safetensors"
    content = path.read_bytes()
    path.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))

    def go_on(group):
        said = []
        logging.getLogger("xstilts.training.checkpoints").addFilter(lambda record: said.append(record.getMessage()))
        model, optimiser = started(group, 2)
        assert resume(of_two, RUN, model, optimiser, group) == {"step": 3}
        assert f"{last}: {path.name} is damaged; trying the one before it" in said
        steps(model, optimiser, 3)
        found = whole(model, group)
        assert not group.leads or same(found, expected(6))

    try:
        together(2, go_on)
    finally:
        path.write_bytes(content)
