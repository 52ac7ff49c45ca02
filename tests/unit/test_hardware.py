"""What is tried where memory lacks."""

import pytest
from xstilts.hardware import Hardware


def walk(hardware, *arguments):
    found = [hardware]
    while (following := found[-1].with_less_memory(*arguments)) is not None:
        found.append(following)
    return [(each.max_tokens_per_device, each.gradient_checkpointing) for each in found[1:]]


@pytest.mark.parametrize(
    ("hardware", "arguments", "tried"),
    [
        # half of the tokens, checkpointing, and again half of the tokens, down to one instance
        (Hardware(), (12288, 384, True), [(6144, False), (4096, False), (4096, True), (2048, True), (1024, True),
                                          (512, True), (384, True)]),
        # where it is not allowed, tokens alone
        (Hardware(), (8192, 2048, False), [(4096, False), (2048, False)]),
        # a batch that cannot be divided
        (Hardware(), (9000, 9000, True), [(None, True)]),
        (Hardware(5000, True), (9000, 3000, True), [(3000, True)]),
        (Hardware(None, True), (100, 100, True), []),
    ],
)  # fmt: skip
def test_less_memory_step_by_step(hardware, arguments, tried):
    assert walk(hardware, *arguments) == tried


def test_whole_weights_are_divided_last():
    assert Hardware(384, True, shards=1).with_less_memory(9000, 384, True) == Hardware(384, True)
    assert Hardware(384, True, shards=1).with_less_memory(9000, 100, True) == Hardware(192, True, shards=1)
    assert Hardware(384, True, shards=2).with_less_memory(9000, 384, True) is None


def test_other_settings_stay():
    assert Hardware(checkpoint_seconds=5).with_less_memory(9000, 10, True) == Hardware(4500, False, 5)
