"""A batch among processes: all of it once, as many passes for each."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from xstilts.tokenization.tokens import Tokens, TokensBuilder
from xstilts.training.division import divide


def _tokens(lengths):
    builder = TokensBuilder()
    for example, sequences in enumerate(lengths):
        for length in sequences:
            builder.sequence([1] * length)
        builder.close(example)
    return Tokens(builder.arrays(), pad=0)


_LENGTHS = st.lists(st.lists(st.integers(1, 30), min_size=1, max_size=3), min_size=1, max_size=20)


@settings(max_examples=60, deadline=None)
@given(lengths=_LENGTHS, processes=st.integers(1, 9), limit=st.none() | st.integers(1, 200), rng=st.randoms())
def test_all_is_computed_once_in_as_many_passes_for_each(lengths, processes, limit, rng):
    tokens = _tokens(lengths)
    instances = np.array(rng.sample(range(len(lengths)), rng.randint(1, len(lengths))))
    division = divide(tokens, instances, processes, limit)
    assert len(division) == processes
    assert len({len(portions) for portions in division}) == 1
    counted = [portion.instances for portions in division for portion in portions if portion.counts]
    assert sorted(np.concatenate(counted)) == sorted(instances)
    for portion in counted:
        used = max(map(max, (lengths[instance] for instance in portion))) * sum(len(lengths[each]) for each in portion)
        assert limit is None or used <= limit or len(portion) == 1


def test_who_has_fewer_passes_computes_the_cheapest_instance_uncounted():
    """Of 40, 40, 9 and 9 tokens with at most 40 at once: two passes of the first process, one of the second."""
    first, second = divide(_tokens([[40], [40], [9], [9]]), np.arange(4), 2, 40)
    assert [(*portion.instances, portion.counts) for portion in first] == [(0, True), (1, True)]
    assert [(*portion.instances, portion.counts) for portion in second] == [(2, 3, True), (2, False)]


def test_one_process_without_a_limit_computes_the_batch_as_it_is():
    ((portion,),) = divide(_tokens([[3], [7], [5]]), np.array([2, 0, 1]), 1, None)
    assert list(portion.instances) == [2, 0, 1]
